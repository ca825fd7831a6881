/**
 * A user's mistakes: told in one or two lines that name the option, its value, where the value came from and what to do; with an exit
 * code of the table, no stack, and nothing left running.
 */
import test, { type ExecutionContext } from 'ava';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { EXIT_CODES, type ExitName } from '../../src/errors.js';
import { fixture, IS_ROOT, ON_TERMINAL, scratch, start, type Drover, type StartOptions } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const asRoot = IS_ROOT ? test.serial : test.serial.skip;

/** Runs drover, which must fail: its words are one or two lines in which every pattern is found. `stack`: that of the app's exception, which only such a one has; `nodeWrites`: what stderr has of Node's own. */
async function fails(t: ExecutionContext, exit: ExitName, args: string[], patterns: RegExp[], options: StartOptions & { stack?: RegExp; nodeWrites?: RegExp } = {}): Promise<Drover> {
  const d = start(t, args, { plain: true, ...options });
  const { code, signal } = await d.finished();
  const log = d.log();
  if (options.nodeWrites !== undefined) {
    t.regex(d.text, options.nodeWrites, log);
    d.text = '';
  }
  const words = said(d);
  t.is(signal, null, log);
  t.is(code, EXIT_CODES[exit].code, log);
  t.true(words.length === 1 || words.length === 2, `one or two lines\n${log}`);
  for (const pattern of patterns) t.regex(words.join('\n'), pattern, log);
  t.notRegex(words.join('\n'), /^\s+at /m, `no stack\n${log}`);
  const stack = d.events('master.failed')[0]?.['stack'];
  if (options.stack === undefined) t.is(stack, undefined, log);
  else t.regex(String(stack), options.stack, log);
  t.notRegex(d.text, /^\s+at /m, `no stack\n${log}`);
  t.is(d.stdout, '');
  return d;
}

/** What drover told a person of its end: its lines on stderr, or the last record when it logs already. */
function said(d: Drover): string[] {
  const text = d.text.split('\n').filter((line) => line.trim() !== '');
  if (text.length > 0) return text;
  return d.events('master.failed').flatMap((record) => [record.msg, ...(typeof record['remedy'] === 'string' ? [record['remedy']] : [])]);
}

function literal(text: string): RegExp {
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
}

const app = fixture('whoami.cjs');

/** Runs drover as a user to whom modes apply. */
const other: StartOptions = { prefix: IS_ROOT ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [] };

test.serial('no app', (t) => fails(t, 'usage', [], [/app/i, /usage/i]).then(() => undefined));

test.serial('unknown flag: names the nearest', async (t) => {
  await fails(t, 'usage', [app, '--wokers', '2'], [/--wokers/, /--workers/]);
  await fails(t, 'usage', [app, '--max-request=5'], [/--max-request\b/, /--max-requests/]);
  await fails(t, 'usage', [app, '-Z'], [/-Z/]);
  await fails(t, 'usage', [app], [/--tiemout/, /--timeout/, /DROVER_CMD_ARGS/], { env: { DROVER_CMD_ARGS: '--tiemout 3' } });
});

test.serial('a flag that other servers have: what to give instead', async (t) => {
  await fails(t, 'usage', [app, '--port', '3000'], [/--port/, /--bind 127\.0\.0\.1:3000/, /PORT=3000/]);
  await fails(t, 'usage', [app, '-p', '3000'], [/-p is --pidfile/, /--bind 127\.0\.0\.1:3000/]);
  await fails(t, 'usage', [app, '-i', 'max'], [/-i\b/, /--workers auto/]);
});

test.serial('a wrong value after a flag whose value is optional names the flag', async (t) => {
  await fails(t, 'usage', [app, '--proxy-protocol', 'v3'], [/--proxy-protocol: no such choice: "v3"/, /off, v1, v2, auto; alone it means auto/]);
});

test.serial('value out of bounds: option, value, bounds, source', async (t) => {
  await fails(t, 'usage', [app, '-w', '0'], [/workers/, /\b0\b/, /-w/]);
  await fails(t, 'usage', [app, '--workers', '100000'], [/--workers/, /100000/]);
  await fails(t, 'usage', [app, '--backlog=-1'], [/--backlog/, /-1/]);
  await fails(t, 'usage', [app, '--timeout', '10ms'], [/--timeout/, /10ms/]);
  await fails(t, 'usage', [app], [/workers/, /many/, /WEB_CONCURRENCY/], { env: { WEB_CONCURRENCY: 'many' } });
  await fails(t, 'usage', [app], [/PORT/, /70000/], { env: { PORT: '70000' } });
});

