/** A stream of HTTP/2 looks to the app as a request of HTTP/1 does, in all that node:http promises. */
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { createRequire } from 'node:module';
import net from 'node:net';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { Http2 } from '../../../src/http/http2/http2.js';
import type { Http2Config } from '../../../src/config/edge-config.js';
import type { OpenStreams } from '../../../src/http/policy.js';

/** It has no types of its own. */
interface Express {
  (request: IncomingMessage, response: ServerResponse): void;
  use(middleware: unknown): void;
  get(path: string, handler: (request: any, response: any) => void): void;
  post(path: string, handler: (request: any, response: any) => void): void;
}
const express = createRequire(import.meta.url)('express') as { (): Express; json(): unknown };

const DEFAULTS: Http2Config = { protocols: ['h2'], maxConcurrentStreams: 100, initialWindowSize: 65_535, maxFrameSize: 16_384, maxHeaderListSize: 65_536 };

interface Served {
  server: http.Server;
  client: ClientHttp2Session;
  sessions: http2.ServerHttp2Session[];
  /** Of each connection. */
  streams: OpenStreams[];
}

/** As node:http has it: what an async listener answers is nobody's. */
type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

async function serve(t: ExecutionContext, app: Listener, config: Partial<Http2Config> = {}, setUp: (server: http.Server) => void = () => {}): Promise<Served> {
  const server = http.createServer((request, response) => void app(request, response));
  setUp(server);
  const sessions: http2.ServerHttp2Session[] = [];
  const front = new Http2(server, { ...DEFAULTS, ...config }, { connections: { speaksHttp2: (_, session) => void sessions.push(session) }, watchStreams() {} });
  server.removeAllListeners('connection');
  const streams: OpenStreams[] = [];
  server.on('connection', (socket: net.Socket) => void streams.push(front.speak(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  client.on('error', () => {});
  t.teardown(() => {
    client.destroy();
    server.close();
  });
  return { server, client, sessions, streams };
}

interface Answer {
  headers: IncomingHttpHeaders & http2.IncomingHttpStatusHeader;
  body: string;
  informational: IncomingHttpHeaders[];
  trailers: IncomingHttpHeaders | undefined;
  code: number;
}

async function ask(client: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, body?: string | Readable): Promise<Answer> {
  const stream = client.request(headers, { endStream: body === undefined });
  if (typeof body === 'string') stream.end(body);
  else if (body !== undefined) body.pipe(stream);
  return answerOf(stream);
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const answer: Answer = { headers: {}, body: '', informational: [], trailers: undefined, code: 0 };
  stream.on('response', (headers) => (answer.headers = headers));
  stream.on('headers', (headers) => answer.informational.push(headers));
  stream.on('trailers', (trailers) => (answer.trailers = trailers));
  stream.on('error', () => {});
  stream.setEncoding('utf8').on('data', (text: string) => (answer.body += text));
  await new Promise((resolve) => stream.once('close', resolve));
  answer.code = stream.rstCode ?? 0;
  return answer;
}

test('method, path, fields and addresses; pseudo fields are not among them, and the authority is the host', async (t) => {
  let seen!: IncomingMessage;
  const { client } = await serve(t, (request, response) => {
    seen = request;
    response.end();
  });
  await ask(client, { ':method': 'DELETE', ':path': '/a?b=1', cookie: ['a=1', 'b=2'], 'X-Two': ['1', '2'] });
  t.is(seen.method, 'DELETE');
  t.is(seen.url, '/a?b=1');
  t.is(seen.httpVersion, '2.0');
  t.regex(seen.headers.host!, /^127\.0\.0\.1:\d+$/);
  t.is(seen.headers.cookie, 'a=1; b=2');
  t.is(seen.headers['x-two'], '1, 2');
  t.deepEqual(Object.keys(seen.headers).filter((name) => name.startsWith(':')), []);
  t.false(seen.rawHeaders.some((text) => text.startsWith(':')));
  t.is(seen.socket.remoteAddress, '127.0.0.1');
  t.is((seen.socket as { encrypted?: boolean }).encrypted, undefined);
  t.true(seen instanceof http.IncomingMessage);
  t.true(seen.complete);
});

test('a body is read as it comes; without a length it is told as chunked, so that body parsers see it', async (t) => {
  const { client } = await serve(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    response.end(JSON.stringify([Buffer.concat(chunks).length, request.headers['content-length'], request.headers['transfer-encoding'], request.complete]));
  });
  t.is((await ask(client, { ':method': 'POST', 'content-length': 5 }, 'hello')).body, '[5,"5",null,true]');
  t.is((await ask(client, { ':method': 'POST' }, Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(10_000))))).body, '[1000000,null,"chunked",true]');
  t.is((await ask(client, { ':method': 'GET' })).body, '[0,null,null,true]');
});

