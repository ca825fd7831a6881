/** Workers that cannot boot: at once the end at start-up, a back-off later. */
import test from 'ava';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { EXIT_CODES } from '../../src/errors.js';
import { fixture, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

/** App → exit code and the code of the error. */
const FAILURES: [app: string, exit: number, code: string, more: string[]][] = [
  ['throws-on-load.cjs', 3, 'ERR_DROVER_APP_THREW', []],
  ['exits-on-load.cjs', 3, 'ERR_DROVER_WORKER_EXITED', []],
  ['hangs-on-load.mjs', 3, 'ERR_DROVER_BOOT_TIMEOUT', ['--boot-timeout', '1']],
  ['spins-on-load.cjs', 3, 'ERR_DROVER_BOOT_TIMEOUT', ['--boot-timeout', '1']],
  ['ends.cjs', 4, 'ERR_DROVER_APP_UNUSABLE', []],
  ['exports-nothing.cjs', 4, 'ERR_DROVER_APP_UNUSABLE', ['--boot-timeout', '3']],
  ['no-such-file.cjs', 4, 'ERR_DROVER_APP_NOT_FOUND', []],
];

for (const [app, exit, code, more] of FAILURES) {
  test.serial(`${app}: exits ${exit} at once, without looping`, async (t) => {
    const d = start(t, [fixture(app), '-w', '2', '-b', '127.0.0.1:0', ...more]);
    t.deepEqual(await d.finished(), { code: exit, signal: null });
    const failed = d.events('master.failed');
    if (failed.length > 0) {
      t.is(failed[0]!['code'], code);
      t.is(failed[0]!['exitCode'], exit);
    }
    t.true(d.events('worker.spawned').length <= 2);
    t.deepEqual(d.events('worker.ready'), []);
    t.deepEqual(d.events('worker.respawn-delayed'), []);
  });
}

test.serial('what an app throws tells a terminal nothing but its words', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, "throw new Error('\\x1b[31mred\\x07');\n");
  const d = start(t, ['--check-config', app]);
  t.deepEqual(await d.finished(), { code: 3, signal: null });
  t.true(d.text.includes('[31mred'));
  t.notRegex(d.text, /[\x07\x1b]/);
});

test.serial('one worker that cannot boot at start-up beside one that serves is tried again, until it can', async (t) => {
  const dir = scratch(t);
  const [app, flag] = [join(dir, 'app.cjs'), join(dir, 'flag')];
  // The first to create the file serves, the others throw until it is gone.
  writeFileSync(app, `require('node:fs').writeFileSync(${JSON.stringify(flag)}, '', { flag: 'wx' }); module.exports = (req, res) => res.end();\n`);
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0']);
  await d.event('worker.ready');
  d.signal('SIGTTIN');
  await d.count(2, 'worker.boot-failed');
  t.is((await get(await d.address())).status, 200);
  rmSync(flag);
  await d.count(2, 'worker.ready');
});

test.serial('a crash loop backs off, says so, and goes on serving; a healed app ends it', async (t) => {
  const dir = scratch(t);
  const app = join(dir, 'app.cjs');
  const whole = "module.exports = (req, res) => (req.url === '/die' ? process.exit(1) : res.end(String(process.pid)));\n";
  writeFileSync(app, whole);
  const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0']);
  await d.ready();
  const address = await d.address();
  writeFileSync(app, "throw new Error('broken since start');\n");
  await t.throwsAsync(get(address, '/die'));
  const delays = (await d.count(3, 'worker.respawn-delayed')).map((record) => record['delayMs'] as number);
  t.true(delays[1]! > delays[0]! && delays[2]! > delays[1]!, `longer and longer: ${delays.join(', ')}`);
  t.is((await get(address)).status, 200, 'the other worker serves');
  t.is(d.exit, undefined);
  writeFileSync(app, whole);
  await d.count(3, 'worker.ready');
  t.is(d.workers().length, 2);
});

