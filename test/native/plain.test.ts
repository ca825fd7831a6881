/** The plain halves that decide and coordinate, in a program of their own (test/native/plain/): policies, accounts, permits, grants, rescues. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { ROOT } from '../helpers/drover.js';

test('policies, accounts, permits, grants and rescues do as they should, without Node and by many threads at once', (t) => {
  const built = spawnSync('make', ['-s', '-f', 'test/native/plain/Makefile', `-j2`], { cwd: ROOT, encoding: 'utf8' });
  t.is(built.status, 0, built.stderr);
  const ran = spawnSync(join(ROOT, '.cache/plain/plain'), { encoding: 'utf8', timeout: 120_000 });
  t.is(ran.status, 0, ran.stderr);
});
