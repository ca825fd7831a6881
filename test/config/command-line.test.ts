import { execFileSync } from 'node:child_process';
import test from 'ava';
import { parseCommandLine } from '../../src/config/command-line.js';
import { foreignFlags, hintForFlag } from '../../src/config/foreign-flags.js';
import { longFlags, options } from '../../src/config/options.js';
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

test('a flag that may stand without a value takes the next word only if it is one', (t) => {
  t.deepEqual(parse('--proxy-protocol'), [['proxyProtocol', '--proxy-protocol', 'auto']]);
  t.deepEqual(parse('--proxy-protocol', 'app.js'), [
    ['proxyProtocol', '--proxy-protocol', 'auto'],
    ['app', 'APP', 'app.js'],
  ]);
  t.deepEqual(parse('--proxy-protocol', '-w', '2').slice(0, 1), [['proxyProtocol', '--proxy-protocol', 'auto']]);
  t.deepEqual(parse('--proxy-protocol', 'v2'), [['proxyProtocol', '--proxy-protocol', 'v2']]);
  t.deepEqual(parse('--proxy-protocol=app.js'), [['proxyProtocol', '--proxy-protocol', 'app.js']]);
});

test('a word after a flag that may stand without a value, and looks like one, is told of with the flag', (t) => {
  const protocol = 'Choose one of off, v1, v2, auto; alone it means auto. An app of that name comes before the flag.';
  for (const word of ['v3', '2', 'on', 'V2', 'true']) {
    t.is(errorOf(['h.cjs', '--proxy-protocol', word]).format(), `--proxy-protocol: no such choice: "${word}"\n  ${protocol}`);
    t.is(errorOf(['--proxy-protocol', word, 'h.cjs'], ' in X').format(), `--proxy-protocol: no such choice: "${word}" in X\n  ${protocol}`);
  }
  t.is(errorOf(['h.cjs', '--proxy-protocol', 'haproxy']).format(), 'unexpected argument "haproxy": the app is "h.cjs" already\n  Arguments for the app come after --. --proxy-protocol takes off, v1, v2, auto; alone it means auto.');
  t.is(errorOf(['--proxy-protocol', 'haproxy', 'h.cjs']).format(), 'unexpected argument "h.cjs": the app is "haproxy" already\n  Arguments for the app come after --. --proxy-protocol takes off, v1, v2, auto; alone it means auto.');
  for (const app of ['app', 'server', './v3', 'v3.js', 'app:v1', 'main.mjs']) t.deepEqual(parse('--proxy-protocol', app).at(-1), ['app', 'APP', app]);
  t.deepEqual(parse('v3', '--proxy-protocol').at(0), ['app', 'APP', 'v3']);

  t.is(errorOf(['a', '--sendfile', 'off']).format(), '--sendfile takes no value after a blank: "off"\n  Write --sendfile=off, or --sendfile alone, or --no-sendfile.');
  t.is(errorOf(['--check-config', 'true', 'a']).format(), '--check-config takes no value after a blank: "true"\n  Write --check-config=true, or --check-config alone.');
  t.deepEqual(parse('--check-config', 'a.js').at(-1), ['app', 'APP', 'a.js']);
  t.notRegex(errorOf(['--check-config', 'a.js', 'b.js']).format(), /takes/);
});

test('a second app', (t) => {
  const error = errorOf(['app.js', 'other.js']);
  t.is(error.code, 'ERR_DROVER_VALUE');
  t.regex(error.format(), /"other\.js".*"app\.js" already\n.*after --/);
  t.is(errorOf(['app.js', '-b', ':80', ':81']).format(), 'unexpected argument ":81": -b takes one address\n  Give it once for each: -b :81');
});

test('a long flag with one dash is no short one with a value', (t) => {
  for (const flag of options.flatMap((option) => longFlags(option))) t.is(errorOf([flag.slice(1), 'x']).format(), `unknown flag ${flag.slice(1)}\n  Did you mean ${flag}?`);
  t.is(errorOf(['-bind=:80']).format(), 'unknown flag -bind\n  Did you mean --bind?');
  t.is(errorOf(['-port', '80']).format(), `unknown flag -port\n  ${hintForFlag('--port', '80')!}`);
  t.is(errorOf(['-port=80']).format(), `unknown flag -port\n  ${hintForFlag('--port', '80')!}`);
  t.deepEqual(parse('-bindings'), [['bind', '-b', 'indings']]);
});

test('unknown flags name the nearest', (t) => {
  t.is(errorOf(['--worker', '4']).format(), 'unknown flag --worker\n  Did you mean --workers?');
  t.is(errorOf(['--bnid=x'], ' in environment variable DROVER_CMD_ARGS').format(), 'unknown flag --bnid in environment variable DROVER_CMD_ARGS\n  Did you mean --bind?');
  t.regex(errorOf(['-Z']).format(), /^unknown flag -Z\n {2}drover --help/);
  t.regex(errorOf(['--certificate']).format(), /^unknown flag --certificate\n {2}drover --help/);
});