test.serial('a boot that hangs during a reload is given up, and the old workers serve on', async (t) => {
  const dir = scratch(t);
  const [app, config] = [join(dir, 'app.cjs'), join(dir, 'drover.config.json')];
  writeFileSync(app, 'module.exports = (req, res) => res.end("old");\n');
  writeFileSync(config, '{}');
  const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0', '-c', config]);
  await d.ready();
  writeFileSync(app, 'while (true) Math.random();\n');
  // Only now: a boot that is to succeed may take its time.
  writeFileSync(config, '{ "bootTimeout": "5s" }');
  d.signal('SIGHUP');
  const failed = await d.event('reload.failed');
  t.is(failed['stage'], 'boot');
  await d.event('worker.boot-failed', { code: 'ERR_DROVER_BOOT_TIMEOUT', message: /: it was still loading .*app\.cjs$/, remedy: /^A worker is ready when .* Raise --boot-timeout/ });
  t.is((await get(await d.address())).body, 'old');
});

const SPIN = 'for (;;);';

for (const [name, { at, remedy, timeout, files, args }] of Object.entries<{ at: RegExp; remedy: RegExp; timeout: string; files: Record<string, string>; args: string[] }>({
  'what node loads first': { at: /starting node/, remedy: /^It had not come to the app: .*--node-args/, timeout: '1', files: { 'first.cjs': SPIN }, args: ['--node-args=-r ./first.cjs'] },
  'a hook of the config file': { at: /running hook postSpawn of the config file/, remedy: /^It is not the app/, timeout: '4', files: { 'drover.config.mjs': `export default { postSpawn() { ${SPIN} } };` }, args: [] },
  'a worker class': { at: /loading --worker-class .*class\.mjs/, remedy: /^It is not the app/, timeout: '4', files: { 'class.mjs': SPIN }, args: ['--worker-class', './class.mjs'] },
  'the app’s module': { at: /loading .*app\.cjs/, remedy: /^A worker is ready when/, timeout: '4', files: { 'app.cjs': SPIN }, args: [] },
  'an app that has loaded': { at: /waiting for the app, which has loaded, to listen/, remedy: /^A worker is ready when/, timeout: '4', files: { 'app.cjs': `setTimeout(() => { ${SPIN} });` }, args: [] },
})) {
  test.serial(`--boot-timeout is over: it is told what the worker was at: ${name}`, async (t) => {
    const dir = scratch(t);
    for (const [file, code] of Object.entries({ 'app.cjs': 'module.exports = (req, res) => res.end();', ...files })) writeFileSync(join(dir, file), code);
    const all = ['./app.cjs', '-b', '127.0.0.1:0', '-w', '1', '--boot-timeout', timeout, ...args];
    const d = start(t, all, { cwd: dir });
    t.is((await d.finished()).code, 3);
    const failed = d.events('master.failed')[0]!;
    t.regex(String(failed['message']), new RegExp(`^app \\./app\\.cjs was not ready within ${timeout}000 ms .*: its worker was still (?:${at.source})$`));
    t.regex(String(failed['remedy']), remedy);
    t.is(failed['code'], 'ERR_DROVER_BOOT_TIMEOUT');
    if (timeout !== '1') return;
    const check = start(t, [...all, '--check-config'], { cwd: dir });
    t.is((await check.finished()).code, 3);
    t.true(check.text.includes(`drover: ${String(failed['message'])}\n  ${String(failed['remedy'])}\n`), check.text);
  });
}

test.serial('a worker that is stopped while it boots: told before --boot-timeout is over, and goes on', async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'app.cjs'), "process.kill(process.pid, 'SIGSTOP');\nmodule.exports = (req, res) => res.end('went on');");
  const d = start(t, ['./app.cjs', '-b', '127.0.0.1:0', '-w', '1', '--timeout', '1'], { cwd: dir });
  const { worker } = await d.event('worker.stopped');
  process.kill(worker as number, 'SIGCONT');
  await d.ready();
  t.is((await get(await d.address())).body, 'went on');
});

