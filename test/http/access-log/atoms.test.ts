import type { Socket } from 'node:net';
import test from 'ava';
import { ATOMS, parseLogFormat, type AtomName } from '../../../src/config/access-log-format.js';
import { compileFormat } from '../../../src/http/access-log/atoms.js';
import { LogClock } from '../../../src/http/access-log/clock.js';
import { peerOf, type Exchange } from '../../../src/http/access-log/exchange.js';
import { kCarriesId } from '../../../src/http/request-info.js';
import { bytesOf, exchangeOf, requestOf, type Given } from './support.js';

const origin = { pid: 42, slot: 3 };

function format(text: string, exchange: Exchange): string {
  const pieces = parseLogFormat(text);
  if (!Array.isArray(pieces)) throw new Error(pieces.what);
  return compileFormat(pieces, origin, new LogClock(() => Date.UTC(2026, 10, 24, 10, 0, 35)))(exchange);
}

const basic = (credentials: string): string => `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`;

// What is given of the request and its answer, and what the atom prints.
const CASES: Record<AtomName, [Given, string | RegExp][]> = {
  h: [[{}, '10.0.0.9'], [{ client: '' }, '-'], [{ client: '::1' }, '::1'], [{ client: 'a b"c' }, 'a\\x20b\\"c']],
  l: [[{}, '-']],
  u: [
    [{}, '-'],
    [{ headers: { authorization: basic('ann:secret:x') } }, 'ann'],
    [{ headers: { authorization: basic('ann') } }, 'ann'],
    [{ headers: { authorization: basic(':secret') } }, '-'],
    [{ headers: { authorization: basic('a b\n"c:x') } }, 'a\\x20b\\x0a\\"c'],
    [{ headers: { authorization: 'Bearer abc' } }, '-'],
    [{ headers: { authorization: 'Basic' } }, '-'],
  ],
  t: [[{}, /^\[2[345]\/Nov\/2026:\d\d:\d\d:35 [+-]\d{4}\]$/]],
  r: [
    [{}, 'GET /a/b?x=1 HTTP/1.1'],
    [{ protocol: 'HTTP/2.0', method: 'POST' }, 'POST /a/b?x=1 HTTP/2.0'],
    [{ line: 'GET  /\x00"' }, 'GET  /\\x00\\"'],
    [{ line: '' }, '-'],
  ],
  m: [[{}, 'GET'], [{ method: '' }, '-']],
  U: [
    [{}, '/a/b'],
    [{ url: '/' }, '/'],
    [{ url: '/a"b' }, '/a\\"b'],
    [{ url: '*' }, '*'],
    [{ url: 'host:443', method: 'CONNECT' }, 'host:443'],
    [{ url: 'http://host:80/a/b?c' }, '/a/b'],
    [{ url: 'HTTPS://host' }, '/'],
    [{ url: '//host/a' }, '//host/a'],
    [{ url: '' }, '-'],
  ],
  q: [[{}, 'x=1'], [{ url: '/a' }, ''], [{ url: '/a?' }, ''], [{ url: '/a?b?c"' }, 'b?c\\"'], [{ url: 'http://host?b' }, 'b']],
  H: [[{}, 'HTTP/1.1'], [{ protocol: 'HTTP/1.0' }, 'HTTP/1.0'], [{ protocol: '' }, '-']],
  s: [[{}, '200'], [{ status: 499 }, '499']],
  B: [[{}, '12'], [{ bytes: 0 }, '0'], [{ bytes: -1 }, '-'], [{ bytes: 2 ** 40 }, '1099511627776']],
  b: [[{}, '12'], [{ bytes: 0 }, '-'], [{ bytes: -1 }, '-']],
  f: [[{}, '-'], [{ headers: { referer: 'https://a/b?"' } }, 'https://a/b?\\"'], [{ headers: { referer: '' } }, '']],
  a: [[{}, '-'], [{ headers: { 'user-agent': 'curl/8' } }, 'curl/8'], [{ headers: { 'user-agent': bytesOf('naïve') } }, bytesOf('naïve')]],
  T: [[{}, '1'], [{ startMs: 0, endMs: 999 }, '0']],
  M: [[{}, '1234'], [{ startMs: 0, endMs: 0.9 }, '0']],
  D: [[{}, '1234567'], [{ startMs: 0, endMs: 0.25 }, '250']],
  L: [[{}, '1.234568'], [{ startMs: 0, endMs: 2 }, '0.002000']],
  p: [[{}, '<42>']],
  id: [[{}, '-'], [{ request: requestOf({ drover: { requestId: 'not made for the log' } }) }, '-'], [{ request: requestOf({ [kCarriesId]: true, drover: { requestId: 'a"b' } }) }, 'a\\"b']],
  slot: [[{}, '3']],
};

for (const atom of ATOMS) {
  test(`%(${atom})s`, (t) => {
    for (const [given, expected] of CASES[atom]) {
      const line = format(`%(${atom})s`, exchangeOf(given));
      t.true(line.endsWith('\n'));
      if (typeof expected === 'string') t.is(line.slice(0, -1), expected);
      else t.regex(line.slice(0, -1), expected);
    }
  });
}

