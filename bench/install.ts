/**
 * Rivals that come from elsewhere: found on PATH, or installed from npm into the cache at their first use (never into the project's
 * own dependencies). DROVER_BENCH_OFFLINE=1 installs nothing.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CACHE } from './paths.js';

/** Absolute path of a program on PATH (and the sbin folders, where Debian keeps servers). */
export function which(program: string): string | undefined {
  for (const dir of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const path = join(dir, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

const tried = new Map<string, string | true>();

/** Path of a file that `npm install <spec>` brings; installs it when it is missing. A string of what went wrong instead of a path: `{ why }`. */
export function fromNpm(spec: string, file: string): { path: string } | { why: string } {
  const prefix = `${CACHE}npm/${spec.replaceAll(/[^\w.-]/g, '_')}`;
  const path = join(prefix, 'node_modules', file);
  if (existsSync(path)) return { path };
  if (process.env['DROVER_BENCH_OFFLINE']) return { why: `${spec} is not in the cache and DROVER_BENCH_OFFLINE is set` };
  let result = tried.get(spec);
  if (result === undefined) {
    mkdirSync(prefix, { recursive: true });
    try {
      execFileSync('npm', ['install', '--prefix', prefix, '--no-save', '--no-audit', '--no-fund', spec], { stdio: 'pipe', timeout: 180_000 });
      result = true;
    } catch (error) {
      result = `npm install ${spec} failed: ${(error as Error).message.split('\n', 1)[0]!}`;
    }
    tried.set(spec, result);
  }
  return existsSync(path) ? { path } : { why: result === true ? `npm install ${spec} brought no ${file}` : result };
}

/** Node 24's program: DROVER_BENCH_NODE24, or npm's package of the program for this platform (which needs no install script). */
export function node24(): { path: string } | { why: string } {
  const given = process.env['DROVER_BENCH_NODE24'];
  const platform = `node-linux-${process.arch}`;
  if (given === undefined) return fromNpm(`${platform}@24`, `${platform}/bin/node`);
  return existsSync(given) ? { path: given } : { why: `DROVER_BENCH_NODE24=${given} does not exist` };
}

/** First line that a program prints about its version, on stdout or stderr. */
export function versionOf(command: string, args: readonly string[], pattern = /\d+\.\d+[\w.-]*/): string {
  try {
    const text = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', command, ...args], { encoding: 'utf8', timeout: 20_000 });
    return pattern.exec(text)?.[0] ?? text.trim().split('\n', 1)[0]!;
  } catch {
    return 'unknown';
  }
}
