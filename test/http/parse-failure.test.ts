/** What is answered to a head that is too large for Node's parser: by what it gave up in, however the bytes come. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import test from 'ava';
import { fixture, poll, ROOT, start, type Address } from '../helpers/drover.js';
import { watchLine } from '../../src/http/unfinished-line.js';
import { get } from '../helpers/http.js';

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const REST = ' HTTP/1.1\r\nHost: x\r\n\r\n';
const HEAD = 'GET / HTTP/1.1\r\nHost: x\r\n';
/** More than the parser takes of a head, by default 36,854 bytes, or half of it. */
const LONG = 'a'.repeat(60_000);
const HALF = 'a'.repeat(30_000);

const cases: Record<string, { parts: string[]; status: string }> = {
  'a request line in one packet': { parts: [`GET /${LONG}${REST}`], status: '414' },
  'a request line without its end': { parts: [`GET /${LONG}`], status: '414' },
  'a request line in two': { parts: [`GET /${HALF}`, `${HALF}${REST}`], status: '414' },
  'a request line in two, without its end': { parts: [`GET /${HALF}`, HALF], status: '414' },
  'a request line in many': { parts: ['GET /', ...Array.from({ length: 5 }, () => 'a'.repeat(8_000))], status: '414' },
  'a request line cut in its method': { parts: ['GE', `T /${HALF}`, HALF], status: '414' },
  'a request line cut after its method': { parts: ['GET', ` /${LONG}`], status: '414' },
  'a request line after an empty one': { parts: ['\r\n', `GET /${HALF}`, HALF], status: '414' },
  'the request line of a later request': { parts: [REQUEST, REQUEST, `GET /${HALF}`, HALF], status: '200, 200, 414' },
  'the request line of a request after one that came in two': { parts: [HEAD, '\r\n', `GET /${LONG}`], status: '200, 414' },
  'the request line of a pipelined request': { parts: [`${REQUEST}GET /${HALF}`, HALF], status: '200, 414' },
  'the request line of a pipelined request, cut in its method': { parts: [`${REQUEST}${REQUEST}G`, `ET /${HALF}`, HALF], status: '200, 200, 414' },
  'a request line after a body in two': { parts: ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc', `de\nGET /${HALF}`, HALF], status: '200, 414' },
  'a request line after a body, where a header has more blanks than it needs': { parts: ['POST / HTTP/1.1\r\nHost:  x\r\nContent-Length: 7\r\n\r\n{"a":1}', `GET /${HALF}`, HALF], status: '200, 414' },
  'a header in one packet': { parts: [`${HEAD}X: ${LONG}\r\n\r\n`], status: '431' },
  'a header in two': { parts: [`${HEAD}X: ${HALF}`, `${HALF}\r\n\r\n`], status: '431' },
  'a header in packets of its own': { parts: [HEAD, `X: ${HALF}`, HALF], status: '431' },
  'a header cut in a name that could be a method': { parts: [`${HEAD}GE`, `T: ${HALF}`, HALF], status: '431' },
  'a header whose value goes on like a request line': { parts: [`${HEAD}X: ${HALF}`, `GET /${HALF}`], status: '431' },
  'a name of a header': { parts: [`${HEAD}${HALF}`, HALF], status: '431' },
  'headers behind a long request line': { parts: [`GET /${'a'.repeat(4_000)} HTTP/1.1\r\nHost: x\r\nX: ${HALF}`, HALF], status: '431' },
  'many headers in many packets': { parts: [HEAD, ...Array.from({ length: 5 }, () => `X: ${'a'.repeat(8_000)}\r\n`)], status: '431' },
  'a header of a later request': { parts: [REQUEST, `${HEAD}X: ${HALF}`, HALF], status: '200, 431' },
  'a header of a pipelined request, whose value goes on like a request line': { parts: [`${REQUEST}${HEAD}X: ${HALF}`, `GET /${HALF}`], status: '200, 431' },
  'a header of a pipelined request': { parts: [`${REQUEST}${HEAD}X: ${HALF}`, HALF], status: '200, 431' },
};

/** Sends each part when the server has read all before it; answers with the status codes when the server has closed. */
async function exchange(address: Address, parts: readonly string[]): Promise<string> {
  const socket = net.connect(address as net.TcpNetConnectOpts);
  const answered = answersOf(socket);
  await new Promise((resolve) => socket.once('connect', resolve));
  let sent = 0;
  for (const part of parts) {
    await poll('the server to read', async () => {
      const { body } = await get(address, `/${socket.localPort!}`);
      return Number(body) === sent ? true : undefined;
    });
    socket.write(part);
    sent += part.length;
  }
  return answered;
}

async function answersOf(socket: net.Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (data: string) => (text += data));
  await new Promise((resolve, reject) => socket.on('close', resolve).on('error', reject));
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => status).join(', ');
}

test('a head that is too large is answered by what is too large in it, however it is cut', async (t) => {
  const d = start(t, [fixture('bytes-read.cjs'), '-b', '127.0.0.1:0', '-w', '1']);
  await d.ready();
  const address = await d.address();
  for (const [name, { parts, status }] of Object.entries(cases)) t.is(await exchange(address, parts), status, name);
});

// A record of TLS has at most 16 KiB, and each is a packet for the parser.
const EXAMPLE = ['--certfile', join(ROOT, 'examples/https/cert.pem'), '--keyfile', join(ROOT, 'examples/https/key.pem')];
for (const [name, args] of [['drover\'s TLS', [fixture('bytes-read.cjs'), ...EXAMPLE]], ['the app\'s own TLS', [fixture('own-https.cjs')]]] as const) {
  test(`a head that is too large is answered by what is too large in it: ${name}`, async (t) => {
    const d = start(t, [...args, '-b', '127.0.0.1:0', '-w', '1']);
    await d.ready();
    const { port } = (await d.address()) as { port: number };
    for (const [text, status] of [[`GET /${LONG}${REST}`, '414'], [`${HEAD}X: ${LONG}\r\n\r\n`, '431']] as const) {
      const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
      socket.write(text);
      t.is(await answersOf(socket), status);
    }
  });
}

test('a socket that is watched twice is watched once', async (t) => {
  const server = http.createServer((_request, response) => response.end('answered'));
  server.on('connection', watchLine).on('connection', watchLine).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  t.is((await get({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port })).body, 'answered');
});
