/** --write-timeout: who takes nothing is disconnected, however the bytes go to it; who reads slowly is not. */
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { fixture, openDescriptors, poll, ROOT, scratch, start, type Address, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const HUGE_BYTES = 64 << 20;
const CERTIFICATE = { cert: join(ROOT, 'examples/https/cert.pem'), key: join(ROOT, 'examples/https/key.pem') };
const DROVER_INDEX = join(ROOT, 'dist/src/index.js');

function connect(t: ExecutionContext, address: Address): net.Socket {
  const socket = net.connect('socketPath' in address ? { path: address.socketPath } : address);
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  return socket;
}

async function connectTls(t: ExecutionContext, address: Address, protocol?: string): Promise<tls.TLSSocket> {
  const socket = tls.connect({ ...address, rejectUnauthorized: false, ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }) });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** Asks, and reads none of the answer. */
function stall(socket: net.Socket, path: string): void {
  socket.pause();
  socket.write(request(path));
}

/** Asks, and reads a little twenty times a second until it is told to hurry; then how many bytes came in all. */
function trickle(socket: net.Socket, path: string): { bytes: () => number; hurry: () => Promise<number> } {
  let bytes = 0;
  let slow = true;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (!slow) return;
    socket.pause();
    setTimeout(() => socket.resume(), 50);
  });
  socket.write(request(path).replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  return {
    bytes: () => bytes,
    hurry: async () => {
      slow = false;
      if (!socket.closed) await once(socket, 'close');
      return bytes;
    },
  };
}

const sockets = (pid: number): number => openDescriptors(pid, 'socket:');

for (const flags of [[], ['--no-sendfile']]) {
  for (const kind of ['tcp', 'unix'] as const) {
    test.serial(`a file: who reads nothing is cut and its file closed, who reads slowly gets all of it: ${kind} ${flags.join()}`, async (t) => {
      const root = scratch(t);
      writeFileSync(join(root, 'huge.bin'), '');
      truncateSync(join(root, 'huge.bin'), HUGE_BYTES);
      const bind = kind === 'tcp' ? '127.0.0.1:0' : `unix:${join(root, 'socket')}`;
      const d = await start(t, [join(ROOT, 'test/fixtures/files/handler.mjs'), '-b', bind, '--static', `/static=${root}`, '--write-timeout', '2', ...flags], { env: { FILES: root, DROVER_INDEX } }).ready();
      const address = await d.address();
      const pid = d.workers()[0]!;
      const slow = trickle(connect(t, address), '/api/huge.bin');
      await poll('the slow transfer', () => (slow.bytes() > 1 << 20 ? true : undefined));
      const open = openDescriptors(pid, 'huge.bin');
      t.true(open > 0);
      for (const route of ['api', 'pipeline']) {
        stall(connect(t, address), `/${route}/huge.bin`);
        await poll(`the transfer of ${route}`, () => (openDescriptors(pid, 'huge.bin') > open ? true : undefined));
        await poll(`the end of ${route}`, () => (openDescriptors(pid, 'huge.bin') === open ? true : undefined));
      }
      t.like(await d.event('connection.stalled'), { timeoutMs: 2000, ended: 'connection', peer: kind === 'tcp' ? '127.0.0.1' : 'a unix socket' });
      // The cache keeps this one open: its connection is what goes.
      const others = sockets(pid);
      stall(connect(t, address), '/static/huge.bin');
      await poll('the connection', () => (sockets(pid) > others ? true : undefined));
      await poll('its end', () => (sockets(pid) === others ? true : undefined));
      t.true(slow.bytes() < HUGE_BYTES, 'it was still reading');
      t.true((await slow.hurry()) > HUGE_BYTES);
    });
  }
}

function edge(t: ExecutionContext, shape: string, ...args: string[]): Promise<Drover> {
  return start(t, [fixture('edge.cjs'), '-b', '127.0.0.1:0', '--write-timeout', '1', ...args], { env: { SHAPE: shape, TLS_CERT: CERTIFICATE.cert, TLS_KEY: CERTIFICATE.key } }).ready();
}

