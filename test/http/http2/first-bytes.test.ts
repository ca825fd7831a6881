import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import test from 'ava';
import { beginsHttp2, FirstBytes } from '../../../src/http/http2/first-bytes.js';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

test('the preface, whole, with more behind it, and in part', (t) => {
  t.true(beginsHttp2(Buffer.from(PREFACE)));
  t.true(beginsHttp2(Buffer.from(`${PREFACE}more`)));
  for (let n = 1; n < PREFACE.length; n++) t.is(beginsHttp2(Buffer.from(PREFACE.slice(0, n))), undefined, String(n));
});

test('anything else is HTTP/1, from the first byte that differs', (t) => {
  for (const text of ['G', 'POST / HTTP/1.1', 'PUT', 'PROPFIND', 'PRI /', 'PRI * HTTP/1.1\r\n', '\x16\x03\x01']) t.false(beginsHttp2(Buffer.from(text)), text);
});

async function listen(t: { teardown(fn: () => void): void }, timeoutMs: number, onSocket: (socket: net.Socket) => void = () => {}): Promise<number> {
  const h1 = http.createServer((request, response) => void request.resume().on('end', () => response.end(`${request.method} ${request.httpVersion}`)));
  const h2 = http2.createServer((_request, response) => void response.end('2.0'));
  const server = net.createServer((socket) => {
    onSocket(socket);
    new FirstBytes(socket, timeoutMs, (isHttp2) => void (isHttp2 ? h2 : h1).emit('connection', socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

test('a request in single bytes is read whole', async (t) => {
  const port = await listen(t, 0);
  const socket = net.connect(port, '127.0.0.1');
  let answer = '';
  socket.setNoDelay(true).on('data', (chunk: Buffer) => (answer += chunk.toString()));
  for (const byte of 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc') {
    socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await once(socket, 'close');
  t.regex(answer, /\r\n\r\n(8\r\n)?PUT 1\.1/);
});

test('a client of HTTP/2 is one, also when its preface comes in pieces', async (t) => {
  const port = await listen(t, 0);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request();
  stream.setEncoding('utf8').on('data', (text) => t.is(text, '2.0'));
  await once(stream, 'close');
  session.close();

  const pieces = net.connect(port, '127.0.0.1').setNoDelay(true);
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  for (const piece of [PREFACE.slice(0, 5), PREFACE.slice(5, 20), PREFACE.slice(20)]) {
    pieces.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  pieces.write(settings);
  const [answer] = (await once(pieces, 'data')) as [Buffer];
  t.is(answer[3], 4, 'a SETTINGS frame');
  pieces.destroy();
});

test('who says nothing, or half a preface, is let go after the time', async (t) => {
  const port = await listen(t, 50);
  for (const text of ['', 'PRI * HT']) {
    const socket = net.connect(port, '127.0.0.1');
    socket.write(text);
    socket.resume();
    await once(socket, 'close');
  }
  t.pass();
});

test('who leaves before saying anything leaves nothing behind', async (t) => {
  let accepted: net.Socket | undefined;
  const port = await listen(t, 60_000, (socket) => (accepted = socket));
  const socket = net.connect(port, '127.0.0.1');
  socket.end('PR');
  await once(socket.resume(), 'close');
  t.true(accepted!.destroyed || (await once(accepted!, 'close').then(() => true)));
});