test.serial('--boot-timeout is over while the worker is stopped: neither the app is blamed nor what else it was at', async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'app.cjs'), "process.kill(process.pid, 'SIGSTOP');\nmodule.exports = (req, res) => res.end();");
  const all = ['./app.cjs', '-b', '127.0.0.1:0', '-w', '1', '--boot-timeout', '4'];
  const [d, check] = [start(t, all, { cwd: dir }), start(t, [...all, '--check-config'], { cwd: dir })];
  t.is((await d.finished()).code, 3);
  const failed = d.events('master.failed')[0]!;
  t.regex(String(failed['message']), /^app \.\/app\.cjs was not ready within 4000 ms .*: its worker was still stopped \(SIGSTOP\), as it was loading .*app\.cjs$/);
  t.regex(String(failed['remedy']), /^It need not be the app: .*kill -CONT/);
  t.is(d.events('worker.stopped').length, 1);
  t.is((await check.finished()).code, 3);
  t.true(check.text.includes(`drover: ${String(failed['message'])}\n  ${String(failed['remedy'])}\n`), check.text);
});

const inThread = (listen: string): string => `new (require('node:worker_threads').Worker)(${JSON.stringify(`require('node:http').createServer().listen(${listen})`)}, { eval: true });`;

for (const [name, [code, address, more]] of Object.entries<[code: string, address: string, more: string[]]>({
  'in a worker thread': [inThread("0, '127.0.0.1'"), String.raw`127\.0\.0\.1:\d+`, []],
  'in a worker thread, beside an inspector': [inThread("0, '127.0.0.1'"), String.raw`127\.0\.0\.1:\d+`, ['--node-args=--inspect=0']],
  'in a worker thread, at a unix socket': [inThread("'./thread.sock'"), String.raw`unix:\./thread\.sock`, []],
  'left to Node': ["require('node:http').createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true });", String.raw`127\.0\.0\.1:\d+`, []],
})) {
  test.serial(`a server that drover does not see is named by its address: ${name}`, async (t) => {
    const dir = scratch(t);
    writeFileSync(join(dir, 'app.cjs'), code);
    const d = start(t, ['app.cjs', '--chdir', dir, '-w', '1', '-b', '127.0.0.1:0', '--boot-timeout', '7', ...more]);
    t.deepEqual(await d.finished(), { code: 4, signal: null });
    const seen = `listens at ${address} with a socket of its own, which drover does not serve`;
    t.regex(String(d.events('worker.waiting')[0]!['why']), new RegExp(`^it ${seen}$`));
    const failed = d.events('master.failed')[0]!;
    t.is(failed['code'], 'ERR_DROVER_APP_UNUSABLE');
    t.regex(String(failed['message']), new RegExp(`app\\.cjs ${seen}, and there is nothing else to serve: it exports nothing$`));
    t.regex(String(failed['remedy']), /uWebSockets\.js.*worker threads.*exclusive/);
  });
}

test.serial('the inspector is no server of the app\'s', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, "console.log(`inspector at ${require('node:inspector').url()}`); setInterval(() => {}, 60_000);");
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0', '--boot-timeout', '3', '--node-args=--inspect=0']);
  t.deepEqual(await d.finished(), { code: 3, signal: null });
  t.regex(d.stdout, /inspector at ws:\/\/127\.0\.0\.1:[1-9]\d+\//, 'which tells its own port');
  t.regex(String(d.events('master.failed')[0]!['message']), /app\.cjs has not called listen\(\) within 3000 ms \(--boot-timeout\), and there is nothing else to serve: it exports nothing$/);

  const preload = join(scratch(t), 'opens.cjs');
  writeFileSync(preload, "require('node:inspector').open(0, '127.0.0.1', false);");
  const opened = start(t, [app, '-w', '1', '-b', '127.0.0.1:0', '--boot-timeout', '3', `--node-args=-r ${preload}`]);
  t.deepEqual(await opened.finished(), { code: 3, signal: null });
  t.regex(String(opened.events('master.failed')[0]!['message']), /app\.cjs has not called listen\(\) within 3000 ms \(--boot-timeout\), and there is nothing else to serve: it exports nothing$/);
});

