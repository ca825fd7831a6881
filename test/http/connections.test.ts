import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { Connections } from '../../src/http/connections.js';
import { Board, BOARD_BYTES } from '../../src/ipc/board.js';
import { collected } from '../native/support.js';

function setup() {
  const board = new Board(new ArrayBuffer(BOARD_BYTES));
  const connections = new Connections(board, 2);
  let closes = 0;
  connections.onClose = () => closes++;
  return { connections, onBoard: (): number => board.get(2, 'connections'), closes: (): number => closes };
}

function socketOf(server: net.Server): net.Socket {
  const socket = new net.Socket();
  server.emit('connection', socket);
  return socket;
}

async function close(socket: net.Socket): Promise<void> {
  socket.destroy();
  await once(socket, 'close');
}

test('every connection is counted in and out once, whatever the order they close in', async (t) => {
  const { connections, onBoard, closes } = setup();
  const server = net.createServer();
  connections.watch(server);
  const sockets = Array.from({ length: 5 }, () => socketOf(server));
  t.is(onBoard(), 5);
  // The first, the last, one in the middle, and one more that has come meanwhile.
  for (const at of [0, 4, 2]) await close(sockets[at]!);
  t.is(onBoard(), 2);
  const late = socketOf(server);
  t.is(connections.open, 3);
  for (const socket of [late, sockets[1]!, sockets[3]!]) await close(socket);
  t.is(connections.open, 0);
  t.is(onBoard(), 0);
  t.is(closes(), 6);
});

test('the drain finds those that are open, and not those that have closed', async (t) => {
  const { connections } = setup();
  const server = net.createServer();
  connections.watch(server);
  const sockets = Array.from({ length: 4 }, () => socketOf(server));
  await close(sockets[1]!);
  t.is(connections.foreign, 3);
  const responses = sockets.map((socket) => Object.assign(socket, { _httpMessage: { headersSent: false, shouldKeepAlive: true } })._httpMessage);
  connections.close();
  t.deepEqual(responses.map(({ shouldKeepAlive }) => shouldKeepAlive), [false, true, false, false]);
  for (const at of [0, 2, 3]) await close(sockets[at]!);
});

test('a process that has a connection and has ended, unnoticed so far, is no exception', async (t) => {
  const { connections } = setup();
  const server = net.createServer();
  connections.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {});
  t.teardown(() => client.destroy());
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const child = spawn(process.execPath, ['-e', "process.on('message', (_, socket) => process.send('has it'))"], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  child.on('error', (error) => t.fail(String(error)));
  child.send('take', socket);
  connections.sent(socket);
  await once(child, 'message');
  t.true(await connections.sentAway.areOpen());
  child.kill('SIGKILL');
  // No turn of the loop passes meanwhile.
  while (!/^State:\tZ/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8'))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  t.true(child.connected);
  t.false(await connections.sentAway.areOpen());
});

test('connections that were sent away: of a process that is killed before it has taken one, no answer is waited for', async (t) => {
  const { connections } = setup();
  const child = spawn(process.execPath, ['-e', "process.on('message', () => {}); process.send('up')"], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  const server = net.createServer({ pauseOnConnect: true });
  connections.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {});
  t.teardown(() => client.destroy());
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  child.kill('SIGSTOP');
  child.send('take', socket);
  connections.sent(socket);
  const away = connections.sentAway.areOpen();
  child.kill('SIGKILL');
  t.false(await away);
});

test('a socket that the app hands from one of its servers to another is one connection', async (t) => {
  const { connections, onBoard, closes } = setup();
  const [front, behind] = [net.createServer(), http.createServer()];
  connections.watch(front);
  connections.watch(behind);
  const socket = socketOf(front);
  t.is(connections.foreign, 1);
  behind.emit('connection', socket);
  t.is(onBoard(), 1);
  t.is(connections.foreign, 0, 'it speaks HTTP now');
  await close(socket);
  t.is(onBoard(), 0);
  t.is(closes(), 1);
});

test('a drain of long standing closes idle connections, but not while a response is due, nor right after it', async (t) => {
  const { connections } = setup();
  // Ended, and for the most part still to be read by the client.
  const server = http.createServer((_, response) => response.end(Buffer.alloc(32 << 20)));
  connections.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = net.connect(port, '127.0.0.1');
  const requested = once(server, 'request');
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [, response] = (await requested) as [unknown, http.ServerResponse];
  connections.sweep(performance.now() - 60_000, { since: performance.now() - 60_000, ms: 5_000 });
  const [accepted] = connections.sockets();
  t.false(accepted!.destroyed);
  connections.closeIdle();
  t.false(accepted!.destroyed, 'the grace being nearly over');
  client.resume();
  await once(response, 'finish');
  connections.sweep(performance.now() - 60_000, { since: performance.now() - 60_000, ms: 5_000 });
  t.false(accepted!.destroyed, 'its client may have the next request on its way');
  connections.closeIdle();
  t.true(accepted!.destroyed, 'the grace being nearly over');
  client.destroy();
});

test('a server that the app has done with is not kept', async (t) => {
  const { connections } = setup();
  await collected(() => {
    const server = net.createServer();
    connections.watch(server);
    return server;
  });
  t.is(connections.open, 0);
});

/** A frame of HTTP/2 (RFC 9113 4.1). */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const GREETING = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]);
/** GET / of the authority `a`, at stream 1. */
const GET = frame(1, 5, 1, Buffer.from([0x82, 0x86, 0x84, 0x41, 0x01, 0x61]));
const x = Buffer.from('x');