test.serial('value that is no such thing', async (t) => {
  await fails(t, 'usage', [app, '--accept-strategy', 'reuse-port'], [/--accept-strategy/, /reuse-port/, /reuseport/]);
  await fails(t, 'usage', [app, '-b', '127.0.0.1:http'], [/-b\b|--bind/, /http/]);
  await fails(t, 'usage', [app, '-b', 'unix:'], [/-b\b|--bind/, /path/]);
  await fails(t, 'usage', [app, '--umask', '9'], [/--umask/, /9/]);
  await fails(t, 'usage', [app, '-w'], [/-w/]);
  await fails(t, 'usage', [app, '--chdir', '/no/such/directory'], [/--chdir/, /\/no\/such\/directory/]);
});

test.serial('a value that can do nothing: the option, why, its source and what is missing', async (t) => {
  await fails(t, 'usage', [app, '--proxy-timeout', '1s'], [/--proxy-timeout/, /PROXY protocol is not on/, /flag --proxy-timeout/, /--proxy-protocol/]);
  await fails(t, 'usage', [app, '--check-config', '--steer', 'least', '--accept-strategy', 'lock'], [/--steer/, /lock does not steer/, /--accept-strategy auto/]);
  await fails(t, 'usage', [app], [/--max-requests-jitter/, /DROVER_CMD_ARGS/, /--max-requests N/], { env: { DROVER_CMD_ARGS: '--max-requests-jitter 5' } });
});

test.serial('config file with a syntax error: file and line', async (t) => {
  const dir = scratch(t);
  for (const [name, text] of [
    ['drover.config.mjs', 'export default {\n  workers: 2,,\n};\n'],
    ['drover.config.cjs', 'module.exports = {\n  workers: 2,,\n};\n'],
    ['drover.config.ts', 'export default {\n  workers: 2,,\n};\n'],
    ['drover.config.json', '{\n  "workers": 2,,\n}\n'],
  ] as const) {
    writeFileSync(join(dir, name), text);
    await fails(t, 'usage', [app, '-c', join(dir, name)], [new RegExp(name.replaceAll('.', '\\.') + ':2')]);
  }
});

test.serial('config file that throws, is missing, or exports nothing', async (t) => {
  const dir = scratch(t);
  const config = join(dir, 'drover.config.mjs');
  writeFileSync(config, 'const a = 1;\nthrow new Error("no such secret");\n');
  await fails(t, 'usage', [app, '-c', config], [/drover\.config\.mjs:2/, /no such secret/]);
  writeFileSync(config, 'const a = 1;\n');
  await fails(t, 'usage', [app, '-c', config], [/drover\.config\.mjs/, /default/]);
  await fails(t, 'usage', [app, '-c', join(dir, 'nothing.mjs')], [/nothing\.mjs/, /no such file/, /-c|--config/]);
});

test.serial('config key unknown, misspelt, or wrong', async (t) => {
  const dir = scratch(t);
  const config = join(dir, 'drover.config.mjs');
  writeFileSync(config, 'export default { wrokers: 2 };\n');
  await fails(t, 'usage', [app], [/wrokers/, /workers/, /drover\.config\.mjs/], { cwd: dir });
  writeFileSync(config, 'export default { whenRaedy() {} };\n');
  await fails(t, 'usage', [app], [/whenRaedy/, /whenReady/], { cwd: dir });
  writeFileSync(config, 'export default { whenReady: 5 };\n');
  await fails(t, 'usage', [app], [/whenReady/, /function/], { cwd: dir });
  writeFileSync(config, "export default { timeout: 'soon' };\n");
  await fails(t, 'usage', [app], [/timeout/, /soon/, /drover\.config\.mjs/], { cwd: dir });
});

test.serial('app missing: path, package, export', async (t) => {
  const dir = scratch(t);
  await fails(t, 'app', ['./nothing.js'], [/nothing\.js/], { cwd: dir });
  await fails(t, 'app', ['no-such-package-of-anybody'], [/no-such-package-of-anybody/], { cwd: dir });
  await fails(t, 'app', [`${app}:serve`], [/serve/, /whoami\.cjs/]);
  mkdirSync(join(dir, 'empty'));
  await fails(t, 'app', [join(dir, 'empty')], [/empty/]);
});

test.serial('app that is there but needs a module that is not', async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'app.cjs');
  writeFileSync(file, "require('no-such-package-of-anybody');\n");
  await fails(t, 'boot', [file, '-b', '127.0.0.1:0'], [/no-such-package-of-anybody/, /app\.cjs/], { stack: /at .*app\.cjs:1/ });
});

test.serial('app that throws on load: what and where', (t) => fails(t, 'boot', [fixture('throws-on-load.cjs'), '-w', '2', '-b', '127.0.0.1:0'], [/no database here/, /throws-on-load\.cjs/], { stack: /^Error: no database here\n {4}at .*throws-on-load\.cjs/ }).then(() => undefined));

