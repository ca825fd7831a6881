import test from 'ava';
import { parseCommandLine } from '../../src/config/command-line.js';
import { options } from '../../src/config/options.js';
import { DroverError } from '../../src/errors.js';

function parse(...words: string[]): [string, string, unknown][] {
  return parseCommandLine(words, '').map(({ option, flag, value }) => [option.name, flag, value]);
}

function errorOf(words: string[], origin = ''): DroverError {
  try {
    parseCommandLine(words, origin);
  } catch (error) {
    if (error instanceof DroverError) return error;
    throw error;
  }
  throw new Error(`accepted: ${words.join(' ')}`);
}

test('the ways to write a value', (t) => {
  for (const words of [['-w4'], ['-w', '4'], ['-w=4']]) t.deepEqual(parse(...words), [['workers', '-w', '4']]);
  for (const words of [['--workers=4'], ['--workers', '4']]) t.deepEqual(parse(...words), [['workers', '--workers', '4']]);
  t.deepEqual(parse('-eA=B=C'), [['env', '-e', 'A=B=C']]);
  t.deepEqual(parse('--env=A=B'), [['env', '--env', 'A=B']]);
  t.deepEqual(parse('--name='), [['name', '--name', '']]);
});

test('values that begin with a dash', (t) => {
  t.deepEqual(parse('--log-file', '-'), [['logFile', '--log-file', '-']]);
  t.deepEqual(parse('-w', '-1'), [['workers', '-w', '-1']]);
  t.deepEqual(parse('--node-args', '--expose-gc'), [['nodeArgs', '--node-args', '--expose-gc']]);
  t.deepEqual(parse('--name=-x'), [['name', '--name', '-x']]);
});

test('a value that was forgotten', (t) => {
  t.regex(errorOf(['-w']).format(), /^-w needs a value\n {2}Write -w N\|auto: /);
  t.regex(errorOf(['--workers', '--bind', 'x']).format(), /--workers needs a value, but "--bind" follows/);
  t.regex(errorOf(['--node-args', '--', 'x']).format(), /--node-args needs a value/);
});

test('flags without value', (t) => {
  t.deepEqual(parse('--check-config'), [['checkConfig', '--check-config', true]]);
  t.deepEqual(parse('--no-check-config'), [['checkConfig', '--no-check-config', false]]);
  t.deepEqual(parse('--check-config=false'), [['checkConfig', '--check-config', 'false']]);
  t.deepEqual(parse('-h', 'app.js'), [['help', '-h', true], ['app', 'APP', 'app.js']]);
  t.regex(errorOf(['--no-check-config=1']).format(), /takes no value/);
  t.is(errorOf(['-hx']).code, 'ERR_DROVER_UNKNOWN_FLAG');
});

test('--no- is for bools only', (t) => {
  t.is(errorOf(['--no-workers']).code, 'ERR_DROVER_UNKNOWN_FLAG');
});

test('the app and its arguments', (t) => {
  t.deepEqual(parse('-w4', 'app.js', '--name', 'x', '--', 'a', '-w', '--', 'b'), [
    ['workers', '-w', '4'],
    ['app', 'APP', 'app.js'],
    ['name', '--name', 'x'],
    ['appArgs', '--', ['a', '-w', '--', 'b']],
  ]);
  t.deepEqual(parse('--'), [['appArgs', '--', []]]);
});

test('a second app', (t) => {
  const error = errorOf(['app.js', 'other.js']);
  t.is(error.code, 'ERR_DROVER_VALUE');
  t.regex(error.format(), /"other\.js".*"app\.js" already\n.*after --/);
});

test('unknown flags name the nearest', (t) => {
  t.is(errorOf(['--worker', '4']).format(), 'unknown flag --worker\n  Did you mean --workers?');
  t.is(errorOf(['--bnid=x'], ' in environment variable DROVER_CMD_ARGS').format(), 'unknown flag --bnid in environment variable DROVER_CMD_ARGS\n  Did you mean --bind?');
  t.regex(errorOf(['-Z']).format(), /^unknown flag -Z\n {2}drover --help/);
  t.regex(errorOf(['--certificate']).format(), /^unknown flag --certificate\n {2}drover --help/);
});

test('no two options share a flag, and no flag reads as a negation', (t) => {
  const flags = options.flatMap((option) => [option.name, ...(option.aliases ?? [])].concat(option.short === undefined ? [] : [`-${option.short}`]));
  t.is(new Set(flags).size, flags.length);
  for (const option of options) t.false(option.name.startsWith('no') && /^no[A-Z]/.test(option.name), option.name);
});
