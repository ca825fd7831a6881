import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { grantedCpus } from '../../src/config/cpus.js';
import { edgeConfig } from '../../src/config/edge-config.js';
import { loadConfig, type LoadedConfig } from '../../src/config/load.js';
import { changedOptions, reloadable } from '../../src/config/reload.js';
import { workerConfig } from '../../src/config/worker-config.js';
import { DroverError } from '../../src/errors.js';
import { makeCertificate } from '../helpers/certificates.js';

/** A directory with these files. */
function tree(t: ExecutionContext, files: Record<string, string> = {}): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-load-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

function load(cwd: string, argv: string[], env: Record<string, string> = {}): Promise<LoadedConfig> {
  return loadConfig({ argv, env, cwd });
}

async function errorOf(loading: Promise<LoadedConfig>): Promise<DroverError> {
  try {
    await loading;
  } catch (error) {
    if (error instanceof DroverError) return error;
    throw error;
  }
  throw new Error('accepted');
}

const CONFIG = 'drover.config.json';

test('precedence: default, file, environment, DROVER_CMD_ARGS, flags', async (t) => {
  const bare = tree(t);
  const cwd = tree(t, { [CONFIG]: '{"workers": 3}' });
  const env = { WEB_CONCURRENCY: '2' };
  const args = { ...env, DROVER_CMD_ARGS: '-w 4' };
  const workers = async (loading: Promise<LoadedConfig>): Promise<unknown[]> => {
    const { config, sources } = await loading;
    return [config.workers, sources.workers];
  };
  t.deepEqual(await workers(load(bare, ['a'])), [1, { source: 'default', where: 'default', raw: undefined }]);
  t.deepEqual(await workers(load(bare, ['a'], env)), [2, { source: 'environment', where: 'environment variable WEB_CONCURRENCY', raw: '2' }]);
  t.deepEqual(await workers(load(cwd, ['a'], env)), [2, { source: 'environment', where: 'environment variable WEB_CONCURRENCY', raw: '2' }]);
  t.deepEqual(await workers(load(cwd, ['a'])), [3, { source: 'file', where: join(cwd, CONFIG), raw: 3 }]);
  t.deepEqual(await workers(load(cwd, ['a'], args)), [4, { source: 'DROVER_CMD_ARGS', where: 'environment variable DROVER_CMD_ARGS, flag -w', raw: '4' }]);
  t.deepEqual(await workers(load(cwd, ['a', '--workers=5'], args)), [5, { source: 'flag', where: 'flag --workers', raw: '5' }]);
});

test('of a repeated flag the last wins; only the value that wins is judged', async (t) => {
  const cwd = tree(t);
  t.is((await load(cwd, ['a', '-w2', '--workers', '3'])).config.workers, 3);
  t.is((await load(cwd, ['a', '-w3'], { WEB_CONCURRENCY: 'nonsense' })).config.workers, 3);
});

test('--check-config tells of wrong values that a stronger source covers', async (t) => {
  const cwd = tree(t, { [CONFIG]: '{"workers": "many", "timeout": "10s", "env": {"A": "1"}, "bind": "nowhere:at:all"}' });
  const file = join(cwd, CONFIG);
  const covered = async (argv: string[]): Promise<readonly string[]> => (await load(cwd, ['a', '-w3', '-b', ':81', '-e', 'B=2', ...argv], { WEB_CONCURRENCY: 'some', DROVER_CMD_ARGS: '--timeout=soon' })).covered;
  const [bind, ...others] = await covered(['--timeout=5s', '--check-config']);
  t.regex(bind!, /^bind: .*: "nowhere:at:all" \(.*\), which does nothing while flag -b gives another$/);
  t.deepEqual(others, [
    `workers: not a whole number: "many" (${file}), which does nothing while flag -w gives another`,
    '--workers: not a whole number: "some" (environment variable WEB_CONCURRENCY), which does nothing while flag -w gives another',
    '--timeout: not a duration: "soon" (environment variable DROVER_CMD_ARGS, flag --timeout), which does nothing while flag --timeout gives another',
  ]);
  t.deepEqual(await covered(['--timeout=5s']), [], 'not for serving');
  const right = tree(t, { [CONFIG]: '{"workers": 2}' });
  t.deepEqual((await load(right, ['a', '-w3', '--check-config'])).covered, []);
  t.is((await errorOf(load(cwd, ['a', '-b', ':81', '--check-config']))).code, 'ERR_DROVER_VALUE', 'what is not covered is an error');
});