const FRONT = ['--certfile', CERTIFICATE.cert, '--keyfile', CERTIFICATE.key];

for (const [name, shape, args] of [['TLS of drover', 'handler', FRONT], ['TLS of the app', 'https', []]] as const) {
  test.serial(`${name}: who reads nothing is cut, who reads slowly is not`, async (t) => {
    const d = await edge(t, shape, ...args);
    const address = await d.address();
    const slow = trickle(await connectTls(t, address), '/big');
    stall(await connectTls(t, address), '/big');
    t.like(await d.event('connection.stalled'), { ended: 'connection', peer: '127.0.0.1' });
    t.true(slow.bytes() < HUGE_BYTES);
    t.true((await slow.hurry()) > HUGE_BYTES);
    t.is((await get(address, '/', { tls: true })).status, 200);
    t.deepEqual(d.events('worker.died'), []);
  });
}

/** A client of HTTP/2 whose windows are wide open: preface, SETTINGS, WINDOW_UPDATE, HEADERS of GET /big. */
function askHttp2(scheme: 'http' | 'https'): Buffer {
  const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  const wide = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
  const more = Buffer.alloc(4);
  more.writeUInt32BE(0x7fff0000);
  const fields = Buffer.concat([Buffer.from([0x82, scheme === 'http' ? 0x86 : 0x87, 0x04, 4]), Buffer.from('/big'), Buffer.from([0x01, 1]), Buffer.from('x')]);
  return Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, wide), frame(8, 0, 0, more), frame(1, 5, 1, fields)]);
}

for (const [name, shape, secure, args] of [
  ['without TLS', 'handler', false, ['--http-protocols', 'h1,h2']],
  ['over TLS', 'handler', true, [...FRONT, '--http-protocols', 'h2,h1']],
  ['of the app', 'http2', true, []],
] as const) {
  test.serial(`HTTP/2 ${name}: a client that does not read its connection is cut`, async (t) => {
    const d = await edge(t, shape, ...args);
    const address = await d.address();
    const pid = d.workers()[0]!;
    const before = sockets(pid);
    const socket = secure ? await connectTls(t, address, 'h2') : connect(t, address);
    socket.pause();
    socket.write(askHttp2(secure ? 'https' : 'http'));
    await poll('the connection', () => (sockets(pid) > before ? true : undefined));
    t.like(await d.event('connection.stalled'), { ended: 'connection', peer: '127.0.0.1' });
    await poll('its end', () => (sockets(pid) === before ? true : undefined));
    t.deepEqual(d.events('worker.died'), []);
  });
}

for (const [scheme, args] of [['http', ['--http-protocols', 'h1,h2']], ['https', [...FRONT, '--http-protocols', 'h2,h1']]] as const) {
  test.serial(`HTTP/2: a stream whose client opens no window is reset, and its connection goes on: ${scheme}`, async (t) => {
    const root = scratch(t);
    writeFileSync(join(root, 'huge.bin'), '');
    truncateSync(join(root, 'huge.bin'), HUGE_BYTES);
    const d = await edge(t, 'handler', ...args, '--static', `/static=${root}`);
    const { port } = (await d.address()) as { port: number };
    const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
    t.teardown(() => session.destroy());
    const stuck = session.request({ ':path': '/static/huge.bin' });
    stuck.on('error', () => {});
    await once(stuck, 'response');
    // The client closes it at the reset, or, by the line of Node, once what has come is read.
    const closed = once(stuck, 'close');
    t.like(await d.event('connection.stalled'), { ended: 'stream', peer: '127.0.0.1' });
    stuck.resume();
    await closed;
    t.is(stuck.rstCode, http2.constants.NGHTTP2_CANCEL);
    const next = session.request({ ':path': '/' });
    const [headers] = (await once(next.resume(), 'response')) as [http2.IncomingHttpHeaders];
    t.is(Number(headers[':status']), 200);
    t.deepEqual(d.events('worker.died'), []);
  });
}