test.serial('a name that nobody resolves until --boot-timeout is over: which, and not that listen() was not called', async (t) => {
  const dir = scratch(t);
  const silent = join(dir, 'silent.cjs');
  writeFileSync(silent, "const dns = require('node:dns'); dns.lookup = () => setInterval(() => {}, 60_000);");
  const write = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const listens = "const server = require('node:http').createServer(); server.listen(8123, 'slow.invalid');";
  const script = write('script.cjs', listens);
  const waits = write('waits.cjs', `${listens} module.exports = require('node:events').once(server, 'listening');`);
  const handler = write('handler.cjs', 'module.exports = (request, response) => response.end();');

  const fails = async (app: string, asked: string, env: Record<string, string> = {}): Promise<void> => {
    const d = start(t, [app, '-w', '1', '--boot-timeout', '8', '--node-args', `-r ${silent}`], { env });
    t.deepEqual(await d.finished(), { code: EXIT_CODES.listen.code, signal: null }, d.log());
    const [failed] = d.events('master.failed');
    t.is(failed!['message'], `${asked}: the name slow.invalid has not resolved within 8000 ms (--boot-timeout)`);
    t.regex(String(failed!['remedy']), /^No name server has answered/);
  };
  await Promise.all([
    fails(script, `app ${script} cannot listen at slow.invalid:8123`),
    fails(waits, `app ${waits} cannot listen at slow.invalid:8123`),
    fails(handler, 'cannot listen at slow.invalid:8000 (environment variable HOST)', { HOST: 'slow.invalid' }),
  ]);

  // It says so while it waits.
  const d = start(t, [script, '-w', '1', '--node-args', `-r ${silent}`]);
  t.is((await d.event('worker.waiting'))['why'], 'it has called listen(), and the name slow.invalid has not resolved yet');
});

test.serial('a name that has been resolved is not what is waited for', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, "const server = require('node:net').createServer(); server.listen(0, 'localhost', () => server.close()); setInterval(() => {}, 60_000);");
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0']);
  const { msg, why } = await d.event('worker.waiting');
  t.is(why, 'there is nothing to serve (it exports nothing), and it has not called listen()');
  t.is(msg, `worker 0: app ${app} has loaded and does not listen yet, and drover waits for it until --boot-timeout is over: ${String(why)}`);
});

test.serial('nor is the name of a server that was closed before, or whose listen() threw', async (t) => {
  const dir = scratch(t);
  for (const [name, text] of [['closed', "server.listen(8123, 'localhost'); server.close();"], ['threw', "try { server.listen(99999, 'localhost'); } catch {}"]] as const) {
    const app = join(dir, `${name}.cjs`);
    writeFileSync(app, `const server = require('node:net').createServer().on('error', () => {}); ${text} setInterval(() => {}, 60_000);`);
    const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0']);
    t.is((await d.event('worker.waiting'))['why'], 'there is nothing to serve (it exports nothing), and it has not called listen()', name);
  }
});

test.serial('a script that would listen later than --boot-timeout lets it: it is not told to export something first', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, "setTimeout(() => require('node:http').createServer().listen(0), 60_000);");
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0', '--boot-timeout', '3']);
  t.deepEqual(await d.finished(), { code: 3, signal: null });
  const failed = d.events('master.failed')[0]!;
  t.is(failed['code'], 'ERR_DROVER_BOOT_TIMEOUT');
  t.regex(String(failed['remedy']), /^If it listens later, look for what it waits for, or raise --boot-timeout\. If it does not: export a handler/);
});