test('--check-config tells of a wrong PORT or HOST that --bind covers', async (t) => {
  const cwd = tree(t);
  const covered = async (argv: string[], env: Record<string, string>): Promise<readonly string[]> => (await load(cwd, ['a', '--check-config', ...argv], env)).covered;
  t.deepEqual(await covered(['-b', ':81'], { PORT: 'abc', HOST: '127.0.0.1' }), ['environment variable PORT: not a port (0 to 65535): abc, which does nothing while flag -b gives --bind']);
  const [host, ...others] = await covered(['-b', ':81', '--env', 'HOST=no host'], { PORT: '8000' });
  t.regex(host!, /^environment variable HOST: .*no host.*, which does nothing while flag -b gives --bind$/);
  t.deepEqual(others, []);
  t.deepEqual(await covered(['-b', ':81'], { PORT: '8000', HOST: 'localhost' }), []);
  t.deepEqual(await covered([], { PORT: '8000' }), []);
  t.is((await errorOf(load(cwd, ['a', '--check-config'], { PORT: 'abc' }))).message, 'environment variable PORT: not a port (0 to 65535): abc');
});

test('--check-config tells of covered paths where nothing is', async (t) => {
  const cwd = tree(t, { 'public/index.html': '', [CONFIG]: '{"chdir": "gone", "static": {"/": "files"}, "sendfileRoot": "sent", "certfile": "cert.pem", "pidfile": "run/pid"}' });
  const file = join(cwd, CONFIG);
  const { cert, key } = makeCertificate(cwd, 'localhost');
  const { covered } = await load(cwd, ['a', '--check-config', '--chdir', 'public', '--static', '/=.', '--sendfile-root', '.', '--pidfile', 'pid', '-b', ':81', '--certfile', cert, '--keyfile', key], {});
  t.deepEqual(covered, [
    `chdir: no such directory: "${join(cwd, 'gone')}" (${file}), which does nothing while flag --chdir gives another`,
    `static: no such directory: "${join(cwd, 'public/files')}" (${file}), which does nothing while flag --static gives another`,
    `sendfileRoot: no such directory: "${join(cwd, 'public/sent')}" (${file}), which does nothing while flag --sendfile-root gives another`,
    `certfile: no such file: "${join(cwd, 'public/cert.pem')}" (${file}), which does nothing while flag --certfile gives another`,
  ]);
});

test('--bind adds up over flags, and a higher source takes the place of a lower', async (t) => {
  const cwd = tree(t, { [CONFIG]: '{"bind": ["unix:a", 81]}' });
  t.deepEqual((await load(cwd, ['a'])).config.bind, [{ kind: 'unix', path: 'a' }, { kind: 'tcp', host: '127.0.0.1', port: 81 }]);
  t.deepEqual((await load(cwd, ['a', '-b', ':82', '--bind=fd://3'])).config.bind, [{ kind: 'tcp', host: '0.0.0.0', port: 82 }, { kind: 'fd', fd: 3 }]);
});

test('bind: one address given twice is refused, port 0 is not', async (t) => {
  const cwd = tree(t);
  t.regex((await errorOf(load(cwd, ['a', '-b', '81', '-b', '127.0.0.1:81']))).format(), /--bind: the same address as "81": "127\.0\.0\.1:81"/);
  t.regex((await errorOf(load(cwd, ['a', '-b', '81', '-b', '81']))).format(), /--bind: given twice: "81"/);
  t.is((await load(cwd, ['a', '-b', ':0', '-b', ':0'])).config.bind.length, 2);
});

