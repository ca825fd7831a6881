/** The real CLI, as far as it does not serve: help, version, the config printed, and every kind of bad input. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { options, longFlags } from '../../src/config/options.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CLI = join(ROOT, 'dist/cli/main.cjs');

function tree(t: ExecutionContext, files: Record<string, string> = {}): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-cli-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function drover(cwd: string, args: string[], env: Record<string, string> = {}, uid?: number): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    timeout: 60_000,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return { code: status, stdout, stderr };
}

/** A mistake of the user's: exit code 2, nothing on stdout, these two lines (or one) on stderr. */
function mistake(t: ExecutionContext, outcome: Outcome, first: string | RegExp, second?: string | RegExp): void {
  t.is(outcome.code, 2, outcome.stderr);
  t.is(outcome.stdout, '');
  const lines = outcome.stderr.replace(/\n$/, '').split('\n');
  t.is(lines.length, second === undefined ? 1 : 2, outcome.stderr);
  const check = (line: string, expected: string | RegExp): void => void (typeof expected === 'string' ? t.is(line, expected) : t.regex(line, expected));
  check(lines[0]!, first);
  if (second !== undefined) check(lines[1]!, second);
}

test('--help and -h', (t) => {
  const { code, stdout, stderr } = drover(tree(t), ['--help']);
  t.is(code, 0);
  t.is(stderr, '');
  t.true(stdout.startsWith('usage: drover [OPTIONS] APP [-- ARG...]\n'));
  for (const flag of options.flatMap(longFlags)) t.true(stdout.includes(flag), flag);
  t.is(drover(tree(t), ['-h']).stdout, stdout);
});

test('--help survives a reader that leaves early', (t) => {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', '"$0" "$1" --help | head -c 5; exit 0', process.execPath, CLI], { encoding: 'utf8' });
  t.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'usage', stderr: '' });
});

test('--version and -v', (t) => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  for (const flag of ['--version', '-v']) t.deepEqual(drover(tree(t), [flag]), { code: 0, stdout: `drover ${version} (Node ${process.versions.node})\n`, stderr: '' });
});

test('--print-config: values, sources, hooks; secrets masked', (t) => {
  const cwd = tree(t, { 'drover.config.mjs': 'export default { app: "./app.js", timeout: "1m", env: { TOKEN: "s3cret" }, whenReady() {} };' });
  const { code, stdout, stderr } = drover(cwd, ['--print-config', '-b', 'unix:a b'], { WEB_CONCURRENCY: '3', DROVER_CMD_ARGS: '--backlog 99' });
  t.is(code, 0, stderr);
  const row = (name: string): string[] => stdout.split('\n').find((line) => line.startsWith(`${name} `))!.split(/ {2,}/);
  const file = `(${cwd}/drover.config.mjs)`;
  t.deepEqual(row('app'), ['app', './app.js', file]);
  t.deepEqual(row('timeout'), ['timeout', '1m', file]);
  t.deepEqual(row('env'), ['env', 'TOKEN=***', file]);
  t.deepEqual(row('bind'), ['bind', 'unix:a b', '(flag -b)']);
  t.deepEqual(row('workers'), ['workers', '3', '(environment variable WEB_CONCURRENCY)']);
  t.deepEqual(row('backlog'), ['backlog', '99', '(environment variable DROVER_CMD_ARGS, flag --backlog)']);
  t.deepEqual(row('gracefulTimeout'), ['gracefulTimeout', '30s', '(default)']);
  t.deepEqual(row('config file'), ['config file', `${cwd}/drover.config.mjs`]);
  t.deepEqual(row('hooks'), ['hooks', 'whenReady', file]);
  t.false(stdout.includes('s3cret'));
});