test.serial('app with a syntax error: where', async (t) => {
  const file = join(scratch(t), 'app.cjs');
  writeFileSync(file, 'const a = 1;\nmodule.exports = (req, res => {\n');
  await fails(t, 'boot', [file, '-b', '127.0.0.1:0'], [/SyntaxError/, /app\.cjs:3/], { stack: /app\.cjs:3\n[^]*SyntaxError/ });
});

test.serial('app that misuses a package: its own line, and the whole stack', async (t) => {
  const file = fixture('misuses-express.cjs');
  await fails(t, 'boot', [file, '-b', '127.0.0.1:0'], [/TypeError: .* \(\/.*\/misuses-express\.cjs:3\)/], { stack: /at .*node_modules\/express\/[^]*at .*misuses-express\.cjs:3:5\)$/ });
});

test.serial('a start that fails is told once: a record in a log on stderr, else text', async (t) => {
  const file = fixture('throws-on-load.cjs');
  const record = start(t, [file, '-b', '127.0.0.1:0'], { plain: true });
  await record.finished();
  t.is(record.events('master.failed').length, 1);
  t.notRegex(record.text, /drover:/);
  const log = join(scratch(t), 'log');
  for (const flags of [['--log-file', log], ['--log-format', 'pretty']]) {
    const text = start(t, [file, '-b', '127.0.0.1:0', ...flags], { plain: true });
    await text.finished();
    t.regex(text.text, /^drover: app .* threw while loading: Error: no database here \(.*throws-on-load\.cjs:\d+\)\n {2}Error: no database here\n {6}at .*throws-on-load\.cjs/m, flags[0]);
    t.is(text.text.split(' threw while loading').length, 2, flags[0]);
  }
});

test.serial('a start that fails in front of a person is told as text, too', async (t) => {
  const d = start(t, [fixture('throws-on-load.cjs'), '-b', '127.0.0.1:0'], { plain: true, prefix: [...ON_TERMINAL, 'sh', '-c', '"$@" 2>&1 | cat', 'sh'] });
  await d.finished();
  t.regex(d.stdout, /"event":"master\.failed"[^]*drover: app .*no database here/);
});

test.serial('app that throws something that is no Error', async (t) => {
  const file = join(scratch(t), 'app.cjs');
  writeFileSync(file, 'throw undefined;\n');
  await fails(t, 'boot', [file, '-b', '127.0.0.1:0'], [/undefined/, /app\.cjs/]);
});

test.serial('app that neither exports anything usable nor listens: what was found', async (t) => {
  // Something keeps it alive: it might listen yet, until --boot-timeout.
  await fails(t, 'app', [fixture('exports-nothing.cjs'), '-b', '127.0.0.1:0', '--boot-timeout', '3'], [/exports-nothing\.cjs/, /answer/]);
  const d = start(t, [fixture('ends.cjs'), '-b', '127.0.0.1:0'], { plain: true });
  const { code } = await d.finished();
  t.true(code === EXIT_CODES.app.code, d.log());
  t.regex(said(d).join('\n'), /version/);
});

test.serial('an option that node does not take: --node-args', (t) => fails(t, 'boot', [app, '-b', '127.0.0.1:0', '--node-args=--bogus'], [/could not boot: node did not take its options.*--node-args "--bogus"/], { nodeWrites: /bad option: --bogus/ }).then(() => undefined));

test.serial('a module that node cannot load before the worker: NODE_OPTIONS', (t) => fails(t, 'boot', [app, '-b', '127.0.0.1:0', '-e', 'NODE_OPTIONS=-r ./none.cjs'], [/could not boot: node exited with code 1 before the app was begun, and has written why to standard error; it was given NODE_OPTIONS "-r \.\/none\.cjs"/], { nodeWrites: /Cannot find module '\.\/none\.cjs'/ }).then(() => undefined));

test.serial('an app that ends its process behind everybody’s back is not said to be options of node’s', async (t) => {
  const file = join(scratch(t), 'app.cjs');
  writeFileSync(file, 'process.reallyExit(3);\n');
  await fails(t, 'boot', [file, '-b', '127.0.0.1:0', '-e', 'NODE_OPTIONS=--max-old-space-size=300'], [/could not boot: it exited by itself with code 3 before it was ready/]);
});

test.serial('app file that cannot be read', async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'app.cjs');
  writeFileSync(file, 'module.exports = () => {};\n');
  chmodSync(file, 0);
  chmodSync(dir, 0o755);
  const prefix = IS_ROOT ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  await fails(t, 'app', [file, '-b', '127.0.0.1:0'], [/app\.cjs/, /EACCES|may not be read|permission/i], { prefix, cwd: dir });
});

