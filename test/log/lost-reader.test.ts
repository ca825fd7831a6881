import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { ROOT, scratch } from '../helpers/drover.js';
import { writeFileSync } from 'node:fs';

test('a standard output that somebody has put in its place is left alone', (t) => {
  const preload = join(scratch(t), 'preload.cjs');
  writeFileSync(preload, `const { stdout } = process; Object.defineProperty(process, 'stdout', { value: stdout, writable: true, configurable: true, enumerable: true });`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-r', preload, join(ROOT, 'dist/cli/main.cjs'), '--version'], { encoding: 'utf8' });
  t.is(status, 0, stderr);
  t.regex(stdout, /\d+\.\d+\.\d+/);
});
