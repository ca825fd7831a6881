/** Too few open files (ulimit -n): what the log says of it, and that it is over. */
import test, { type ExecutionContext } from 'ava';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { EXIT_CODES } from '../../src/errors.js';
import { fixture, poll, ROOT, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

/** drover with a limit of open files, soft and hard. */
const limited = (files: number): string[] => ['sh', '-c', `ulimit -n ${files}; exec "$@"`, 'sh'];

/** A directory of so many files `name0`, `name1`, … of so many bytes each. */
function files(t: ExecutionContext, name: string, count: number, bytes: number): string {
  const dir = join(scratch(t), 'files');
  mkdirSync(dir);
  const past = new Date(Date.now() - 60_000);
  for (let i = 0; i < count; i++) {
    writeFileSync(join(dir, `${name}${i}`), 'x'.repeat(bytes));
    utimesSync(join(dir, `${name}${i}`), past, past);
  }
  return dir;
}

function oneConnection(t: ExecutionContext): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  return agent;
}

test('a worker that is out of them says how many it had and what to do, and when it accepts again', async (t) => {
  const d = await start(t, [fixture('starves.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { prefix: limited(200) }).ready();
  const address = await d.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  await get(address, '/starve', { agent });
  const waiting = get(address);
  const error = await d.event('worker.accept-error', { error: 'EMFILE' });
  t.like(error, { limit: 200, connections: 1 });
  t.regex(error.msg, /the 200 open files .* 1 connection open: the app has opened most .*\/proc\/\d+\/fd: .* raise the limit \(ulimit -Hn, /);
  await get(address, '/relieve', { agent });
  await waiting;
  t.true(Number((await d.event('worker.accept-recovered', { worker: error['worker'] }))['outMs']) >= 0);
});

test('too few for drover to start: one line, what to do, and an exit code of its own', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-b', '127.0.0.1:0'], { prefix: limited(22) });
  t.is((await d.finished()).code, 9);
  // Where Node opens few files at a time, drover has come as far as to its log.
  const { message, remedy } = d.events('master.failed')[0] ?? /^drover: (?<message>.*)\n {2}(?<remedy>.*)\n$/.exec(d.text)?.groups ?? {};
  t.is(message, 'cannot start: the 22 open files that this process may have are too few');
  t.is(remedy, 'Raise the limit: ulimit -Hn, or LimitNOFILE= in systemd.');
});

test('too few left in a worker for what the master hands it: not the fault of the options that Node was given', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--node-args', `--require ${fixture('limits-its-files.cjs')}`]);
  t.deepEqual(await d.finished(), { code: EXIT_CODES.unfit.code, signal: null });
  t.like(d.events('master.failed')[0], {
    code: 'ERR_DROVER_OPEN_FILES',
    message: 'the 64 open files that a worker may have are all in use before it begins',
    remedy: 'Raise the limit: ulimit -Hn, or LimitNOFILE= in systemd.',
  });
  t.is(d.text, '');
});

for (const [what, bytes] of [['kept with their bytes', 40 * 1024], ['kept open', 70_000]] as const) {
  test(`more files of --static, ${what}, than a worker may have descriptors leave most of these to connections`, async (t) => {
    const dir = files(t, 'file', 300, bytes);
    const d = await start(t, [fixture('starves.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--static', `/=${dir}`], { prefix: limited(256) }).ready();
    const address = await d.address();
    const agent = oneConnection(t);
    const open = (): number => readdirSync(`/proc/${d.workers()[0]!}/fd`).length;
    await get(address, '/', { agent });
    const atRest = open();
    for (let i = 0; i < 300; i++) t.is((await get(address, `/file${i}`, { agent })).body.length, bytes, `file${i}`);
    const grown = open() - atRest;
    t.true(grown > 0 && grown <= 256 / 8, `${grown} more than before`);
    t.is((await get(address, '/file0')).body.length, bytes, 'over a new connection');
    t.deepEqual(d.events('worker.accept-error'), []);
  });
}

test('a file that no descriptor is left for: the cache of --static gives back its own, else 503; what is not there is the app\'s', async (t) => {
  const dir = files(t, 'long', 5, 70_000);
  mkdirSync(join(dir, 'bare'));
  const d = await start(t, [fixture('starves.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--static', `/=${dir}`], { prefix: limited(200) }).ready();
  const address = await d.address();
  const agent = oneConnection(t);
  const ask = (path: string, method = 'GET'): ReturnType<typeof get> => get(address, path, { agent, method });
  const app = (await ask('/starve')).body;
  t.like(await ask('/long0'), { status: 503, body: '' });
  t.is((await ask('/long0', 'HEAD')).status, 503);
  t.is((await ask('/long0', 'POST')).status, 405);
  for (const path of ['/', '/bare', '/bare/', '/long0/', '/nothing', '/nothing/below']) t.like(await ask(path), { status: 200, body: app }, path);
  await ask('/relieve');
  for (let i = 0; i < 4; i++) t.is((await ask(`/long${i}`)).body.length, 70_000);
  await ask('/starve');
  t.like(await ask('/long4'), { status: 200, body: 'x'.repeat(70_000) });
  await ask('/relieve');
});

test('a file that the app sends, and no descriptor is left for, is 503 and not forbidden, and the log says why', async (t) => {
  const dir = files(t, 'long', 1, 70_000);
  writeFileSync(join(dir, 'file'), 'the file');
  const env = { FILES: dir, DROVER_INDEX: join(ROOT, 'dist/src/index.js') };
  const d = await start(t, [fixture('../files/starving.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--static', `/static=${dir}`, '--sendfile-root', dir], { prefix: limited(200), env }).ready();
  const address = await d.address();
  const agent = oneConnection(t);
  const ask = (path: string): ReturnType<typeof get> => get(address, path, { agent });
  const ways = ['/sendfile', '/express', '/koa', '/fastify'];
  for (const path of ways) t.like(await ask(path), { status: 200, body: 'the file' }, path);
  t.is((await ask('/nothing')).status, 404);
  await ask('/static/long0');
  await ask('/starve');
  t.like(await ask('/sendfile'), { status: 200, body: 'the file' }, 'with what --static gave back');
  await ask('/starve');
  for (const path of ways) t.is((await ask(path)).status, 503, path);
  const { body, headers } = await ask('/sendfile');
  t.deepEqual([body, headers['cache-control'], headers['content-disposition']], ['Service Unavailable\n', 'no-store', undefined]);
  t.is((await ask('/nothing')).status, 503, 'it cannot be known');
  t.deepEqual(JSON.parse((await ask('/error')).body), { code: 'EMFILE', statusCode: 503, untouched: true });
  const failed = await d.event('http.sendfile-failed');
  t.like(failed, { path: 'file', url: '/sendfile', root: dir, error: 'EMFILE', count: 1 });
  t.is(failed.msg, 'X-Sendfile: file cannot be opened: EMFILE, the 200 open files that this process may have are all in use; /sendfile was answered with 503: raise the limit (ulimit -Hn, or LimitNOFILE= in systemd)');
  t.deepEqual(d.events('http.sendfile-refused'), []);
  await ask('/relieve');
  for (const path of ways) t.like(await ask(path), { status: 200, body: 'the file' }, path);
});

for (const [what, bytes] of [['with their bytes', 40 * 1024], ['open', 70_000]] as const) {
  test(`a connection that no descriptor is left for has one of those that --static keeps ${what}`, async (t) => {
    const dir = files(t, 'file', 5, bytes);
    const d = await start(t, [fixture('starves.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--static', `/=${dir}`], { prefix: limited(200) }).ready();
    const address = await d.address();
    const agent = oneConnection(t);
    for (let i = 0; i < 5; i++) await get(address, `/file${i}`, { agent });
    const { body } = await get(address, '/starve', { agent });
    t.is((await get(address, '/')).body, body);
    await get(address, '/relieve', { agent });
  });
}

for (const [what, bytes] of [['kept with its bytes', 40 * 1024], ['kept open', 70_000]] as const) {
  test(`a file of --static, ${what}, reaches a slow client whole when no descriptor is left to wait with, and the access log knows its length`, async (t) => {
    const dir = files(t, 'file', 1, bytes);
    const d = await start(t, [fixture('starves.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--static', `/=${dir}`, '--access-logfile', '-', '--access-log-format', '%(U)s %(s)s %(B)s'], { prefix: limited(200) }).ready();
    const address = await d.address();
    const agent = oneConnection(t);
    await get(address, '/file0', { agent });
    const slow = net.connect(address as net.NetConnectOpts);
    t.teardown(() => slow.destroy());
    let received = 0;
    let whole = Infinity;
    const all = new Promise<void>((resolve) => {
      slow.on('data', (chunk: Buffer) => (received += chunk.length) >= whole && resolve());
      slow.on('error', () => {});
      slow.on('close', () => resolve());
    });
    const request = 'GET /file0 HTTP/1.1\r\nHost: a\r\n\r\n';
    slow.write(request);
    const one = await poll('the first answer', () => (received > bytes ? received : undefined));
    slow.pause();
    await get(address, '/starve', { agent });
    // More than the sockets of both ends hold.
    const requests = Math.ceil((24 << 20) / bytes);
    slow.write(request.repeat(requests));
    await get(address, '/starve', { agent });
    whole = one * (1 + requests);
    slow.resume();
    await all;
    t.is(received, whole);
    await get(address, '/relieve', { agent });
    await d.stop();
    const lines = d.stdout.split('\n').filter((line) => line.startsWith('/file0'));
    t.is(lines.length, requests + 2);
    t.deepEqual([...new Set(lines)], [`/file0 200 ${bytes}`]);
  });
}