test('the working directory is the one the shell shows, links and all', (t) => {
  const cwd = tree(t, { 'releases/1/x': '' });
  symlinkSync('releases/1', join(cwd, 'current'));
  const chdir = (pwd: string): string => /^chdir +(\S+)/m.exec(drover(join(cwd, 'current'), ['--print-config'], { PWD: pwd }).stdout)![1]!;
  t.is(chdir(join(cwd, 'current')), join(cwd, 'current'));
  t.is(chdir('/'), join(cwd, 'releases/1'));
  t.is(chdir('current'), join(cwd, 'releases/1'));
  t.is(chdir(join(cwd, 'nope')), join(cwd, 'releases/1'));
});

test('unknown flag', (t) => {
  mistake(t, drover(tree(t), ['app.js', '--worker', '4']), 'drover: unknown flag --worker', '  Did you mean --workers?');
  mistake(t, drover(tree(t), ['app.js', '--certificate', 'x']), 'drover: unknown flag --certificate', /--help/);
});

test('value out of bounds', (t) => {
  mistake(t, drover(tree(t), ['app.js', '-w', '0']), 'drover: --workers: out of bounds: "0" (flag -w)', '  Give a whole number from 1 to 256, or auto.');
  mistake(t, drover(tree(t), ['app.js'], { WEB_CONCURRENCY: '1000' }), 'drover: --workers: out of bounds: "1000" (environment variable WEB_CONCURRENCY)', /1 to 256/);
});

test('a value that is missing', (t) => {
  mistake(t, drover(tree(t), ['app.js', '-w']), 'drover: -w needs a value', /^ {2}Write -w N\|auto: /);
});

test('no app', (t) => {
  mistake(t, drover(tree(t), []), 'drover: no app given', /^ {2}usage: drover \[OPTIONS\] APP \[-- ARG\.\.\.\]/);
});

const BROKEN: Record<string, string> = {
  'drover.config.mjs': 'export default {\n  workers: 2,,\n};\n',
  'drover.config.js': 'export default {\n  workers: 2,,\n};\n',
  'drover.config.cjs': 'module.exports = {\n  workers: 2,,\n};\n',
  'drover.config.ts': 'export default {\n  workers: 2,,\n};\n',
  'drover.config.mts': 'export default {\n  workers: 2,,\n};\n',
  'drover.config.json': '{\n  "wrk": 2 , ,\n}\n',
};