test('trailers of the request and of the response', async (t) => {
  const { client } = await serve(t, (request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers({ 'X-Sum': request.trailers['x-in']! });
      response.end();
    });
  });
  const stream = client.request({ ':method': 'POST' }, { endStream: false, waitForTrailers: true } as http2.ClientSessionRequestOptions);
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-in': '42' }));
  stream.end('x');
  const answer = await answerOf(stream);
  t.is(answer.body, 'body');
  t.is(answer.trailers?.['x-sum'], '42');
});

const responses: Record<string, [(response: ServerResponse) => void, Partial<Record<string, unknown>>]> = {
  'setHeader and end': [(r) => r.setHeader('X-A', ['1', '2']).setHeader('Set-Cookie', ['a=1', 'b=2']).end('hello'), { ':status': 200, 'x-a': '1, 2', 'set-cookie': ['a=1', 'b=2'], 'content-length': '5' }],
  'writeHead with an object': [(r) => r.writeHead(201, 'Made', { 'Content-Type': 'text/x', Connection: 'close', 'Keep-Alive': 'timeout=5' }).end('x'), { ':status': 201, 'content-type': 'text/x', connection: undefined, 'keep-alive': undefined }],
  'writeHead with a flat list': [(r) => r.writeHead(200, ['X-A', '1', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end(), { 'x-a': '1', 'set-cookie': ['a=1', 'b=2'] }],
  'writeHead over setHeader': [(r) => r.setHeader('X-A', '1').setHeader('X-B', '1').writeHead(404, { 'X-B': '2' }).end(), { ':status': 404, 'x-a': '1', 'x-b': '2' }],
  'chunks': [(r) => { r.setHeader('Transfer-Encoding', 'chunked'); r.write('a'); r.write(Buffer.from('b')); r.end('c'); }, { ':status': 200, 'transfer-encoding': undefined, 'content-length': undefined }],
  'flushHeaders first': [(r) => { r.flushHeaders(); setImmediate(() => r.end('late')); }, { ':status': 200, 'content-length': undefined }],
  'no date': [(r) => { r.sendDate = false; r.end(); }, { date: undefined, 'content-length': '0' }],
  'no content': [(r) => r.writeHead(204).end(), { ':status': 204, 'content-length': undefined }],
  'not modified, with a body that is none': [(r) => r.writeHead(304, { ETag: '"x"' }).end('ignored'), { ':status': 304, etag: '"x"' }],
};
const bodies: Record<string, string> = { 'setHeader and end': 'hello', 'writeHead with an object': 'x', chunks: 'abc', 'flushHeaders first': 'late' };

for (const [title, [respond, expected]] of Object.entries(responses)) {
  test(`response: ${title}`, async (t) => {
    const events: string[] = [];
    const { client } = await serve(t, (_request, response) => {
      for (const event of ['prefinish', 'finish', 'close'] as const) response.on(event, () => events.push(event));
      respond(response);
      t.true(response.headersSent);
    });
    const answer = await ask(client);
    for (const [name, value] of Object.entries(expected)) t.deepEqual(answer.headers[name], value as string, name);
    t.is(answer.body, bodies[title] ?? '');
    t.is(answer.code, 0);
    while (events.length < 3) await new Promise((resolve) => setImmediate(resolve));
    t.deepEqual(events, ['prefinish', 'finish', 'close']);
  });
}

test('HEAD has the fields and no body', async (t) => {
  const { client } = await serve(t, (_request, response) => response.writeHead(200, { 'Content-Length': 5 }).end('hello'));
  const answer = await ask(client, { ':method': 'HEAD' });
  t.is(answer.headers['content-length'], '5');
  t.is(answer.body, '');
});

test('the last of the body and the end are one frame', async (t) => {
  const { client } = await serve(t, (_request, response) => response.end('hello'));
  const stream = client.request();
  let frames = 0;
  stream.on('data', () => frames++);
  const answer = await answerOf(stream);
  t.is(answer.body, 'hello');
  t.is(frames, 1);
});

test('informational responses: 100, 102, 103', async (t) => {
  const { client } = await serve(t, (_request, response) => {
    response.writeProcessing();
    response.writeEarlyHints({ link: '</a.css>; rel=preload; as=style', 'x-hint': '1' });
    response.end('x');
  });
  const answer = await ask(client, { ':method': 'POST', expect: '100-continue' }, '');
  t.deepEqual(answer.informational.map((headers) => [headers[':status' as 'host'], headers['x-hint']] as unknown), [[100, undefined], [102, undefined], [103, '1']]);
  t.is(answer.body, 'x');
});

test('Expect: the events that node:http has for it', async (t) => {
  const { client, server } = await serve(t, (_request, response) => response.end('request'));
  t.is((await ask(client, { expect: 'the-unexpected' })).headers[':status'], 417);
  server.on('checkContinue', (_request, response) => response.end('checkContinue'));
  server.on('checkExpectation', (_request, response) => response.end('checkExpectation'));
  t.is((await ask(client, { expect: '100-continue' })).body, 'checkContinue');
  t.is((await ask(client, { expect: 'more' })).body, 'checkExpectation');
});

test('CONNECT is not to be had', async (t) => {
  const { client } = await serve(t, () => t.fail());
  const stream = client.request({ ':method': 'CONNECT', ':authority': 'example:80' });
  t.is((await answerOf(stream)).headers[':status'], 405);
});

test('a large body waits for its reader: write() says when, and drain when to go on', async (t) => {
  const chunk = Buffer.alloc(64 * 1024);
  let written = 0;
  let stalled!: () => void;
  const hasStalled = new Promise<void>((resolve) => (stalled = resolve));
  const { client } = await serve(t, async (_request, response) => {
    for (let i = 0; i < 64; i++) {
      written++;
      if (response.write(chunk)) continue;
      t.true(response.writableNeedDrain);
      stalled();
      await once(response, 'drain');
      t.false(response.writableNeedDrain);
    }
    response.end();
  });
  const stream = client.request();
  await hasStalled;
  t.true(written < 20, `${written} chunks without a reader`);
  let length = 0;
  stream.on('data', (data: Buffer) => (length += data.length));
  await new Promise((resolve) => stream.once('close', resolve));
  t.is(length, 64 * chunk.length);
});

test('pipeline of streams to a response, one after the other', async (t) => {
  const { client } = await serve(t, async (_request, response) => {
    for (let i = 0; i < 3; i++) for await (const chunk of Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(50_000)))) if (!response.write(chunk)) await once(response, 'drain');
    await pipeline(Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(50_000))), response);
  });
  t.is((await ask(client)).body.length, 80 * 50_000);
});