test('--env with a name of PM2’s environments: what is to be set', async (t) => {
  const error = await t.throwsAsync(load(tree(t), ['a', '-e', 'production']), { instanceOf: DroverError });
  t.regex(error.format(), /not of the form NAME=VALUE.*\n.* PM2's --env production is NODE_ENV=production\.$/);
});

test('bind: the bad one of several is named', async (t) => {
  t.regex((await errorOf(load(tree(t), ['a', '-b', ':81', '-b', ':x']))).format(), /not a port .*: x: ":x" \(flag -b\)/);
});

test('sockets that a supervisor hands over are --bind, where nobody gives one', async (t) => {
  const cwd = tree(t);
  const ours = { LISTEN_PID: String(process.pid), LISTEN_FDS: '2', PORT: '81' };
  const handed = await load(cwd, ['a'], ours);
  t.deepEqual(handed.config.bind, [{ kind: 'fd', fd: 3 }, { kind: 'fd', fd: 4 }]);
  t.deepEqual([handed.bindGiven, handed.sources.bind.where], [true, 'environment variable LISTEN_FDS']);
  const named = tree(t, { [CONFIG]: '{"bind": ":82"}' });
  t.is((await load(named, ['a'], ours)).sources.bind.where, join(named, CONFIG));
  t.is((await load(cwd, ['a', '-b', ':82'], ours)).sources.bind.where, 'flag -b');
  // What nobody serves then is told.
  t.deepEqual(handed.unusedSockets, []);
  t.deepEqual((await load(named, ['a'], ours)).unusedSockets, ['fd://3', 'fd://4']);
  t.deepEqual((await load(cwd, ['a', '-b', ':82', '-b', 'fd://4'], ours)).unusedSockets, ['fd://3']);
  t.deepEqual((await load(cwd, ['a', '-b', ':82'], { ...ours, LISTEN_PID: '1' })).unusedSockets, []);
  // Another process's, that came with the environment; none.
  for (const env of [{ LISTEN_PID: String(process.ppid), LISTEN_FDS: '2' }, { LISTEN_FDS: '2' }, { LISTEN_PID: String(process.pid), LISTEN_FDS: '0' }, { LISTEN_PID: String(process.pid), LISTEN_FDS: '' }]) {
    t.false((await load(cwd, ['a'], env)).bindGiven, JSON.stringify(env));
  }
  for (const count of ['-1', 'two', '99999']) t.regex((await errorOf(load(cwd, ['a'], { ...ours, LISTEN_FDS: count }))).message, /^environment variable LISTEN_FDS: /, count);
});

test('HOST and PORT change the default of bind, and are not a --bind', async (t) => {
  const cwd = tree(t);
  const bind = async (env: Record<string, string>, argv: string[] = []): Promise<unknown[]> => {
    const { config, bindGiven, sources } = await load(cwd, ['a', ...argv], env);
    return [config.bind, bindGiven, sources.bind.where];
  };
  const tcp = (host: string, port: number): object[] => [{ kind: 'tcp', host, port }];
  t.deepEqual(await bind({}), [tcp('127.0.0.1', 8000), false, 'default']);
  t.deepEqual(await bind({ PORT: '81' }), [tcp('0.0.0.0', 81), false, 'environment variable PORT']);
  t.deepEqual(await bind({ HOST: '::1' }), [tcp('::1', 8000), false, 'environment variable HOST']);
  t.deepEqual(await bind({ HOST: 'localhost', PORT: '81' }), [tcp('localhost', 81), false, 'environment variables HOST and PORT']);
  t.deepEqual(await bind({ HOST: '', PORT: '' }), [tcp('127.0.0.1', 8000), false, 'default']);
  t.deepEqual(await bind({ PORT: '81' }, ['-e', 'PORT=82']), [tcp('0.0.0.0', 82), false, 'environment variable PORT'], 'those of --env, too');
  t.deepEqual(await bind({ HOST: 'localhost', PORT: '81' }, ['-b', ':82']), [tcp('0.0.0.0', 82), true, 'flag -b']);
  t.true(((await bind({ DROVER_CMD_ARGS: '-b :83' })) as [unknown, boolean])[1]);
  t.true((await load(tree(t, { [CONFIG]: '{"bind": 84}' }), ['a'])).bindGiven);
});

test('a wrong HOST or PORT is an error where it is needed', async (t) => {
  const cwd = tree(t);
  t.regex((await errorOf(load(cwd, ['a'], { PORT: 'http' }))).format(), /^environment variable PORT: not a port .*http\n {2}.*--bind/);
  t.regex((await errorOf(load(cwd, ['a'], { HOST: 'a b' }))).format(), /^environment variable HOST: not a host name: a b\n {2}.*--bind/);
  await t.notThrowsAsync(load(cwd, ['a', '-b', ':82'], { PORT: 'http' }));
  t.regex((await errorOf(load(cwd, ['a', '-e', 'PORT=http']))).format(), /^environment variable PORT: not a port .*http\n/);
  await t.notThrowsAsync(load(cwd, ['--help'], { PORT: 'http' }));
});

test('env adds up over all sources', async (t) => {
  const cwd = tree(t, { [CONFIG]: '{"env": {"A": "file", "B": "file", "C": "file"}}' });
  const { config } = await load(cwd, ['a', '-e', 'C=flag', '--env=D=1=2'], { DROVER_CMD_ARGS: '-e B=args -e C=args' });
  t.deepEqual(config.env, { A: 'file', B: 'args', C: 'flag', D: '1=2' });
});

test('env: numbers and booleans are written out, and what is null is not there', async (t) => {
  t.deepEqual((await load(tree(t, { [CONFIG]: '{"env": {"PORT": 3000, "DEBUG": true, "NONE": null}}' }), ['a'])).config.env, { PORT: '3000', DEBUG: 'true' });
});

test('an error about env shows no value of a variable', async (t) => {
  const cwd = tree(t, { [CONFIG]: '{"env": {"TOKEN": "s3cret", "PORT": []}}' });
  const error = await errorOf(load(cwd, ['a']));
  t.regex(error.format(), /^env: the value is not a text but an object: "PORT"/);
  t.false(error.format().includes('s3cret'));
  t.false((await errorOf(load(tree(t), ['a', '-e', 'TOKEN=s3cret', '-e', 'B']))).format().includes('s3cret'));
});

test('workers auto is what the cgroup grants', async (t) => {
  const { config, sources } = await load(tree(t), ['a'], { WEB_CONCURRENCY: 'auto' });
  t.is(config.workers, grantedCpus());
  t.is(sources.workers.raw, 'auto');
});

test('durations: numbers are seconds', async (t) => {
  const of = async (timeout: unknown): Promise<number> => (await load(tree(t, { [CONFIG]: JSON.stringify({ timeout }) }), ['a'])).config.timeoutMs;
  t.is(await of(2), 2000);
  t.is(await of(2.5), 2500);
  t.is(await of('2'), 2000);
  t.is(await of('1500ms'), 1500);
  t.is(await of('1.5 s'), 1500);
  t.is(await of('2m'), 120_000);
  t.is(await of('1h'), 3_600_000);
  t.is(await of(0), 0);
});

test('paths are relative to --chdir, which is relative to where drover is started', async (t) => {
  const cwd = tree(t, { 'app/x': '', 'etc/c.json': '{"pidfile": "run/pid", "logFile": "-", "bind": "unix:run/sock"}' });
  const { config, configFile } = await load(cwd, ['a', '--chdir', 'app', '-c', 'etc/c.json', '--worker-tmp-dir', '/tmp']);
  t.is(configFile, join(cwd, 'etc/c.json'));
  t.is(config.chdir, join(cwd, 'app'));
  t.is(config.pidfile, join(cwd, 'app/run/pid'));
  t.is(config.logFile, '-');
  t.is(config.workerTmpDir, '/tmp');
  t.deepEqual(config.bind, [{ kind: 'unix', path: 'run/sock' }]);
});

test('--chdir: missing, or no directory', async (t) => {
  const cwd = tree(t, { file: '' });
  t.regex((await errorOf(load(cwd, ['a', '--chdir', 'nope']))).format(), /^--chdir: no such directory: ".*\/nope" \(flag --chdir\)\n/);
  t.regex((await errorOf(load(cwd, ['a', '--chdir', 'file']))).format(), /^--chdir: not a directory: ".*\/file" \(flag --chdir\)\n/);
});

test('the app may be in the file; its name is the default of --name', async (t) => {
  const cwd = tree(t, { [CONFIG]: '{"app": "./app.js", "appArgs": ["x"]}' });
  const fromFile = await load(cwd, []);
  t.like(fromFile.config, { app: './app.js', name: './app.js' });
  t.deepEqual(fromFile.config.appArgs, ['x']);
  const fromLine = await load(cwd, ['other.js', '-n', 'shop', '--', 'y', '--z']);
  t.like(fromLine.config, { app: 'other.js', name: 'shop' });
  t.deepEqual(fromLine.config.appArgs, ['y', '--z']);
});

test('no app', async (t) => {
  const cwd = tree(t);
  for (const argv of [[], ['--check-config'], ['-w', '2']]) {
    const error = await errorOf(load(cwd, argv));
    t.is(error.code, 'ERR_DROVER_NO_APP');
    t.regex(error.format(), /usage: drover \[OPTIONS\] APP/);
  }
  for (const argv of [['--help'], ['--version'], ['--print-config']]) t.is((await load(cwd, argv)).config.app, '');
});

test('actions: the strongest wins, and --help and --version need nothing to be right', async (t) => {
  const cwd = tree(t, { [CONFIG]: 'nonsense' });
  const good = tree(t);
  t.is((await load(good, ['a'])).action, 'serve');
  t.is((await load(good, ['a', '--check-config'])).action, 'checkConfig');
  t.like(await load(good, ['a', '--check-config', '--print-config']), { action: 'checkConfig', prints: true });
  t.is((await load(good, ['a', '--check-config', '--no-check-config'])).action, 'serve');
  t.is((await load(good, ['a'], { DROVER_CMD_ARGS: '--check-config' })).action, 'checkConfig');
  t.is((await load(good, ['a', '--no-check-config'], { DROVER_CMD_ARGS: '--check-config' })).action, 'serve');
  t.is((await load(cwd, ['--print-config', '-v', '-w', 'x'], { WEB_CONCURRENCY: 'x' })).action, 'version');
  t.is((await load(cwd, ['-v', '-h'])).action, 'help');
});

test('DROVER_CMD_ARGS: quoting, and mistakes that name it', async (t) => {
  const cwd = tree(t);
  t.is((await load(cwd, ['a'], { DROVER_CMD_ARGS: `-n 'my shop'` })).config.name, 'my shop');
  t.regex((await errorOf(load(cwd, ['a'], { DROVER_CMD_ARGS: `-n 'my` }))).format(), /environment variable DROVER_CMD_ARGS: a ' is not closed/);
  t.is((await errorOf(load(cwd, ['a'], { DROVER_CMD_ARGS: '--worker 2' }))).format(), 'unknown flag --worker in environment variable DROVER_CMD_ARGS\n  Did you mean --workers?');
});

test('unknown keys name the nearest option or hook', async (t) => {
  const of = async (key: string): Promise<string> => (await errorOf(load(tree(t, { [CONFIG]: JSON.stringify({ [key]: 1 }) }), ['a']))).format();
  t.regex(await of('worker'), /drover\.config\.json: unknown option "worker"\n {2}Did you mean workers\?/);
  t.regex(await of('max_requests'), /Did you mean maxRequests\?/);
  t.regex(await of('whenready'), /Did you mean whenReady\?/);
  t.regex(await of('worker_int'), /Did you mean workerInt\?/);
  t.regex(await of('certificate'), /camelCase/);
});

test('functions under names that are no hooks: the hook that is meant', async (t) => {
  const of = async (key: string): Promise<string> => (await errorOf(load(tree(t, { 'drover.config.mjs': `export default { ${key}() {} };` }), ['a']))).format();
  t.regex(await of('onReady'), /drover\.config\.mjs: unknown hook "onReady"\n {2}Did you mean the hook whenReady\(server\)\? The full number of workers is ready/);
  for (const [key, hook] of [['on_starting', 'onStarting'], ['whenready', 'whenReady'], ['when_redy', 'whenReady'], ['post_fork', 'postSpawn'], ['pre_fork', 'preSpawn'], ['onWorkerBoot', 'postSpawn'], ['onShutdown', 'onExit']] as const) t.true((await of(key)).includes(`Did you mean the hook ${hook}(`), key);
  t.regex(await of('certificate'), /No option is a function; the hooks are onStarting, .*, onExit\.$/);
});

test('keys that others have say what to give instead', async (t) => {
  t.regex((await errorOf(load(tree(t, { [CONFIG]: '{"port": 3000}' }), ['a']))).format(), /unknown option "port"\n {2}That is `bind: "127\.0\.0\.1:3000"`; for all interfaces `bind: ":3000"`, or `PORT=3000` in the environment\.$/);
  t.regex((await errorOf(load(tree(t, { [CONFIG]: '{"instances": "max"}' }), ['a']))).format(), /unknown option "instances"\n {2}That is `workers: "auto"`\.$/);
  t.regex((await errorOf(load(tree(t, { [CONFIG]: '{"instances": 4}' }), ['a']))).format(), /That is `workers: 4`\.$/);
  for (const [value, shown] of [['A=x`y', '``env: { "A": "x`y" }``'], ['A=\t\u001b[31m', '`env: { "A": "\\t\\u001b[31m" }`'], ['A=\u009b1m', '`env: { "A": "\\u009b1m" }`']] as const) {
    t.is((await errorOf(load(tree(t, { [CONFIG]: JSON.stringify({ raw_env: value }) }), ['a']))).remedy, `That is ${shown}.`);
  }
  t.regex((await errorOf(load(tree(t, { [CONFIG]: '{"killTimeout": 1600}' }), ['a']))).format(), /That is `gracefulTimeout: TIME`/);
  t.regex((await errorOf(load(tree(t, { [CONFIG]: '{"proc_name": "SHOP"}' }), ['a']))).format(), /That is `name: "SHOP"`\.$/);
  t.regex((await errorOf(load(tree(t, { [CONFIG]: '{"raw_env": ["A=B"]}' }), ['a']))).format(), /That is `env: \{ "NAME": "VALUE" \}`\.$/);
  const of = async (key: string): Promise<string> => (await errorOf(load(tree(t, { [CONFIG]: JSON.stringify({ [key]: 'x' }) }), ['a']))).format();
  for (const [key, remedy] of [['proc_name', '`name: "x"`'], ['interpreter_args', '`nodeArgs: "x"`'], ['accesslog', '`accessLogfile: "x"`'], ['errorlog', '`logFile: "x"`'], ['verbose', '`logLevel: "debug"`'], ['watch', '`node --watch`'], ['wsgi_app', '`app`'], ['preload_app', 'cannot be forked'], ['max_memory_restart', '`nodeArgs: "--max-old-space-size=MiB"`'], ['kill_timeout', '`gracefulTimeout: TIME`'], ['apps', 'at the top']] as const) {
    t.true((await of(key)).includes(remedy), key);
  }
});

test('no app: a config file in the directory of --chdir is named, as it is not looked for there', async (t) => {
  const cwd = tree(t, { 'my app/drover.config.json': '{"app": "a.js"}', 'bare/drover.config.yaml': '', 'none/x': '' });
  const { remedy } = await errorOf(load(cwd, ['--chdir', 'my app']));
  t.is(remedy, "The config file is looked for where drover is started, not in the directory of --chdir: give `-c 'my app/drover.config.json'`, or APP.");
  t.is((await load(cwd, ['--chdir', 'my app', '-c', 'my app/drover.config.json'])).config.app, 'a.js');
  t.regex((await errorOf(load(cwd, ['--chdir', 'bare']))).remedy!, /^usage: /);
  t.true((await errorOf(load(join(cwd, 'none'), ['--chdir', '../my app']))).remedy!.includes(`\`-c '${cwd}/my app/drover.config.json'\``));
});

test('undefined and null in a file are as if not there', async (t) => {
  const cwd = tree(t, { 'drover.config.mjs': 'export default { workers: undefined, pidfile: null, onExit: undefined };' });
  const { config, sources, hooks } = await load(cwd, ['a']);
  t.is(config.workers, 1);
  t.is(sources.pidfile.source, 'default');
  t.deepEqual(hooks, {});
});

test('what is loaded is frozen', async (t) => {
  const loaded = await load(tree(t), ['a', '-b', ':1', '-e', 'A=B']);
  for (const value of [loaded, loaded.config, loaded.config.bind, loaded.config.bind[0], loaded.config.env, loaded.sources, loaded.hooks]) t.true(Object.isFrozen(value));
});

test('sync is one request at a time, and no other number', async (t) => {
  const directory = tree(t);
  t.is(workerConfig(await load(directory, ['a.js', '-k', 'sync'])).workerConcurrency, 1);
  t.is(workerConfig(await load(directory, ['a.js', '-k', 'sync', '--worker-concurrency', '1'])).workerConcurrency, 1);
  await t.throwsAsync(load(directory, ['a.js', '-k', 'sync', '--worker-concurrency', '2']), { code: 'ERR_DROVER_VALUE', message: /--worker-concurrency.*2 \(flag --worker-concurrency\)/ });
});

test('workerConfig: where the address that drover chooses for an app is from', async (t) => {
  const placeOf = async (env: Record<string, string>, ...argv: string[]): Promise<object> => workerConfig(await load(tree(t, {}), ['a.js', ...argv], env)).place;
  t.deepEqual(await placeOf({}), { host: '127.0.0.1', port: 8000, source: 'default of --bind' });
  t.deepEqual(await placeOf({ PORT: '81' }), { host: '0.0.0.0', port: 81, source: 'environment variable PORT' });
  t.deepEqual(await placeOf({ PORT: '81' }, '--env', 'HOST=::1'), { host: '::1', port: 81, source: 'environment variables HOST and PORT' });
});

test('workerConfig: plain data; the config file only where a worker has hooks to load', async (t) => {
  const without = tree(t, { 'drover.config.mjs': 'export default { whenReady() {} };' });
  const withHook = tree(t, { 'drover.config.mjs': 'export default { workerExit() {} };' });
  const argv = ['a.js', '-t', '3', '--graceful-timeout', '4', '--max-requests', '5', '--max-requests-jitter', '6', '--backlog', '7', '--worker-connections', '9', '--worker-concurrency', '10', '-b', ':8', '--accept-strategy', 'shared', '--', 'x'];
  const loaded = await load(without, argv);
  const config = workerConfig(loaded, '/reports');
  t.deepEqual(config, {
    app: 'a.js',
    appArgs: ['x'],
    cwd: without,
    place: { host: '127.0.0.1', port: 8000, source: 'default of --bind' },
    name: 'a.js',
    bindGiven: true,
    acceptStrategy: 'shared',
    acceptPermits: 2,
    backlog: 7,
    proxyProtocol: 'off',
    proxyAllowFrom: ['127.0.0.1', '::1'],
    proxyTimeoutMs: 3000,
    workerClass: 'http',
    workerConnections: 9,
    workerConcurrency: 10,
    maxRequests: 5,
    maxRequestsJitter: 6,
    bootTimeoutMs: 60_000,
    timeoutMs: 3000,
    gracefulTimeoutMs: 4000,
    edge: edgeConfig(loaded.config),
    configFile: null,
    reportDir: '/reports',
    logFile: '-',
    logFormat: 'auto',
    logLevel: 'info',
  });
  t.deepEqual(JSON.parse(JSON.stringify(config)), config);
  t.is(workerConfig(await load(withHook, argv)).configFile, join(withHook, 'drover.config.mjs'));
});

test('changedOptions names what differs, with what a reload does about it', async (t) => {
  const cwd = tree(t);
  const before = await load(cwd, ['a', '-w2']);
  t.deepEqual(changedOptions(before, await load(cwd, ['a', '-w2'], { WEB_CONCURRENCY: '5' })), []);
  t.deepEqual(changedOptions(before, await load(cwd, ['a', '-w3', '-b', ':81', '-t', '9', '-e', 'A=B'])), [
    { name: 'env', reload: 'respawn' },
    { name: 'bind', reload: 'restart' },
    { name: 'workers', reload: 'live' },
    { name: 'timeout', reload: 'respawn' },
  ]);
});

test('a default that follows another option is no change', async (t) => {
  const cwd = tree(t);
  const before = await load(cwd, ['a']);
  const after = await load(cwd, ['b']);
  t.deepEqual(changedOptions(before, after), [{ name: 'app', reload: 'respawn' }]);
  t.is(reloadable(before, after).config.name, 'a');
  t.deepEqual(changedOptions(before, await load(cwd, ['a', '-n', 'x'])), [{ name: 'name', reload: 'restart' }]);
});

test('reloadable keeps what only a restart can apply, and takes the rest', async (t) => {
  const cwd = tree(t, { 'new/drover.config.mjs': 'export default { onExit() {} };' });
  const before = await load(cwd, ['a', '-b', ':80']);
  const after = await load(cwd, ['b', '-w3', '--backlog', '5', '-c', 'new/drover.config.mjs']);
  const merged = reloadable(before, after);
  t.like(merged.config, { app: 'b', workers: 3, backlog: 2048, bind: before.config.bind });
  t.true(merged.bindGiven);
  t.is(merged.sources.backlog.source, 'default');
  t.is(merged.hooks, after.hooks);
  t.is(merged.configFile, after.configFile);
});