test.serial('an address in use that the app opens by itself: by whom, and what to do', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  const others = createServer().listen(0, '127.0.0.1');
  t.teardown(() => others.close());
  await once(others, 'listening');
  const port = (others.address() as AddressInfo).port;
  writeFileSync(app, inThread(`${port}, '127.0.0.1'`));
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0']);
  t.deepEqual(await d.finished(), { code: 5, signal: null });
  const foreign = d.events('master.failed')[0]!;
  t.regex(String(foreign['message']), new RegExp(`app\\.cjs cannot listen: listen EADDRINUSE: address already in use 127\\.0\\.0\\.1:${port}, held by .* \\(pid ${process.pid}\\)$`));
  t.is(foreign['remedy'], 'Stop what listens there, or let the app listen elsewhere.');
  others.close();
  await once(others, 'close');

  const siblings = start(t, [app, '-w', '2', '-b', '127.0.0.1:0']);
  t.deepEqual(await siblings.finished(), { code: 5, signal: null });
  const failed = siblings.events('master.failed')[0]!;
  t.regex(String(failed['message']), new RegExp(`in use 127\\.0\\.0\\.1:${port}, held by drover: worker .* \\(pid \\d+\\)$`));
  t.regex(String(failed['remedy']), /worker thread.*each worker opens for itself.*NODE_APP_INSTANCE/);

  const bound = start(t, [app, '-w', '1', '-b', `127.0.0.1:${port}`]);
  t.deepEqual(await bound.finished(), { code: 5, signal: null });
  t.regex(String(bound.events('master.failed')[0]!['remedy']), /^drover listens there itself: for --bind/);
});

test.serial('a UDP port that the app opens in each worker', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  const others = createSocket('udp4').bind(0, '127.0.0.1');
  t.teardown(() => others.close());
  await once(others, 'listening');
  writeFileSync(app, `require('node:dgram').createSocket('udp4').bind(${others.address().port}, '127.0.0.1');`);
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0']);
  t.deepEqual(await d.finished(), { code: 5, signal: null });
  t.regex(String(d.events('master.failed')[0]!['remedy']), /^If another worker has the address: .*UDP socket, each worker opens for itself/);
});

test.serial('a reload that fails before all first workers are ready ends nothing but itself', async (t) => {
  const dir = scratch(t);
  const [app, go] = [join(dir, 'app.cjs'), join(dir, 'go')];
  const serve = '(req, res) => res.end("old")';
  writeFileSync(
    app,
    `const wait = (resolve) => (require('node:fs').existsSync(${JSON.stringify(go)}) ? resolve(${serve}) : setTimeout(wait, 5, resolve));
    module.exports = process.env.NODE_APP_INSTANCE === '2' ? (process.stderr.write('waits\\n'), new Promise(wait)) : ${serve};\n`,
  );
  const d = start(t, [app, '-w', '3', '-b', '127.0.0.1:0', '--reload-parallel', '3']);
  await d.count(2, 'worker.ready');
  await d.until('the third to have loaded the app', () => (d.text.includes('waits') ? true : undefined));
  writeFileSync(app, "throw new Error('broken since start');\n");
  d.signal('SIGHUP');
  await d.event('reload.failed', { stage: 'boot' });
  // Each of the two successors has failed, or was let go when the other had.
  await d.until('the end of both', () => (['worker.boot-failed', 'worker.exited'] as const).flatMap((event) => d.events(event, { generation: 2 })).length === 2 || undefined);
  writeFileSync(go, '');
  await d.ready();
  t.is((await get(await d.address())).body, 'old');
  t.true(d.events('worker.boot-failed').length > 0);
});

test.serial('TERM while the workers boot ends them', async (t) => {
  const d = start(t, [fixture('hangs-on-load.mjs'), '-w', '2', '-b', '127.0.0.1:0', '--graceful-timeout', '1']);
  await d.count(2, 'worker.spawned');
  d.signal('SIGTERM');
  t.deepEqual(await d.finished(), { code: 0, signal: null });
});