test('a client that cancels: close on both, aborted on the request, and no error that ends the process', async (t) => {
  const events: string[] = [];
  let closed!: () => void;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  const { client } = await serve(t, (request, response) => {
    request.on('aborted', () => events.push('aborted'));
    request.on('close', () => events.push('request close'));
    response.on('close', () => {
      events.push(`response close ${response.writableFinished}`);
      setImmediate(closed);
    });
    response.write('some');
  });
  const stream = client.request({ ':method': 'POST' }, { endStream: false });
  stream.once('data', () => stream.close(http2.constants.NGHTTP2_CANCEL));
  await isClosed;
  t.true(events.includes('aborted') && events.includes('request close') && events.includes('response close false'), events.join());
});

const CUTS: [how: string, cut: (stream: ClientHttp2Stream, client: ClientHttp2Session) => void, setUp?: (server: http.Server) => void][] = [
  ['its client cancels', (stream) => stream.close(http2.constants.NGHTTP2_CANCEL)],
  ['its client resets it without an error', (stream) => stream.close(http2.constants.NGHTTP2_NO_ERROR)],
  ['its client goes away', (_stream, client) => client.destroy()],
  ['it takes too long', () => {}, (server) => (server.requestTimeout = 100)],
];
for (const [how, cut, setUp] of CUTS) {
  test(`a body that is cut off is not taken for the whole: ${how}`, async (t) => {
    const events: string[] = [];
    let begun!: () => void;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    let closed!: () => void;
    const isClosed = new Promise<void>((resolve) => (closed = resolve));
    const { client } = await serve(
      t,
      (request, response) => {
        request.on('data', begun).on('end', () => {
          events.push('end');
          response.end();
        });
        request.on('aborted', () => events.push('aborted')).on('error', ({ message }) => events.push(message));
        request.on('close', () => {
          events.push(`close ${request.complete}`);
          closed();
        });
      },
      {},
      setUp,
    );
    const stream = client.request({ ':method': 'POST' }, { endStream: false });
    stream.on('error', () => {}).resume().write('part');
    await hasBegun;
    cut(stream, client);
    await isClosed;
    t.deepEqual(events, ['aborted', 'aborted', 'close false']);
  });
}