test.serial('app in a directory that may not be entered, or one that may not be read', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o755);
  const prefix = IS_ROOT ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  for (const [mode, target] of [[0o600, 'closed/app.cjs'], [0o311, 'closed']] as const) {
    mkdirSync(join(dir, 'closed'), { recursive: true });
    writeFileSync(join(dir, 'closed/app.cjs'), 'module.exports = () => {};\n');
    chmodSync(join(dir, 'closed'), mode);
    await fails(t, 'app', [target, '-b', '127.0.0.1:0'], [new RegExp(`app ${target} cannot be read: .*permission denied`), /enter the directories/], { prefix, cwd: dir });
    chmodSync(join(dir, 'closed'), 0o755);
  }
});

test.serial('an APP of which a directory or the package.json may not be read: not said to be missing, nor to be wrong', async (t) => {
  const prefix = IS_ROOT ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  for (const [closed, mode, target, unread] of [
    ['app', 0, './app', 'app'],
    ['app', 0o644, './app', 'app'],
    ['app/package.json', 0, 'app', 'app/package.json'],
    ['app/dist', 0, 'app', 'app/dist/main.js'],
    ['node_modules/app', 0, 'app', 'node_modules/app'],
    ['node_modules/app/package.json', 0, 'app', 'node_modules/app/package.json'],
  ] as const) {
    const dir = scratch(t);
    chmodSync(dir, 0o755);
    const app = join(dir, closed.startsWith('node_modules') ? 'node_modules/app' : 'app');
    mkdirSync(join(app, 'dist'), { recursive: true });
    writeFileSync(join(app, 'package.json'), '{"main":"dist/main.js"}');
    writeFileSync(join(app, 'dist/main.js'), '');
    chmodSync(join(dir, closed), mode);
    await fails(t, 'app', [target, '-b', '127.0.0.1:0'], [new RegExp(`app ${target} cannot be read: ${join(dir, unread)}: permission denied`), /Let the user that drover runs as read it/], { prefix, cwd: dir });
    chmodSync(join(dir, closed), 0o755);
  }
});

test.serial('a link that points nowhere', async (t) => {
  const dir = scratch(t);
  symlinkSync(join(dir, 'gone.js'), join(dir, 'current.js'));
  await fails(t, 'app', [join(dir, 'current.js')], [/current\.js/], { cwd: dir });
});

test.serial('two of --bind that overlap: both are named, and nothing starts', async (t) => {
  for (const [one, other, pattern] of [
    [':8000', '127.0.0.1:8000', /^drover: --bind: overlaps with ":8000", .*: "127\.0\.0\.1:8000" \(flag -b\)\n/],
    ['[::]:8000', '0.0.0.0:8000', /^drover: --bind: overlaps with "\[::\]:8000", .*: "0\.0\.0\.0:8000" \(flag -b\)\n.*\[::\] for IPv4 and IPv6/],
    ['8000', '127.0.0.1:8000', /^drover: --bind: the same address as "8000": "127\.0\.0\.1:8000" \(flag -b\)\n/],
  ] as const) {
    t.deepEqual((await fails(t, 'usage', [app, '-b', one, '-b', other], [pattern])).records, []);
  }
});

test.serial('port taken: retried, then the process that holds it is named', async (t) => {
  const holder = net.createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  t.teardown(() => holder.close());
  const { port } = holder.address() as net.AddressInfo;
  const d = start(t, [app, '-b', `127.0.0.1:${port}`], {});
  const retrying = await d.event('listen.retrying');
  t.regex(retrying.msg, new RegExp(`^127\\.0\\.0\\.1:${port} is held by \\S.* \\(pid ${process.pid}\\); it is tried again for [45] s$`));
  t.is((await d.finished()).code, EXIT_CODES.listen.code);
  const words = said(d).join('\n');
  for (const pattern of [new RegExp(`127\\.0\\.0\\.1:${port}`), new RegExp(`\\b${process.pid}\\b`), /is held by/]) t.regex(words, pattern);
  t.deepEqual(d.events('worker.spawned'), []);
});

test.serial('port taken, then free: drover gets it', async (t) => {
  const holder = net.createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as net.AddressInfo;
  const d = start(t, [app, '-b', `127.0.0.1:${port}`]);
  await d.event('listen.retrying');
  holder.close();
  await d.ready();
  t.is((await get({ host: '127.0.0.1', port })).status, 200);
});

