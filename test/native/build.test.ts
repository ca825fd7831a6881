import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

// Compiled to dist/test/native.
const root = fileURLToPath(new URL('../../..', import.meta.url));

function build(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['native/build.mjs', ...args], { cwd: root, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

test('an addon that is up to date is left alone, without a word', (t) => {
  const built = (): number => statSync(`${root}build/Release/drover.node`).mtimeMs;
  t.is(build().status, 0);
  const before = built();
  t.deepEqual(build(), { status: 0, output: '' });
  t.is(built(), before);
});

test('an unknown flag is refused', (t) => {
  const { status, output } = build('--sanitize=everything');
  t.is(status, 1);
  t.regex(output, /^usage: /);
});
