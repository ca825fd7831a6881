/** Compiles bench/native/<name>.c with the system's C compiler when the binary is missing or older than its source. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { CACHE, NATIVE } from './paths.js';

/** Path of the binary. */
export function compile(name: string): string {
  const source = `${NATIVE}${name}.c`;
  const binary = `${CACHE}bin/${name}`;
  const built = statSync(binary, { throwIfNoEntry: false });
  if (built !== undefined && built.mtimeMs >= statSync(source).mtimeMs) return binary;
  mkdirSync(`${CACHE}bin`, { recursive: true });
  execFileSync(process.env['CC'] ?? 'cc', ['-O2', '-Wall', '-Wextra', '-o', binary, source, '-lm'], { stdio: ['ignore', 'inherit', 'inherit'] });
  return binary;
}