/** Express 5 hands the error to the callback, which takes no notice; Fastify's own example catches it and exits. */
for (const app of ['script.cjs', 'express-script.cjs', 'fastify-script.cjs']) {
  test.serial(`the port of a script is taken: who holds it, and what to do (${app})`, async (t) => {
    const holder = net.createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    t.teardown(() => holder.close());
    const { port } = holder.address() as net.AddressInfo;
    const patterns = [new RegExp(`app .*${app} cannot listen at 127\\.0\\.0\\.1:${port}: the address is held by .+ \\(pid ${process.pid}\\)`), /Stop what listens there, or choose another address with --bind/];
    await fails(t, 'listen', [fixture(app)], patterns, { env: { LISTEN_PORT: String(port) } });
  });
}

test.serial('the address that drover chooses for an app cannot be had: where that is from', async (t) => {
  const holder = net.createServer();
  await new Promise<void>((resolve) => holder.listen(0, '0.0.0.0', resolve));
  t.teardown(() => holder.close());
  const { port } = holder.address() as net.AddressInfo;
  const held = (address: string, source: string): RegExp => new RegExp(`^(drover: )?cannot listen at ${address}:${port} \\(${source}\\): the address is held by .+ \\(pid ${process.pid}\\)\n.*another address with --bind`);
  await fails(t, 'listen', [app], [held('0\\.0\\.0\\.0', 'environment variable PORT')], { env: { PORT: String(port) } });
  await fails(t, 'listen', [app, '--env', 'HOST=localhost'], [held('127\\.0\\.0\\.1', 'environment variables HOST and PORT')], { env: { PORT: String(port) } });
  await fails(t, 'listen', [app], [/^(drover: )?cannot listen at 192\.0\.2\.1:8000 \(environment variable HOST\): no interface/], { env: { HOST: '192.0.2.1' } });
});

test.serial('the second port of a script is taken: --bind would not help', async (t) => {
  const holder = net.createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  t.teardown(() => holder.close());
  const { port } = holder.address() as net.AddressInfo;
  const file = join(scratch(t), 'app.cjs');
  writeFileSync(file, `const http = require('node:http');\nhttp.createServer().listen(0);\nhttp.createServer().listen(${port}, '127.0.0.1');\n`);
  await fails(t, 'listen', [file, '-b', '127.0.0.1:0'], [new RegExp(`:${port}: the address is held by`), /choose another address in the app/]);
});

test.serial('an address that is not this machine’s, a family it does not have, a port that is not ours to take', async (t) => {
  const scarce = join(scratch(t), 'no');
  for (const check of [[], ['--check-config']]) {
    await fails(t, 'listen', [app, '-b', '192.0.2.1:8080', ...check], [/192\.0\.2\.1:8080/, /-b\b|--bind/]);
    await fails(t, 'listen', [app, '-b', '[2001:db8::1]:8080', ...check], [/\[2001:db8::1\]:8080/]);
    await fails(t, 'listen', [app, '-b', '[::ffff:192.0.2.1]:8080', ...check], [/at --bind \[::ffff:192\.0\.2\.1\]:8080: no interface of this machine has that address/]);
    await fails(t, 'listen', [app, '-b', '[fe80::1%nope]:8080', ...check], [/at --bind \[fe80::1%nope\]:8080: this machine has no network interface nope/, /`ip address`/]);
    await fails(t, 'listen', [app, '-b', `unix:${scarce}/sock`, ...check], [literal(`at --bind unix:${scarce}/sock: there is no directory ${scarce}`), /Make it first/]);
    await fails(t, 'listen', [app, '-b', `unix:${app}`, ...check], [/which is not a socket/]);
    await fails(t, 'listen', [app, '-b', 'no-such-host.invalid:8080', ...check], [/at --bind no-such-host\.invalid:8080: the name no-such-host\.invalid does not resolve/, /\/etc\/hosts/]);
  }
});

test.serial('a unix socket where this user may not make one', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o555);
  for (const check of [[], ['--check-config']]) await fails(t, 'listen', [app, '-b', `unix:${dir}/sock`, ...check], [literal(`at --bind unix:${dir}/sock: not permitted to make a socket in ${dir}`), /may write to/], other);
});