test('an answer before the body has been read takes none of it from who still reads', async (t) => {
  let whole!: (read: unknown) => void;
  const read = new Promise((resolve) => (whole = resolve));
  const { client } = await serve(t, async (request, response) => {
    response.end('early');
    let bytes = 0;
    const slow = new Writable({
      write(chunk: Buffer, _encoding, written) {
        bytes += chunk.length;
        setImmediate(written);
      },
    });
    await pipeline(request, slow);
    whole({ bytes, complete: request.complete, trailers: request.trailers });
  });
  const stream = client.request({ ':method': 'POST' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ sum: 'right' }));
  stream.resume().end(Buffer.alloc(50_000));
  t.deepEqual(await read, { bytes: 50_000, complete: true, trailers: Object.assign(Object.create(null), { sum: 'right' }) });
});

test('an answer before the body has come: the client is told to stop, and the connection goes on', async (t) => {
  const { client } = await serve(t, (_request, response) => response.writeHead(413).end('too large'));
  const stream = client.request({ ':method': 'POST' }, { endStream: false });
  stream.write('x');
  const answer = await answerOf(stream);
  t.is(answer.headers[':status'], 413);
  t.is(answer.body, 'too large');
  t.is((await ask(client)).headers[':status'], 413);
});

test('a body that is read in part is read away after the response', async (t) => {
  const { client } = await serve(t, (request, response) => {
    request.once('data', () => response.end('enough'));
  });
  const stream = client.request({ ':method': 'POST' }, { endStream: false });
  for (let i = 0; i < 20; i++) stream.write(Buffer.alloc(10_000));
  stream.end();
  t.is((await answerOf(stream)).body, 'enough');
  t.is((await ask(client, { ':method': 'POST' }, 'x')).body, 'enough');
});