for (const [name, text] of Object.entries(BROKEN)) {
  test(`syntax error in ${name}`, (t) => {
    const cwd = tree(t, { [name]: text });
    const { code, stdout, stderr } = drover(cwd, ['app.js']);
    t.is(code, 2);
    t.is(stdout, '');
    // Node itself may warn of an ES module in a .js file.
    const lines = stderr.split('\n').filter((line) => !/^\(node:\d+\)|^Reparsing|^To eliminate|^\(Use `/.test(line));
    t.true(lines[0]!.startsWith(`drover: config file ${cwd}/${name}:2:14: `), stderr);
    t.is(lines.length, 3, stderr);
  });
}

test('a config file that throws', (t) => {
  const cwd = tree(t, { 'drover.config.mjs': 'export default () => {\n  throw new Error("boom");\n};\n' });
  mistake(t, drover(cwd, ['app.js']), `drover: config file ${cwd}/drover.config.mjs:2:9: Error: boom`, /Correct the file/);
});

test('a working directory that is gone, and a PWD that cannot be looked at', (t) => {
  const cwd = tree(t, { 'gone/.keep': '' });
  const { status, stdout, stderr } = spawnSync('sh', ['-c', 'cd gone && rm -r ../gone && exec "$@"', 'sh', process.execPath, CLI, 'app.js'], { cwd, encoding: 'utf8' });
  mistake(t, { code: status, stdout, stderr }, 'drover: the working directory is gone (ENOENT)', /Start drover in a directory that exists/);
  for (const flag of ['--help', '--version']) t.is(spawnSync('sh', ['-c', 'mkdir gone && cd gone && rm -r ../gone && exec "$@"', 'sh', process.execPath, CLI, flag], { cwd, encoding: 'utf8' }).stdout, drover(cwd, [flag]).stdout);
  symlinkSync('loop', join(cwd, 'loop'));
  t.regex(drover(cwd, ['app.js', '--print-config'], { PWD: join(cwd, 'loop/x') }).stdout, /^app +app\.js /);
});

(process.getuid?.() === 0 ? test : test.skip)('a working directory that the user may not enter', (t) => {
  const cwd = tree(t, { 'closed/.keep': '' });
  chmodSync(cwd, 0o755);
  chmodSync(join(cwd, 'closed'), 0o700);
  const user = ['--reuid=65532', '--regid=65532', '--clear-groups', process.execPath, CLI];
  const inside = spawnSync('setpriv', [...user, 'app.js'], { cwd: join(cwd, 'closed'), encoding: 'utf8' });
  mistake(t, { code: inside.status, stdout: inside.stdout, stderr: inside.stderr }, /^drover: --chdir: this user may not enter that directory \(EACCES\)/, /Give one with --chdir/);
  t.is(spawnSync('setpriv', [...user, '--version'], { cwd: join(cwd, 'closed') }).status, 0);
});

test('unknown key', (t) => {
  const cwd = tree(t, { 'drover.config.json': '{ "worker": 2 }' });
  mistake(t, drover(cwd, ['app.js']), `drover: ${cwd}/drover.config.json: unknown option "worker"`, '  Did you mean workers?');
});

test('missing config file', (t) => {
  const cwd = tree(t);
  mistake(t, drover(cwd, ['app.js', '-c', 'nope.js']), `drover: config file ${cwd}/nope.js: no such file (flag -c)`, /Give the path/);
  mistake(t, drover(cwd, ['app.js'], { DROVER_CMD_ARGS: '--config=nope.js' }), `drover: config file ${cwd}/nope.js: no such file (environment variable DROVER_CMD_ARGS, flag --config)`, /Give the path/);
});

test('unreadable config file', (t) => {
  const cwd = tree(t, { 'drover.config.json': '{}' });
  mistake(t, drover(cwd, ['app.js', '-c', '.']), `drover: config file ${cwd}: is a directory (flag -c)`, /Give the path/);
  chmodSync(cwd, 0o755);
  chmodSync(join(cwd, 'drover.config.json'), 0);
  // root may read everything, so it has to be somebody else.
  const nobody = process.getuid!() === 0 ? 65534 : undefined;
  mistake(t, drover(cwd, ['app.js'], {}, nobody), `drover: config file ${cwd}/drover.config.json: may not be read (EACCES)`, /^ {2}Mend that, or rename it if it is not for drover\.$/);
});

test('a directory that is not there', (t) => {
  const cwd = tree(t);
  mistake(t, drover(cwd, ['app.js', '--chdir', 'nope']), `drover: --chdir: no such directory: "${cwd}/nope" (flag --chdir)`, /Give a directory/);
});

test('--check-config: the options and the app, without serving', (t) => {
  const cwd = tree(t, { 'app/app.mjs': 'export default (req, res) => res.end();', 'app/broken.mjs': 'throw new Error("boom");' });
  t.deepEqual(drover(cwd, ['--check-config', '--chdir', 'app', './app.mjs']), { code: 0, stdout: 'the options are right and ./app.mjs loads\n', stderr: '' });
  const missing = drover(cwd, ['--check-config', './nope.mjs']);
  t.is(missing.code, 4, missing.stderr);
  t.regex(missing.stderr, /^drover: .*nope\.mjs/);
  const broken = drover(cwd, ['--check-config', './app/broken.mjs']);
  t.is(broken.code, 3, broken.stderr);
  t.regex(broken.stderr, /boom/);
  t.regex(broken.stderr, /\n {6}at .*broken\.mjs:1:7\n$/, 'the stack of the app, and nothing of drover or Node');
});