test.serial('HOST that does not resolve: where it is from, and not the app', async (t) => {
  const host = 'no-such-host.invalid';
  const unresolved = (address: string, source: string): RegExp => new RegExp(`cannot listen at ${address} \\(${source}\\): the name ${host} does not resolve \\((ENOTFOUND|EAI_AGAIN)\\)`);
  const remedy = /or put the name into \/etc\/hosts/;
  const byHost = unresolved(`${host}:8000`, 'environment variable HOST');
  const listenable = join(scratch(t), 'app.cjs');
  // The error is its server's, and nobody listens to that.
  writeFileSync(listenable, "class Framework {\n  listen(port, host) {\n    return require('node:http').createServer().listen(port, host);\n  }\n}\nmodule.exports = new Framework();\n");
  for (const served of [app, fixture('../apps/fastify-plain.cjs'), listenable]) await fails(t, 'listen', [served], [byHost, remedy], { env: { HOST: host } });
  await fails(t, 'listen', [app, '--env', 'PORT=81'], [unresolved(`${host}:81`, 'environment variables HOST and PORT'), remedy], { env: { HOST: host } });
  await fails(t, 'listen', [app, '--check-config'], [byHost, remedy], { env: { HOST: host } });
  const doctor = start(t, ['doctor', app], { plain: true, env: { HOST: host } });
  t.is((await doctor.finished()).code, EXIT_CODES.unfit.code);
  t.regex(doctor.stdout, byHost);
  t.notRegex(doctor.stdout, /threw while loading/);
});

test.serial('a script listens at a name that does not resolve: which, and what to do, however it takes it', async (t) => {
  const file = join(scratch(t), 'script.cjs');
  const listens = 'const server = require("node:http").createServer();\n';
  const scripts = {
    thrown: `${listens}server.listen(8123, 'no-such-host.invalid');`,
    'in an object': `${listens}server.listen({ port: '8123', host: 'no-such-host.invalid' });`,
    handled: `${listens}server.on('error', () => {}).listen(8123, 'no-such-host.invalid');`,
    'handled, and it exits': `${listens}server.on('error', () => process.exit(1)).listen(8123, 'no-such-host.invalid');`,
    rejected: `${listens}server.listen(8123, 'no-such-host.invalid');\nmodule.exports = require("node:events").once(server, 'listening');`,
  };
  const patterns = [/^(drover: )?app \S+script\.cjs cannot listen at no-such-host\.invalid:8123: the name no-such-host\.invalid does not resolve \((ENOTFOUND|EAI_AGAIN)\)\n/, /or put the name into \/etc\/hosts/];
  for (const [how, script] of Object.entries(scripts)) {
    writeFileSync(file, script);
    await t.notThrowsAsync(fails(t, 'listen', [file], patterns), how);
  }
  await fails(t, 'listen', [file, '--check-config'], patterns);

  // Another address of the app's own choice will do; and a name that it looks for elsewhere is its own matter.
  writeFileSync(file, `${listens}server.on('error', () => server.listen(0, '127.0.0.1')).listen(8123, 'no-such-host.invalid');`);
  const d = start(t, [file]);
  await d.ready();
  await d.stop();
  writeFileSync(file, 'require("node:net").connect(8123, "no-such-host.invalid");');
  await fails(t, 'boot', [file], [/threw while loading: Error: getaddrinfo/], { stack: /getaddrinfo/ });
});

asRoot('a family that is switched off', async (t) => {
  // A network namespace of its own, in which IPv6 is off: nothing of the machine's is changed.
  const prefix = ['unshare', '--net', 'sh', '-c', 'mount -o remount,rw /proc/sys 2>/dev/null; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6; exec "$@"', 'sh'];
  await fails(t, 'listen', [app, '-b', '[::1]:8080'], [/\[::1\]:8080/, /IPv6|family|no interface/], { prefix });
});

asRoot('a port below 1024 without the privilege', async (t) => {
  const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];
  await fails(t, 'listen', [app, '-b', '127.0.0.1:81'], [/127\.0\.0\.1:81/, /EACCES|permi/i], { prefix });
  await fails(t, 'listen', [app], [/^(drover: )?cannot listen at 0\.0\.0\.0:81 \(environment variable PORT\): not permitted\n/], { prefix, env: { PORT: '81' } });
});

test.serial('a unix socket that is live is refused, a stale one is replaced, a file is left alone', async (t) => {
  const dir = scratch(t);
  const path = join(dir, 'app.sock');
  const live = net.createServer();
  await new Promise<void>((resolve) => live.listen(path, resolve));
  await fails(t, 'listen', [app, '-b', `unix:${path}`], [/app\.sock/, /-b\b|--bind|in use/]);
  t.true(live.listening && existsSync(path));
  live.close();

  // A stale one: left by a process that was killed.
  const first = start(t, [app, '-b', `unix:${path}`, '-w', '1', '--graceful-timeout', '1']);
  await first.ready();
  process.kill(first.pid, 'SIGKILL');
  await first.finished();
  t.true(statSync(path).isSocket());
  const second = start(t, [app, '-b', `unix:${path}`, '-w', '1']);
  await second.ready();
  t.is((await get({ socketPath: path })).status, 200);
  await second.stop();
  t.false(existsSync(path), 'removed at the end');

  writeFileSync(path, 'a file of the user’s');
  await fails(t, 'listen', [app, '-b', `unix:${path}`], [/app\.sock/, /socket/]);
  t.true(statSync(path).isFile());
  await fails(t, 'listen', [app, '-b', `unix:${dir}/no/such/dir.sock`], [/dir\.sock/, /there is no directory/]);
});