test('response.destroy() and request.socket.destroy() reset the stream, not the connection', async (t) => {
  const { client } = await serve(t, (request, response) => {
    if (request.url === '/response') response.destroy();
    else if (request.url === '/socket') request.socket.destroy();
    else if (request.url === '/request') request.destroy(new Error('no'));
    else response.end('alive');
  });
  for (const path of ['/response', '/socket', '/request']) t.not((await ask(client, { ':method': 'POST', ':path': path }, 'x')).code, 0, path);
  t.is((await ask(client)).body, 'alive');
});

test('setTimeout of a request: the event, and without a listener the end of the stream', async (t) => {
  const { client } = await serve(t, (request, response) => {
    if (request.url === '/heard') response.setTimeout(20, () => response.writeHead(503).end());
    else request.socket.setTimeout(20);
  });
  t.is((await ask(client, { ':path': '/heard' })).headers[':status'], 503);
  t.not((await ask(client, { ':path': '/unheard' })).code, 0);
});

test('an invalid field of a response is refused as node:http refuses it', async (t) => {
  const { client } = await serve(t, (_request, response) => {
    t.throws(() => response.writeHead(200, { 'x-a': 'a\r\nb: c' }), { code: 'ERR_INVALID_CHAR' });
    response.destroy();
  });
  await ask(client);
});

test('Express, whose requests and responses get other prototypes', async (t) => {
  const app = express();
  app.use(express.json());
  app.post('/', (request, response) => void response.cookie('a', '1').status(202).json({ host: request.hostname, got: request.body as unknown, is: request.is('json') }));
  app.get('/redirect', (_request, response) => response.redirect('/'));
  app.get('/file', (_request, response) => response.sendFile(fileURLToPath(new URL('../../../../package.json', import.meta.url))));
  const { client } = await serve(t, app);
  const answer = await ask(client, { ':method': 'POST', 'content-type': 'application/json' }, '{"a":1}');
  t.is(answer.headers[':status'], 202);
  t.deepEqual(JSON.parse(answer.body), { host: '127.0.0.1', got: { a: 1 }, is: 'json' });
  t.is((await ask(client, { ':path': '/redirect' })).headers.location, '/');
  const file = await ask(client, { ':path': '/file', range: 'bytes=0-9' });
  t.is(file.headers[':status'], 206);
  t.is(file.body.length, 10);
  t.is((await ask(client, { ':path': '/none' })).headers[':status'], 404);
});

test('http2 settings are those of the options, and the limit of the fields holds', async (t) => {
  const { client } = await serve(t, (_request, response) => response.end('x'), { maxConcurrentStreams: 7, initialWindowSize: 70_000, maxFrameSize: 20_000, maxHeaderListSize: 1_000 });
  await ask(client);
  const { maxConcurrentStreams, initialWindowSize, maxFrameSize, maxHeaderListSize } = client.remoteSettings;
  t.deepEqual({ maxConcurrentStreams, initialWindowSize, maxFrameSize, maxHeaderListSize }, { maxConcurrentStreams: 7, initialWindowSize: 70_000, maxFrameSize: 20_000, maxHeaderListSize: 1_000 });
});

test('close() of the server ends idle sessions, and lets the others finish', async (t) => {
  let finish!: () => void;
  const { client, server } = await serve(t, (_request, response) => {
    finish = () => response.end('done');
    response.flushHeaders();
  });
  const stream = client.request();
  await once(stream, 'response');
  const closed = once(server, 'close');
  server.close();
  finish();
  t.is((await answerOf(stream)).body, 'done');
  server.closeIdleConnections();
  await closed;
});

test('closeAllConnections() ends sessions at once', async (t) => {
  const { client, server } = await serve(t, (_request, response) => response.flushHeaders());
  const stream = client.request();
  stream.on('error', () => {});
  await once(stream, 'response');
  server.closeAllConnections();
  await once(client, 'close');
  t.pass();
});