test('%({NAME}i)s is a header of the request, in any case', (t) => {
  const exchange = exchangeOf({ headers: { 'x-a': 'b"c', 'set-cookie': ['a', 'b'] } });
  t.is(format('%({X-A}i)s %({x-b}i)s %({Set-Cookie}i)s', exchange), 'b\\"c - a, b\n');
});

test('%({NAME}o)s is a header that was sent, however it was set', (t) => {
  const _header = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Empty: \r\nset-cookie: a=1\r\nSet-Cookie: b="2"\r\n\r\n';
  const http1 = exchangeOf({ response: { _header } as never });
  t.is(format('%({content-type}o)s %({X-None}o)s %({x-empty}o)s %({Set-Cookie}o)s %({type}o)s', http1), 'text/plain - - a=1, b=\\"2\\" -\n');
  const http2 = exchangeOf({ response: { sentHeaders: { ':status': 200, 'content-type': 'text/html' } } as never });
  t.is(format('%({Content-Type}o)s %({:status}o)s', http2), 'text/html 200\n');
  t.is(format('%({Content-Type}o)s', exchangeOf({ response: { _header: null } as never })), '-\n');
  t.is(format('%({Content-Type}o)s', exchangeOf()), '-\n');
});

test('%({NAME}e)s is a variable of the request as WSGI names it, else one of the environment', (t) => {
  process.env['DROVER_TEST_VARIABLE'] = 'grün "x"';
  const exchange = exchangeOf({ headers: { host: 'a.example:81', 'content-type': 'text/x', 'content-length': '5', 'x-a-b': 'c', authorization: basic('ann:x') }, request: requestOf({ socket: { remotePort: 5, localPort: 81 } }) });
  const names = ['REMOTE_ADDR', 'REMOTE_PORT', 'REMOTE_USER', 'REQUEST_METHOD', 'REQUEST_URI', 'RAW_URI', 'PATH_INFO', 'QUERY_STRING', 'SERVER_PROTOCOL', 'SERVER_NAME', 'SERVER_PORT', 'CONTENT_TYPE', 'CONTENT_LENGTH', 'HTTP_X_A_B', 'HTTP_NONE', 'DROVER_TEST_VARIABLE', 'DROVER_NO_SUCH'];
  t.is(
    format(names.map((name) => `%({${name}}e)s`).join(' '), exchange),
    `10.0.0.9 5 ann GET /a/b?x=1 /a/b?x=1 /a/b x=1 HTTP/1.1 a.example 81 text/x 5 c - ${bytesOf('grün')} \\"x\\" -\n`,
  );
});

test('a line says what its own request does, whatever the lines before it said', (t) => {
  const text = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(m)s%(H)s%(B)s %(U)s';
  const pieces = parseLogFormat(text);
  if (!Array.isArray(pieces)) throw new Error(pieces.what);
  const compiled = compileFormat(pieces, origin, new LogClock(() => Date.UTC(2026, 10, 24, 10, 0, 35)));
  const peer = { address: '10.0.0.9', word: '10.0.0.9' };
  const kinds: Given[] = [
    { peer },
    { peer, client: '203.0.113.7' },
    { client: '' },
    { peer, method: 'POST', url: '/"', headers: { authorization: basic('ann:x') } },
    { peer, status: 404, bytes: 0 },
    { peer, status: 404, bytes: -1, protocol: 'HTTP/1.0' },
    { peer, line: 'GET  /', status: 400 },
    { peer, headers: { referer: 'a', 'user-agent': 'b' } },
    { peer, headers: { referer: 'b', 'user-agent': 'a' } },
    { peer, headers: { referer: '', 'user-agent': '-' } },
  ];
  // Each after each, and each so often in a row that it is kept as one piece.
  for (const one of kinds) for (const other of kinds) for (const given of [...Array<Given>(10).fill(one), other]) t.is(compiled(exchangeOf(given)), format(text, exchangeOf(given)));
});

test('the address of a peer is made fit for a line once for its connection', (t) => {
  let asked = 0;
  const socket = {
    get remoteAddress() {
      asked++;
      return 'fe80::1%a "b';
    },
  } as unknown as Socket;
  const peer = peerOf(socket);
  t.is(peerOf(socket), peer);
  t.is(asked, 1);
  t.is(format('%(h)s', exchangeOf({ peer, client: peer.address })), 'fe80::1%a\\x20\\"b\n');
  t.is(format('%(h)s', exchangeOf({ peer, client: '192.0.2.1' })), '192.0.2.1\n');
  const unix = peerOf({} as Socket);
  t.is(format('%(h)s', exchangeOf({ peer: unix, client: unix.address })), '-\n');
});

test('the text of a format goes out as it is, in UTF-8', (t) => {
  t.is(format('→ 50%% %(s)s.', exchangeOf()), `${bytesOf('→')} 50% 200.\n`);
});