test.serial('fd://N that is not open, or no listening socket', async (t) => {
  await fails(t, 'listen', [app, '-b', 'fd://99'], [/fd:\/\/99/]);
  await fails(t, 'listen', [app, '-b', 'fd://3'], [/fd:\/\/3/], { fds: [2] });
});

test.serial('pid file of a running master, or that cannot be written', async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'drover.pid');
  writeFileSync(file, `${process.pid}\n`);
  await fails(t, 'pidfile', [app, '-b', '127.0.0.1:0', '--pidfile', file], [/drover\.pid/, new RegExp(`\\b${process.pid}\\b`)]);
  await fails(t, 'pidfile', [app, '-b', '127.0.0.1:0', '--pidfile', join(dir, 'no/such/dir.pid')], [/dir\.pid/]);
});

test.serial('-p of a file that is no pid file: refused, also by --check-config, and the file stays', async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'pkg.json');
  writeFileSync(file, '{"name":"precious"}\n');
  // By a link: were it replaced, the machine would still have its own.
  const device = join(dir, 'null');
  symlinkSync('/dev/null', device);
  for (const check of [[], ['--check-config']]) {
    await fails(t, 'pidfile', [app, '-b', '127.0.0.1:0', '-p', file, ...check], [`--pidfile ${file} is no pid file: it holds something else (flag -p)`, 'Give another path'].map(literal));
    await fails(t, 'pidfile', [app, '-b', '127.0.0.1:0', '-p', device, ...check], [`--pidfile ${device} is no regular file (flag -p)`, 'without --pidfile none is written'].map(literal));
  }
  t.is(readFileSync(file, 'utf8'), '{"name":"precious"}\n');
  t.true(statSync(device).isCharacterDevice());
});

test.serial('-p where nothing can be made: said in the log as well', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o755);
  writeFileSync(join(dir, 'app.js'), '');
  mkdirSync(join(dir, 'closed'), { mode: 0o600 });
  mkdirSync(join(dir, 'read-only'), { mode: 0o555 });
  for (const [place, why] of [['app.js/x', `${join(dir, 'app.js')} is no directory`], ['closed/x', 'permission denied'], ['read-only/x', 'permission denied']] as const) {
    const words = [`--pidfile ${join(dir, place)} cannot be written: ${why} (flag -p)`, 'Give a path in a directory that exists and is writable'].map(literal);
    await fails(t, 'pidfile', [app, '-b', '127.0.0.1:0', '-p', place, '--check-config'], words, { ...other, cwd: dir });
    const d = await fails(t, 'pidfile', [app, '-b', '127.0.0.1:0', '-p', place, '--log-format', 'json'], words, { ...other, cwd: dir });
    t.is(d.events('master.failed')[0]?.['exitCode'], EXIT_CODES.pidfile.code, d.log());
    // What has stopped has started.
    t.deepEqual([d.records[0]?.event, d.records.at(-1)?.event], ['master.starting', 'master.stopped']);
  }
});

test.serial('a pid file that may not be read: it may be anything', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o777);
  writeFileSync(join(dir, 'pid'), '12\n', { mode: 0 });
  for (const check of [[], ['--check-config']]) {
    await fails(t, 'pidfile', [app, '-b', '127.0.0.1:0', '-p', 'pid', ...check], [`--pidfile ${join(dir, 'pid')} is there and cannot be read: permission denied (flag -p)`].map(literal), { ...other, cwd: dir });
  }
  chmodSync(join(dir, 'pid'), 0o600);
  t.is(readFileSync(join(dir, 'pid'), 'utf8'), '12\n');
});

test.serial('a directory for --static or --sendfile-root that this user may not use: the option\'s mistake, not the app\'s', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'closed/inner'), { recursive: true });
  const inner = join(dir, 'closed/inner');
  for (const [mode, place, says] of [
    [0, 'closed', /this user may not read and enter that directory \(EACCES\)/],
    [0o444, 'closed', /this user may not read and enter that directory \(EACCES\)/],
    [0o111, 'closed', /this user may not read and enter that directory \(EACCES\)/],
    [0, inner, /this user may not enter a directory above it \(EACCES\)/],
  ] as const) {
    chmodSync(join(dir, 'closed'), mode);
    for (const [flag, value] of [['--static', `/a=${place}`], ['--sendfile-root', place]] as const) {
      for (const args of [[app], [app, '--check-config'], ['doctor', app]]) {
        await fails(t, 'usage', [...args, '-b', '127.0.0.1:0', flag, value], [new RegExp(`${flag}: `), says, literal(`(flag ${flag})`), /Let the user that drover runs as/], { ...other, cwd: dir });
      }
    }
  }
  chmodSync(join(dir, 'closed'), 0o755);
});