test.serial('--check-config loads the app and listens nowhere', async (t) => {
  const good = start(t, [fixture('whoami.cjs'), '--check-config', '-b', '127.0.0.1:1']);
  t.is((await good.finished()).code, 0);
  const bad = start(t, [fixture('throws-on-load.cjs'), '--check-config']);
  t.is((await bad.finished()).code, 3);
  const script = start(t, [fixture('script.cjs'), '--check-config']);
  t.is((await script.finished()).code, 0);
});

test.serial('--print-config tells every value and where it comes from', async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'drover.config.json'), JSON.stringify({ timeout: '7s', backlog: 9 }));
  const d = start(t, [fixture('whoami.cjs'), '--print-config', '-w', '3'], { cwd: dir, env: { PORT: '4567', DROVER_CMD_ARGS: '--backlog 10' }, plain: true });
  t.is((await d.finished()).code, 0);
  const line = (option: string): string => d.stdout.split('\n').find((text) => new RegExp(`^\\s*${option}\\b`).test(text)) ?? '';
  t.regex(line('workers'), /3.*(-w|--workers)/);
  t.regex(line('backlog'), /10.*DROVER_CMD_ARGS/);
  t.regex(line('timeout'), /7.*drover\.config\.json/);
  t.regex(line('bind'), /4567.*\(environment variable PORT; a script is served at its own address\)$/);
  t.regex(line('umask'), /default/);
});

test.serial('--check-config with --print-config prints, and checks', async (t) => {
  const right = start(t, [fixture('whoami.cjs'), '--check-config', '--print-config'], { plain: true });
  t.is((await right.finished()).code, 0);
  t.regex(right.stdout, /^app .*whoami\.cjs[^]*\nthe options are right and .* loads\n$/);
  const wrong = start(t, ['no-such-app.cjs', '--check-config', '--print-config'], { plain: true });
  t.is((await wrong.finished()).code, 4);
  t.regex(wrong.stdout, /^app +no-such-app\.cjs/);
});

test.serial('--version and --help', async (t) => {
  const version = start(t, ['--version'], { plain: true });
  t.is((await version.finished()).code, 0);
  const { version: number } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  t.true(version.stdout.includes(number) && version.stdout.includes(process.version.slice(1)));
  const help = start(t, ['--help'], { plain: true });
  t.is((await help.finished()).code, 0);
  for (const flag of ['--workers', '--bind', '--accept-strategy', '--graceful-timeout']) t.true(help.stdout.includes(flag));
});

test.serial('a DROVER_ variable that does nothing: a warning, and drover serves', async (t) => {
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { env: { DROVER_CMD_ARG: '-w 4' } }).ready();
  t.like(d.events('config.unknown-variable'), [{ msg: 'environment variable DROVER_CMD_ARG does nothing, drover has none of that name: did you mean DROVER_CMD_ARGS?' }]);
  const check = start(t, [fixture('whoami.cjs'), '--check-config'], { env: { DROVER_CMD_ARG: '-w 4' }, plain: true });
  t.is((await check.finished()).code, 0);
  t.is(check.text, 'warning: environment variable DROVER_CMD_ARG does nothing: did you mean DROVER_CMD_ARGS?\n');
});

test.serial('a wrong value that a flag covers: a warning of --check-config', async (t) => {
  const check = start(t, [fixture('whoami.cjs'), '-w', '1', '--check-config'], { env: { WEB_CONCURRENCY: 'some' }, plain: true });
  t.is((await check.finished()).code, 0);
  t.is(check.text, 'warning: --workers: not a whole number: "some" (environment variable WEB_CONCURRENCY), which does nothing while flag -w gives another\n');
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { env: { WEB_CONCURRENCY: 'some' } }).ready();
  t.false(d.text.includes('not a whole number'));
});
