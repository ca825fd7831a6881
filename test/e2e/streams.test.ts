/** An app's own HTTP/2 server that listens to `stream` alone: what can be judged by the head is, and what the app must not see it does not. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fixture, poll, ROOT, scratch, start, type Drover } from '../helpers/drover.js';

interface Told {
  headers: Record<string, string>;
  rawHeaders: string[];
  body: number;
}

interface Reply {
  status: number;
  headers: http2.IncomingHttpHeaders;
  text: string;
  told: Told;
}

async function serve(t: ExecutionContext, secure: boolean, ...args: string[]): Promise<{ d: Drover; ask: (headers: http2.OutgoingHttpHeaders, body?: Buffer) => Promise<Reply> }> {
  const env = secure ? { TLS_CERT: join(ROOT, 'examples/https/cert.pem'), TLS_KEY: join(ROOT, 'examples/https/key.pem') } : {};
  const d = await start(t, [fixture('streams.cjs'), '-w', '1', '-b', '127.0.0.1:0', ...args], { env }).ready();
  const { port } = (await d.address()) as { port: number };
  const session = http2.connect(`${secure ? 'https' : 'http'}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => {});
  t.teardown(() => session.destroy());
  const ask = (headers: http2.OutgoingHttpHeaders, body?: Buffer): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const stream = session.request(headers, { endStream: body === undefined });
      let [status, answer, text] = [0, {} as http2.IncomingHttpHeaders, ''];
      stream.on('response', (got) => ([status, answer] = [Number(got[':status']), got]));
      stream.setEncoding('utf8').on('data', (data: string) => (text += data)).on('error', reject);
      stream.on('close', () => resolve({ status, headers: answer, text, told: text.startsWith('{') ? (JSON.parse(text) as Told) : ({} as Told) }));
      if (body !== undefined) stream.end(body);
    });
  return { d, ask };
}

for (const secure of [false, true]) {
  test.serial(`limits, forged headers, the mount and the id: ${secure ? 'TLS' : 'clear'}`, async (t) => {
    const log = join(scratch(t), 'access.log');
    const { d, ask } = await serve(t, secure, '--limit-request-body', '10', '--script-name', '/app', '--forwarded-allow-ips', '10.0.0.1', '--request-id', 'echo', '--access-logfile', log, '--access-log-format', '%(m)s %(U)s %(s)s %(b)s');
    const plain = await ask({ ':path': '/app/x?y', 'x-forwarded-for': '6.6.6.6', 'x-mine': 'a' });
    t.is(plain.status, 200);
    t.like(plain.told.headers, { ':path': '/x?y', 'x-mine': 'a', 'x-forwarded-for': undefined });
    t.false(plain.told.rawHeaders.includes('x-forwarded-for'));
    t.is(plain.told.rawHeaders[plain.told.rawHeaders.indexOf(':path') + 1], '/x?y');
    t.like(plain.headers, { 'x-of-app': '1', 'x-request-id': plain.told.headers['x-request-id']! });
    t.truthy(plain.headers['x-request-id']);
    t.like(await ask({ ':path': '/other' }), { status: 404, text: 'nothing is served at this path\n' });
    t.is((await ask({ ':path': `/app/${'a'.repeat(5000)}` })).status, 414);
    t.is((await ask({ ':path': '/app/', 'x-large': 'a'.repeat(9000) })).status, 431);
    t.is((await ask({ ':path': '/app/', ':method': 'POST', 'content-length': '11' }, Buffer.alloc(11))).status, 413);
    t.is((await ask({ ':path': '/app/', ':method': 'POST' }, Buffer.alloc(100))).status, 413, 'a body whose length nobody has told');
    t.is((await ask({ ':path': '/app/', ':method': 'POST' }, Buffer.alloc(10))).told.body, 10);
    await d.event('request.refused', { status: 413 });
    const lines = await poll('the lines', () => {
      const found = readFileSync(log, 'utf8').split('\n').slice(0, -1);
      return found.length === 7 ? found.map((line) => line.replace(/a{9,}/, 'a…')) : undefined;
    });
    t.deepEqual(lines.map((line) => line.split(' ').slice(0, 3).join(' ')), ['GET /app/x 200', 'GET /other 404', 'GET /app/a… 414', 'GET /app/ 431', 'POST /app/ 413', 'POST /app/ 413', 'POST /app/ 200']);
    t.deepEqual(d.events('worker.died'), []);
  });
}

test.serial('files of --static go before the app; a client that goes away in the middle harms nobody', async (t) => {
  const root = scratch(t);
  writeFileSync(join(root, 'a.css'), 'body {}\n');
  writeFileSync(join(root, 'large.bin'), Buffer.alloc(8 << 20));
  const log = join(scratch(t), 'access.log');
  const { d, ask } = await serve(t, false, '--static', `/s=${root}`, '--access-logfile', log, '--access-log-format', '%(m)s %(U)s %(s)s %(b)s');
  const file = await ask({ ':path': '/s/a.css?v' });
  t.like(file, { status: 200, text: 'body {}\n' });
  t.like(file.headers, { 'content-type': 'text/css; charset=utf-8', 'content-length': '8' });
  t.is((await ask({ ':path': '/s/a.css', 'if-none-match': file.headers.etag! })).status, 304);
  t.is((await ask({ ':path': '/s/a.css', ':method': 'POST' }, Buffer.alloc(1000))).status, 405);
  const { port } = (await d.address()) as { port: number };
  const gone = http2.connect(`http://127.0.0.1:${port}`);
  gone.on('error', () => {});
  const stream = gone.request({ ':path': '/s/large.bin' });
  stream.on('error', () => {});
  await once(stream, 'response');
  gone.destroy();
  const other = await ask({ ':path': '/other' });
  t.is(other.told.headers[':path'], '/other', "the app's");
  await poll('the lines', () => (readFileSync(log, 'utf8').split('\n').length === 6 ? true : undefined));
  t.deepEqual(d.events('worker.died'), []);
});

test.serial('what a trusted peer says of its client is in the log; the app has the header as it came', async (t) => {
  const log = join(scratch(t), 'access.log');
  const { d, ask } = await serve(t, false, '--access-logfile', log, '--access-log-format', '%(h)s %({remote_port}e)s %(s)s');
  t.is((await ask({ ':path': '/', 'x-forwarded-for': '203.0.113.7' })).told.headers['x-forwarded-for'], '203.0.113.7');
  t.is((await ask({ ':path': '/', 'x-forwarded-for': '203.0.113.7', forwarded: 'for=6.6.6.6' })).status, 400);
  await poll('the lines', () => (/^203\.0\.113\.7 \S+ 200\n\S+ \S+ 400\n$/.test(readFileSync(log, 'utf8')) ? true : undefined));
  t.deepEqual(d.events('worker.died'), []);
});

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, payload.length >> 8, payload.length & 255, type, flags, 0, 0, 0, stream]), payload]);
}

/** Never indexed, as it stands. */
function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x10, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
}

test.serial('a stream that is refused, which the app never has: its client resets it with an error', async (t) => {
  const { d, ask } = await serve(t, false, '--script-name', '/app');
  const { port } = (await d.address()) as { port: number };
  const head = Buffer.concat([field(':method', 'GET'), field(':scheme', 'http'), field(':path', '/other'), field(':authority', 'x')]);
  const [settings, headers, reset] = [frame(4, 0, 0, Buffer.alloc(0)), frame(1, 5, 1, head), frame(3, 0, 1, Buffer.from([0, 0, 0, http2.constants.NGHTTP2_PROTOCOL_ERROR]))];
  const client = net.connect(port, '127.0.0.1');
  client.end(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings, headers, reset]));
  await once(client.resume(), 'close');
  await d.event('request.refused', { status: 404 });
  t.is((await ask({ ':path': '/app/' })).status, 200);
  t.deepEqual(d.events('worker.died'), []);
});