test.serial('a --worker-class that may not be read is not said to be missing', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'closed'));
  const file = join(dir, 'closed/w.js');
  writeFileSync(file, 'module.exports = class { onReady() {} };');
  for (const [closed, mode] of [['closed', 0], ['closed/w.js', 0]] as const) {
    chmodSync(join(dir, closed), mode);
    await fails(t, 'usage', [app, '-b', '127.0.0.1:0', '-k', './closed/w.js'], [literal(`--worker-class ${file} cannot be read: permission denied`), /enter the directories above it/], { ...other, cwd: dir });
    chmodSync(join(dir, closed), 0o755);
  }
  await fails(t, 'usage', [app, '-b', '127.0.0.1:0', '-k', './closed/none.js'], [/none\.js does not exist/], { ...other, cwd: dir });
});

test.serial('log file that cannot be opened', async (t) => {
  await fails(t, 'usage', [app, '-b', '127.0.0.1:0', '--log-file', join(scratch(t), 'no/such/file.log')], [/--log-file/, /file\.log/]);
});

test.serial('--check-config refuses what the start would: log file, access log and pid file', async (t) => {
  const dir = scratch(t);
  const place = join(dir, 'no/such/x');
  for (const check of [[], ['--check-config']]) {
    await fails(t, 'usage', [app, '-b', '127.0.0.1:0', '--log-file', place, ...check], [`--log-file ${place} cannot be opened: there is no directory ${join(dir, 'no/such')} (flag --log-file)`, 'Give a path in a directory that exists'].map(literal));
    await fails(t, 'usage', [app, '-b', '127.0.0.1:0', '--log-file', dir, ...check], [`--log-file ${dir} cannot be opened: it is a directory (flag --log-file)`, 'Give the path of a file, or - for stderr.'].map(literal));
    await fails(t, 'usage', [app, '-b', '127.0.0.1:0', '--access-logfile', place, ...check], [`--access-logfile ${place} cannot be opened: there is no directory ${join(dir, 'no/such')} (flag --access-logfile)`].map(literal));
    await fails(t, 'pidfile', [app, '-b', '127.0.0.1:0', '-p', place, ...check], [`--pidfile ${place} cannot be written: there is no directory ${join(dir, 'no/such')} (flag -p)`, 'Give a path in a directory that exists'].map(literal));
  }
  // Of what is right the check makes nothing, and a master that runs is none of its business.
  writeFileSync(join(dir, 'pid'), `${process.pid}\n`);
  const d = start(t, [app, '--check-config', '--log-file', join(dir, 'log'), '--pidfile', join(dir, 'pid')], { plain: true });
  t.is((await d.finished()).code, EXIT_CODES.ok.code, d.log());
  t.false(existsSync(join(dir, 'log')));
});

test.serial('--node-args that node does not know', async (t) => {
  const d = start(t, [app, '-b', '127.0.0.1:0', '--node-args', '--no-such-flag-of-node'], { plain: true });
  const { code } = await d.finished();
  t.is(code, EXIT_CODES.boot.code, d.log());
});

test.serial('a Node that loads no addons: what to give it', async (t) => {
  const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
  for (const [flags, remedy] of [
    [[permission, '--allow-fs-read=*', '--allow-fs-write=*'], 'Node is to have --allow-addons beside its permission flag; for workers: --node-args=--allow-addons.'],
    [['--no-addons'], 'Leave --no-addons out of what Node is started with.'],
  ] as const) {
    const master = start(t, [app], { plain: true, prefix: ['sh', '-c', `node=$1; shift; exec "$node" ${flags.map((flag) => `'${flag}'`).join(' ')} "$@"`, 'sh'] });
    t.is((await master.finished()).code, EXIT_CODES.unfit.code, master.log());
    t.regex(master.text, literal(`\n  ${remedy}\n`));
    const worker = start(t, [app, '-b', '127.0.0.1:0', '--node-args', flags.join(' ')], { plain: true });
    t.is((await worker.finished()).code, EXIT_CODES.unfit.code, worker.log());
    t.is(worker.events('master.failed')[0]!['remedy'], remedy);
    t.notRegex(worker.log(), /^ +at |it was given/m, 'in words, and by the master');
  }
  const net = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ' --allow-net' : '';
  const d = await start(t, [app, '-b', '127.0.0.1:0', '--node-args', `${permission} --allow-fs-read=* --allow-addons${net}`]).ready();
  await get(await d.address());
  await d.stop();
});
