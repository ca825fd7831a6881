import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { HOOKS } from '../../src/config/hooks.js';
import { ERRORS, EXIT_CODES } from '../../src/errors.js';
import { EVENTS } from '../../src/log/events.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const page = (name: string): string => readFileSync(join(ROOT, 'docs', name), 'utf8');

test('the generated pages are current', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'dist/src/cli/render-docs.js'), '--check'], { encoding: 'utf8' });
  t.is(stderr, '');
  t.is(status, 0);
});

test('every exit code and error code is in its page', (t) => {
  const text = page('exit-codes.md');
  for (const [name, { code }] of Object.entries(EXIT_CODES)) t.true(text.includes(`\n| ${code} | ${name} | `), name);
  for (const [code, exit] of Object.entries(ERRORS)) t.regex(text, new RegExp(`\\| ${exit} \\|.*\`${code}\``));
});

test('every event is in its page', (t) => {
  const text = page('events.md');
  for (const name of Object.keys(EVENTS)) t.true(text.includes(`\n| \`${name}\` | `), name);
});

test('every hook is in the options page', (t) => {
  const text = page('options.md');
  for (const [name, { args, process }] of Object.entries(HOOKS)) t.true(text.includes(`\n| \`${name}${args}\` | ${process} | `), name);
});