for (const [what, frames] of [
  ['DATA where no stream is', [frame(0, 0, 0, x)]],
  ['SETTINGS of a wrong length', [frame(4, 0, 0, Buffer.alloc(5))]],
  ['a header that cannot be decompressed', [frame(1, 5, 1, Buffer.alloc(6, 0xff))]],
  ['a frame larger than may be', [frame(0, 0, 1, Buffer.alloc(16_385))]],
  ['PING of a wrong length', [frame(6, 0, 0, Buffer.alloc(7))]],
  ['CONTINUATION of nothing', [frame(9, 4, 1, Buffer.alloc(0))]],
  ['an increment of 0', [frame(8, 0, 0, Buffer.alloc(4))]],
  ['DATA of a stream not begun, while a request is under way', [GET, frame(0, 0, 5, x)]],
  ['DATA behind the end of a request', [GET, frame(0, 0, 1, x)]],
] as const) {
  test(`the session of an HTTP/2 client that stays after an error of its own is over: ${what}`, async (t) => {
    const { connections } = setup();
    const over = new Promise<void>((resolve) => (connections.onClose = resolve));
    const server = http2.createServer();
    // Never answered.
    server.on('stream', (stream) => stream.on('error', () => {}));
    connections.watch(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => server.close());
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    t.teardown(() => client.destroy());
    const received: Buffer[] = [];
    client.on('data', (chunk) => received.push(chunk)).on('error', () => {});
    client.write(Buffer.concat([GREETING, ...frames]));
    await Promise.all([once(client, 'close'), over]);
    const answer = Buffer.concat(received);
    let at = 0;
    while (answer[at + 3] !== 7 && at < answer.length) at += 9 + answer.readUIntBE(at, 3);
    t.true(at < answer.length && answer.readUInt32BE(at + 9 + 4) > 0, 'GOAWAY with an error');
    t.is(connections.open, 0);
  });
}

test('a session of HTTP/2 that is closed while requests are under way ends with the last of them', async (t) => {
  const { connections } = setup();
  const over = new Promise<void>((resolve) => (connections.onClose = resolve));
  const server = http2.createServer();
  connections.watch(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const client = http2.connect(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  t.teardown(() => client.destroy());
  const streams = [client.request(), client.request()];
  const begun: http2.ServerHttp2Stream[] = [];
  await new Promise<void>((resolve) => server.on('stream', (stream) => begun.push(stream) === streams.length && resolve()));
  begun[0]!.session!.close();
  await once(client, 'goaway');
  const answers = streams.map(async (stream) => Buffer.concat((await stream.toArray()) as Buffer[]).toString());
  for (const stream of begun) stream.end('answered');
  t.deepEqual(await Promise.all(answers), ['answered', 'answered']);
  await over;
  t.is(connections.open, 0);
});