test('flags of other servers: what to give instead', (t) => {
  const unknown = (...words: string[]): string => errorOf(words).format();
  const port = 'That is `--bind 127.0.0.1:3000`; for all interfaces `--bind :3000`, or `PORT=3000` in the environment.';
  for (const words of [['--port', '3000'], ['--port=3000'], ['-P3000']]) t.regex(unknown(...words), new RegExp(`^unknown flag (--port|-P)\n {2}${port.replaceAll('.', '\\.')}$`));
  t.regex(unknown('--port'), /--bind 127\.0\.0\.1:PORT/);
  t.regex(unknown('--host', '0.0.0.0'), /`--bind 0\.0\.0\.0:8000`, or `HOST=0\.0\.0\.0`/);
  t.regex(unknown('--host', '::'), /--bind \[::\]:8000/);
  t.is(unknown('-p', '3000'), `-p is --pidfile, and "3000" looks like a port\n  ${port} For a pid file of that name: \`-p ./3000\``);
  t.deepEqual(parse('-p', './3000', '--pidfile', '3000').map(([, flag]) => flag), ['-p', '--pidfile']);
  t.regex(unknown('-i', 'max', 'app.js'), /That is `--workers auto`\.$/);
  t.regex(unknown('-i4'), /That is `--workers 4`\.$/);
  t.regex(unknown('--instances', 'app.js'), /That is `--workers N`\.$/);
  t.regex(unknown('--threads', '4'), /`--workers N`, or `--workers auto`/);
  t.regex(unknown('--daemon'), /foreground.*systemd/);
  t.is(unknown('--exec_mode', 'cluster'), unknown('--exec-mode', 'cluster').replace('exec-mode', 'exec_mode'));
  for (const flag of ['--reload', '--watch']) t.regex(unknown(flag), /HUP.*`node --watch`/);
  t.regex(unknown('--require', './x.js'), /`--node-args "--require \.\/x\.js"`/);
  t.regex(unknown('--cert', 'a.pem'), /That is `--certfile a\.pem`\.$/);
  t.regex(unknown('--cert', "it's mine.pem"), /That is `--certfile 'it'\\''s mine\.pem'`\.$/, 'as a shell takes it for one word');
  t.regex(unknown('--kill-timeout', '1600'), /--graceful-timeout/);
  t.regex(errorOf(['--port', '80'], ' in environment variable DROVER_CMD_ARGS').message, /^unknown flag --port in environment variable DROVER_CMD_ARGS$/);
});

test('what is said of flags of other servers names flags that there are, and none of them is ours', (t) => {
  const ours = new Set(options.flatMap((option) => [...longFlags(option), ...(option.short === undefined ? [] : [`-${option.short}`])]));
  const others = new Set(['--watch', '--user', '--max-old-space-size', '--inspect', '--require', '--import', '--env-file']);
  for (const flag of foreignFlags) {
    t.false(ours.has(flag), flag);
    t.regex(hintForFlag(flag, 'x')!.replace(/`[^`]+`/g, ''), /^[^`]*$/, flag);
    t.notRegex(hintForFlag(flag, 'x')!.replace(/`[^`]+`|\(--user\)/g, ''), /--[a-z]/, `${flag}: what is to be typed is in backticks`);
    for (const value of [undefined, '3']) for (const [named] of hintForFlag(flag, value)!.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)) t.true(ours.has(named) || others.has(named), `${flag}: ${named}`);
  }
});

test('no two options share a flag, and no flag reads as a negation', (t) => {
  const flags = options.flatMap((option) => [option.name, ...(option.aliases ?? [])].concat(option.short === undefined ? [] : [`-${option.short}`]));
  t.is(new Set(flags).size, flags.length);
  for (const option of options) t.false(option.name.startsWith('no') && /^no[A-Z]/.test(option.name), option.name);
});

test('a value with backticks or control characters in what to type instead: it can be told from the sentence, and typed', (t) => {
  for (const value of ['A=x`y', 'A=``x`', 'A=x\ty\nz', 'A=\u001b[31mred', 'A=\u007f\u009b', "A=it's\r`"]) {
    const hint = hintForFlag('--raw-env', value)!;
    t.notRegex(hint, /[\0-\x1f\x7f-\x9f]/);
    const [, fence, typed] = /^That is (`+)--env (.+)\1\.$/.exec(hint) ?? [];
    t.false(typed!.includes(fence!), hint);
    t.is(execFileSync('bash', ['-c', `printf %s ${typed}`], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } }), value, hint);
  }
  t.is(hintForFlag('--env-file', 'a\tb'), 'That is `--node-args "--env-file FILE"`.');
});
