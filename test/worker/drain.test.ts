import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { native } from '../../src/native.js';
import { monotonicMs } from '../../src/ipc/clock.js';
import { State } from '../../src/ipc/board.js';
import { poll } from '../helpers/drover.js';
import { FakeMaster, type FakeMasterOptions } from '../helpers/fake-master.js';

const APPS = fileURLToPath(new URL('../../../test/fixtures/apps/', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));
const GRACE_MS = 20_000;

function start(t: ExecutionContext, options: Partial<FakeMasterOptions> & { app: string }): FakeMaster {
  const master = new FakeMaster({ cwd: APPS, ...options });
  t.teardown(async () => {
    master.kill();
    await master.exited;
  });
  return master;
}

/** One raw connection, and all it has received. */
class Client {
  text = '';
  readonly closed: Promise<unknown>;
  constructor(readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (text: string) => (this.text += text));
    socket.on('error', () => {});
    this.closed = once(socket, 'close');
    // Whoever waits for it learns that it was reset. Nobody does of those that waited in the queue of a port of the app's own when that was closed.
    this.closed.catch(() => {});
  }
  send(path: string, ...headers: string[]): void {
    this.socket.write([`GET ${path} HTTP/1.1`, 'Host: x', ...headers, '', ''].join('\r\n'));
  }
  async until(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      if (this.socket.destroyed) throw new Error(`closed before ${text}: ${this.text}`);
      await Promise.race([once(this.socket, 'data'), this.closed]);
    }
  }
}

async function client(t: ExecutionContext, port: number, tls = false): Promise<Client> {
  const socket = tls ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connectTcp(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, tls ? 'secureConnect' : 'connect');
  return new Client(socket);
}

/** The worker's board cell, once it has the value: it changes with events the worker does not tell us of. */
async function cell(master: FakeMaster, field: 'connections' | 'requestsInFlight' | 'state', value: number): Promise<void> {
  while (master.board.get(master.row, field) !== value) await new Promise((resolve) => setTimeout(resolve, 5));
}

function drain(master: FakeMaster, close: 'all' | string[] = 'all', graceMs = GRACE_MS): void {
  master.send({ type: 'drain', killAtMs: monotonicMs() + graceMs, close, reason: 'test' });
}

async function draining(master: FakeMaster): Promise<void> {
  drain(master);
  await cell(master, 'state', State.draining);
}