/** A connection of bytes, after the preface and empty SETTINGS; and its other end. */
async function speakBytes(server: http.Server, ...frames: readonly (readonly [type: number, flags: number, stream: number, payload: Buffer])[]): Promise<{ client: net.Socket; accepted: net.Socket }> {
  const bytes = [[4, 0, 0, Buffer.alloc(0)] as const, ...frames].map(([type, flags, stream, payload]) => Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]), payload]));
  const { port } = server.address() as net.AddressInfo;
  const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => {}).resume();
  client.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), ...bytes]));
  const accepted = await new Promise<net.Socket>((resolve) => server.on('connection', (socket) => void (socket.remotePort === client.localPort && resolve(socket))));
  return { client, accepted };
}

/** GET / of http://x, by the static table of HPACK. */
const FIELDS = Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x78]);

test('a client that goes away without a word takes its streams along', async (t) => {
  let begun!: (response: ServerResponse) => void;
  const request = new Promise<ServerResponse>((resolve) => (begun = resolve));
  const { server } = await serve(t, (_request, response) => begun(response));
  const { client } = await speakBytes(server, [1, 5, 1, FIELDS]);
  const response = await request;
  client.end();
  await new Promise((resolve) => response.once('close', resolve));
  t.false(response.writableFinished);
});

test('a stream that its client has reset without an error, which Node before 26 keeps, ends as that of a stalled client', async (t) => {
  let begun!: (response: ServerResponse) => void;
  const asked = new Promise<ServerResponse>((resolve) => (begun = resolve));
  const { server, streams } = await serve(t, (_request, response) => {
    response.end(Buffer.alloc(200_000));
    begun(response);
  });
  const { client } = await speakBytes(server, [1, 5, 1, FIELDS]);
  const response = await asked;
  const closed = new Promise((resolve) => response.once('close', resolve));
  const { stream } = response as unknown as { stream: http2.ServerHttp2Stream };
  // Its window is full before that.
  client.write(Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0]));
  while (!stream.closed) await new Promise(setImmediate);
  for (const connection of streams) connection.end();
  await closed;
  t.false(streams.some((connection) => connection.owe()));
  client.destroy();
});

test('a header that comes in part only, from a client that stays, has the time of a header', async (t) => {
  const { server } = await serve(t, () => {}, {}, (server) => (server.headersTimeout = 100));
  const { client, accepted } = await speakBytes(server, [1, 1, 1, FIELDS]);
  await new Promise((resolve) => accepted.once('close', resolve));
  client.destroy();
  t.pass();
});

test('a session that is destroyed while its client takes nothing does not keep the connection', async (t) => {
  let begun!: () => void;
  const request = new Promise<void>((resolve) => (begun = resolve));
  const app = (_request: IncomingMessage, response: ServerResponse): void => {
    // More than kernels keep; what Node has is then under way.
    response.write(Buffer.alloc(64 << 20));
    setImmediate(begun);
  };
  const { server } = await serve(t, app, {}, (server) => (server.keepAliveTimeout = 100));
  // INITIAL_WINDOW_SIZE, and the connection's window.
  const { client, accepted } = await speakBytes(server, [4, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])], [8, 0, 0, Buffer.from([0x7f, 0xff, 0, 0])], [1, 5, 1, FIELDS]);
  client.pause();
  await request;
  server.closeAllConnections();
  await new Promise((resolve) => accepted.once('close', resolve));
  client.destroy();
  t.pass();
});

test('an idle session ends after keepAliveTimeout, a slow request after requestTimeout', async (t) => {
  const { client, sessions } = await serve(t, (request, response) => void request.resume().on('end', () => response.end()), {}, (server) => {
    server.keepAliveTimeout = 100;
    server.requestTimeout = 100;
  });
  const stream = client.request({ ':method': 'POST' }, { endStream: false });
  stream.write('x');
  t.is((await answerOf(stream)).headers[':status'], 408);
  await once(client, 'close');
  t.true(sessions[0]!.destroyed || sessions[0]!.closed);
});