test('an idle worker exits at once', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  await master.ready();
  t.is(master.board.get(master.row, 'state'), State.ready);
  drain(master);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('a running request is answered with Connection: close, then the worker exits', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/slow');
  await cell(master, 'requestsInFlight', 1);
  t.deepEqual(master.inflight, ['GET /slow']);
  await draining(master);
  master.kill('SIGUSR2');
  await one.until('slow');
  t.regex(one.text, /^HTTP\/1\.1 200 OK\r\n/);
  t.regex(one.text, /Connection: close/i);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('an idle keep-alive connection still gets an answer, and Connection: close with it', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/fast');
  await one.until('\r\n\r\nfast');
  t.regex(one.text, /Connection: keep-alive/i);
  await draining(master);
  one.text = '';
  one.send('/fast');
  await one.until('\r\n\r\nfast');
  t.regex(one.text, /Connection: close/i);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('an idle keep-alive connection ends by its keep-alive time, and the worker with it', async (t) => {
  const master = start(t, { app: 'slow.cjs', env: { KEEP_ALIVE_MS: '300' } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/fast');
  await one.until('\r\n\r\nfast');
  await draining(master);
  await one.closed;
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('idle connections with a longer keep-alive time do not hold up a stop', async (t) => {
  const HOUR_MS = 3_600_000;
  const master = start(t, { app: 'slow.cjs', env: { KEEP_ALIVE_MS: String(HOUR_MS) } });
  const { port } = await master.ready();
  const [one, silent] = [await client(t, port), await client(t, port)];
  one.send('/fast');
  await one.until('\r\n\r\nfast');
  await cell(master, 'connections', 2);
  drain(master, 'all', HOUR_MS);
  await Promise.all([one.closed, silent.closed]);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

for (const env of [{}, { LISTENS_TO_TERM: '1' }]) {
  test(`a request that the app asks itself about is answered: ${JSON.stringify(env)}`, async (t) => {
    const master = start(t, { app: 'asks-itself.cjs', env });
    const { port } = await master.ready();
    const one = await client(t, port);
    one.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n');
    await cell(master, 'requestsInFlight', 1);
    drain(master);
    await cell(master, 'state', State.draining);
    one.socket.write('.');
    await one.until('its own');
    await one.closed;
    t.deepEqual(await master.exited, { code: 0, signal: null });
  });
}

test('clients of a port that only the app should know do not hold it up', async (t) => {
  const master = start(t, { app: 'asks-itself.cjs' });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/', 'Connection: close');
  await one.closed;
  const ownPort = Number(/own-port: (\d+)/.exec(one.text)![1]);
  const outside = await client(t, ownPort);
  outside.send('/');
  await outside.until('its own');
  drain(master);
  // New ones as fast as can be, until nobody listens. Those that are queued when the socket is closed are reset.
  const codes = new Set<string | undefined>();
  while (!codes.has('ECONNREFUSED')) {
    const next = await client(t, ownPort).catch((error: NodeJS.ErrnoException) => error);
    if (!(next instanceof Client)) codes.add(next.code);
  }
  t.deepEqual([...codes].filter((code) => code !== 'ECONNRESET'), ['ECONNREFUSED']);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('a stop while a worker drains for a reload: idle connections do not hold it up any more', async (t) => {
  const HOUR_MS = 3_600_000;
  const master = start(t, { app: 'slow.cjs', env: { KEEP_ALIVE_MS: String(HOUR_MS) } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/fast');
  await one.until('\r\n\r\nfast');
  drain(master, [], HOUR_MS);
  await cell(master, 'state', State.draining);
  drain(master, 'all', HOUR_MS);
  await one.closed;
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('a connection that has not sent its first request yet is answered', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  const one = await client(t, port);
  await cell(master, 'connections', 1);
  await draining(master);
  one.send('/fast');
  await one.until('\r\n\r\nfast');
  t.regex(one.text, /Connection: close/i);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('a connection that never sends anything ends after the keep-alive time', async (t) => {
  const master = start(t, { app: 'slow.cjs', env: { KEEP_ALIVE_MS: '300' } });
  const { port } = await master.ready();
  const one = await client(t, port);
  await cell(master, 'connections', 1);
  drain(master);
  await one.closed;
  t.is(one.text, '');
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('a request that has begun to come is not cut off by the keep-alive time', async (t) => {
  const master = start(t, { app: 'slow.cjs', env: { KEEP_ALIVE_MS: '200' } });
  const { port } = await master.ready();
  const half = await client(t, port);
  half.socket.write('GET /fast HTTP/1.1\r\nHo');
  const silent = await client(t, port);
  await cell(master, 'connections', 2);
  drain(master);
  // By the time the silent one is closed, the half one would be, too.
  await silent.closed;
  half.socket.write('st: x\r\n\r\n');
  await half.until('\r\n\r\nfast');
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('a response whose headers are out goes on; its connection ends after it', async (t) => {
  const master = start(t, { app: 'slow.cjs', env: { KEEP_ALIVE_MS: '200' } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/stream');
  await one.until('begun ');
  await draining(master);
  master.kill('SIGUSR2');
  await one.until('slow');
  await one.closed;
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('pipelined requests are all answered', async (t) => {
  const master = start(t, { app: 'slow.cjs', env: { KEEP_ALIVE_MS: '200' } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/slow');
  one.send('/slow');
  one.send('/fast');
  await cell(master, 'requestsInFlight', 3);
  await draining(master);
  master.kill('SIGUSR2');
  await one.closed;
  // HTTP lets a server that says close after the first answer leave the rest to the client; none may be lost without it.
  t.regex(one.text, /Connection: close/i);
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.is(master.board.get(master.row, 'requestsInFlight'), 0);
});

test('queued connections are accepted and answered when nobody else will', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  // The worker stands still, so that these wait in the kernel's queue.
  master.kill('SIGSTOP');
  const clients = await Promise.all(Array.from({ length: 20 }, () => client(t, port)));
  drain(master, 'all');
  for (const one of clients) one.send('/fast');
  master.kill('SIGCONT');
  for (const one of clients) await one.until('\r\n\r\nfast');
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('queued connections are left to others when there are others', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  master.kill('SIGSTOP');
  const one = await client(t, port);
  one.send('/fast');
  drain(master, []);
  master.kill('SIGCONT');
  t.deepEqual(await master.exited, { code: 0, signal: null });
  // The worker has woken for it and answered, or it waits in the queue of the master's socket: never is it dropped.
  const queue = native.queueLength(master.sockets.get(0)!.fd) as { length: number };
  if (queue.length === 0) {
    await one.closed;
    t.true(one.text.includes('\r\n\r\nfast'), one.text);
  } else {
    t.is(queue.length, 1);
    t.false(one.socket.destroyed);
  }
});

test('TLS: running, idle and silent connections', async (t) => {
  const master = start(t, { app: 'https/app.js', cwd: EXAMPLES });
  const { port } = await master.ready();
  const idle = await client(t, port, true);
  idle.send('/');
  await idle.until('Hello over TLS');
  const silent = await client(t, port, true);
  await cell(master, 'connections', 2);
  await draining(master);
  silent.send('/');
  await silent.until('Hello over TLS');
  t.regex(silent.text, /Connection: close/i);
  await silent.closed;
  idle.text = '';
  idle.send('/');
  await idle.until('Hello over TLS');
  t.regex(idle.text, /Connection: close/i);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('HTTP/2: a running stream ends, the session goes away', async (t) => {
  const master = start(t, { app: 'http2.mjs' });
  const { origin } = await master.ready();
  const session = connectHttp2(origin);
  t.teardown(() => session.destroy());
  const goaway = once(session, 'goaway');
  const stream = session.request({ ':path': '/slow' }).setEncoding('utf8');
  let text = '';
  stream.on('data', (part: string) => (text += part));
  const ended = once(stream, 'end');
  await cell(master, 'requestsInFlight', 1);
  t.deepEqual(master.inflight, ['GET /slow']);
  await draining(master);
  await goaway;
  master.kill('SIGUSR2');
  await ended;
  t.is(text, 'h2 /slow');
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.is(master.board.get(master.row, 'requestsInFlight'), 0);
});

for (const tls of [false, true]) {
  test(`HTTP/2: a request that came after the order to drain is answered${tls ? ' (TLS)' : ''}`, async (t) => {
    const master = start(t, { app: 'http2.mjs', env: tls ? { TLS: EXAMPLES } : {} });
    const { port } = await master.ready();
    const session = connectHttp2(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`, { rejectUnauthorized: false });
    t.teardown(() => session.destroy());
    await once(session, 'remoteSettings');
    await cell(master, 'connections', 1);
    master.kill('SIGSTOP');
    drain(master);
    const stream = session.request({ ':path': '/late' }).setEncoding('utf8');
    let text = '';
    stream.on('data', (part: string) => (text += part));
    // Its frames are written within the next turns.
    for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
    master.kill('SIGCONT');
    await once(stream, 'end');
    t.is(text, 'h2 /late');
    t.deepEqual(await master.exited, { code: 0, signal: null });
  });
}

test('an upgraded connection is left alone while the grace lasts', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/', 'Connection: Upgrade', 'Upgrade: echo');
  await one.until('101 Switching Protocols');
  t.is(master.board.get(master.row, 'requestsInFlight'), 0, 'an upgrade is no request');
  await draining(master);
  one.socket.write('still there?');
  await one.until('still there?');
  one.socket.end();
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('an app with a TERM listener ends its upgraded connections itself, once HTTP is done', async (t) => {
  const master = start(t, { app: 'upgrade-term.cjs' });
  const { port } = await master.ready();
  const upgraded = await client(t, port);
  upgraded.send('/', 'Connection: Upgrade', 'Upgrade: x');
  await upgraded.until('101 Switching Protocols');
  const plain = await client(t, port);
  await cell(master, 'connections', 2);
  await draining(master);
  plain.send('/');
  await plain.until('\r\n\r\nok');
  await upgraded.until('bye');
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('an app with a TERM listener ends its server-sent events itself before the grace is over, and no request that comes meanwhile is lost', async (t) => {
  const master = start(t, { app: 'events-term.cjs', env: { HTTP2: '1' } });
  const { origin } = await master.ready();
  const session = connectHttp2(origin);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/events' }).setEncoding('utf8');
  let text = '';
  stream.on('data', (part: string) => (text += part));
  const ended = once(stream, 'end');
  await once(stream, 'data');
  drain(master, 'all', 2000);
  await cell(master, 'state', State.draining);
  const [headers] = (await once(session.request({ ':path': '/' }).resume(), 'response')) as [{ ':status': number }];
  t.is(headers[':status'], 200);
  t.false(text.includes('bye'));
  await ended;
  t.true(text.endsWith('data: bye\n\n'));
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('a request that does not end: the TERM listeners run before the grace is over', async (t) => {
  const master = start(t, { app: 'term.cjs', env: { EXIT: 'exit' } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/');
  await one.until('begun ');
  drain(master, 'all', 1000);
  t.deepEqual(await master.exited, { code: 5, signal: null });
  t.is(master.stdout, 'app TERM SIGTERM\n');
  t.like(master.messages.find(({ type }) => type === 'log'), { event: 'worker.grace-ending', fields: { connections: 1 } });
});

test("Fastify's preClose hooks end its WebSockets", async (t) => {
  const master = start(t, { app: 'fastify-pre-close.mjs' });
  const { port } = await master.ready();
  const upgraded = await client(t, port);
  upgraded.send('/', 'Connection: Upgrade', 'Upgrade: x');
  await upgraded.until('101 Switching Protocols');
  drain(master, 'all', 600_000);
  await upgraded.until('bye');
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.is(master.stdout, 'onClose\n');
});

test('idle connections with a keep-alive time longer than the grace are closed before its end', async (t) => {
  const master = start(t, { app: 'slow.cjs', env: { KEEP_ALIVE_MS: '600000' } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/fast');
  await one.until('\r\n\r\nfast');
  drain(master, 'all', 1000);
  await one.closed;
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test("the app's TERM listeners run after the last request, and their exit counts", async (t) => {
  const master = start(t, { app: 'term.cjs', env: { EXIT: 'exit' } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/');
  await one.until('begun ');
  await draining(master);
  t.is(master.stdout, '');
  master.kill('SIGUSR2');
  await one.until('done');
  one.socket.end();
  t.deepEqual(await master.exited, { code: 5, signal: null });
  t.is(master.stdout, 'app TERM SIGTERM\n');
});

test('an app that closes all it has on TERM ends by itself', async (t) => {
  const master = start(t, { app: 'term.cjs', env: { EXIT: 'close' } });
  await master.ready();
  drain(master);
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.is(master.stdout, 'app TERM SIGTERM\n');
});

test('an app that takes its TERM listener away and sends itself the signal again ends at once', async (t) => {
  const master = start(t, { app: 'raises-term.cjs' });
  await master.ready();
  // Longer than the test may take.
  drain(master, 'all', 600_000);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('one that does so while a WebSocket is open ends with it', async (t) => {
  const master = start(t, { app: 'raises-term.cjs' });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/', 'Connection: Upgrade', 'Upgrade: echo');
  await one.until('101 Switching Protocols');
  drain(master, 'all', 600_000);
  await one.until('told ');
  one.socket.write('still there?');
  await one.until('still there?');
  one.socket.end();
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('another TERM, which it has not sent itself, does not disturb an app that cleans up', async (t) => {
  const master = start(t, { app: 'cleans-up.cjs' });
  await master.ready();
  drain(master, 'all', 600_000);
  await poll('its clean-up', () => (master.stdout === 'cleaning\n' ? true : undefined));
  // Of two that are pending the kernel delivers the lower number first.
  master.kill('SIGTERM');
  master.kill('SIGWINCH');
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.is(master.stdout, 'cleaning\nclean\n');
});

test('an app whose TERM listeners do not end it gets the rest of the grace', async (t) => {
  const master = start(t, { app: 'term.cjs' });
  await master.ready();
  drain(master, 'all', 600);
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.is(master.stdout, 'app TERM SIGTERM\n');
});

test('TERM from somebody else: it drains by itself and says so', async (t) => {
  const master = start(t, { app: 'term.cjs', env: { EXIT: 'exit' } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/');
  await one.until('begun ');
  master.kill('SIGTERM');
  t.regex((await master.message('draining')).reason, /SIGTERM/);
  t.is(master.stdout, '', "the app's listeners do not run while a request does");
  master.kill('SIGUSR2');
  await one.until('done');
  one.socket.end();
  t.deepEqual(await master.exited, { code: 5, signal: null });
});

test('TERM from somebody else, twice, and the master stopping at the same time: one drain, queued connections answered', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  master.kill('SIGSTOP');
  const one = await client(t, port);
  one.send('/fast');
  master.kill('SIGTERM');
  drain(master, 'all');
  master.kill('SIGCONT');
  await one.until('\r\n\r\nfast');
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('INT, QUIT and HUP do not end a worker', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) master.kill(signal);
  const one = await client(t, port);
  one.send('/fast', 'Connection: close');
  await one.until('\r\n\r\nfast');
  await one.closed;
  drain(master);
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('the master gone: requests are finished, exit code 7', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/slow');
  await cell(master, 'requestsInFlight', 1);
  master.vanish();
  await cell(master, 'state', State.draining);
  master.kill('SIGUSR2');
  await one.until('slow');
  t.deepEqual(await master.exited, { code: 7, signal: null });
});

test('the master gone: a request that does not end is bounded by the grace', async (t) => {
  const master = start(t, { app: 'slow.cjs', config: { gracefulTimeoutMs: 500 } });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/slow');
  await cell(master, 'requestsInFlight', 1);
  master.vanish();
  t.deepEqual(await master.exited, { code: 7, signal: null });
});

test('quit: at once, whatever runs', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { port } = await master.ready();
  const one = await client(t, port);
  one.send('/slow');
  await cell(master, 'requestsInFlight', 1);
  master.send({ type: 'quit', killAtMs: monotonicMs() + 2000, reason: 'test' });
  t.deepEqual(await master.exited, { code: 0, signal: null });
});

test('told to drain while it boots', async (t) => {
  const master = start(t, { app: 'tla-after-listen.mjs' });
  await master.message('listen');
  drain(master);
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.false(master.messages.some(({ type }) => type === 'ready' || type === 'boot-failed'));
});

test("Fastify's onClose hooks run after the last connection", async (t) => {
  const master = start(t, { app: 'fastify-ready.mjs' });
  await master.ready();
  drain(master);
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.is(master.stdout, 'onClose\n');
});
