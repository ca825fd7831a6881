/** The HTTP edge, with every shape of app: where it is mounted, whom it believes, what it refuses. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fixture, start, type Address, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const app = fixture('edge.cjs');
const folder = mkdtempSync(join(tmpdir(), 'drover-edge-'));
const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
test.before(() => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-days', '2'], { stdio: 'ignore' }));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  url: string;
  baseUrl?: string;
  originalUrl?: string;
  headers: Record<string, string>;
  rawHeaders: string[];
  distinct?: Record<string, string[]>;
  drover: { scheme: string; clientAddress: string; host: string; trusted: boolean; mount: string; requestId: string };
  body: number;
  ip?: string;
  path?: string;
  original?: string;
  id?: string;
  secure?: boolean;
}

async function serve(t: ExecutionContext, shape: string, args: readonly string[], bind = '127.0.0.1:0'): Promise<{ d: Drover; address: Address; tls: boolean }> {
  const d = start(t, [app, '-b', bind, ...args], { env: { SHAPE: shape, TLS_KEY: key, TLS_CERT: cert } });
  await d.ready();
  return { d, address: await d.address(), tls: shape === 'https' || shape === 'http2' };
}

/** Sends bytes; everything that comes until the connection ends. */
function raw(address: Address, text: string, onData?: (text: string, socket: net.Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(address as net.TcpNetConnectOpts);
    let came = '';
    socket.setEncoding('latin1').on('data', (data: string) => {
      came += data;
      onData?.(came, socket);
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(came));
    socket.write(text);
  });
}

const FORGED = { 'X-Forwarded-For': '6.6.6.6', 'x-forwarded-proto': 'https', 'X-Forwarded-Host': 'evil', 'X-Forwarded-Whatever': '1', Forwarded: 'for=6.6.6.6', 'X-Real-Ip': '6.6.6.6', SCRIPT_NAME: '/evil', 'X_Other': '1' };

for (const shape of ['handler', 'script', 'express', 'koa', 'fastify', 'hono', 'https', 'http2']) {
  test.serial(`mounted, trusted and not: ${shape}`, async (t) => {
    const { d, address, tls } = await serve(t, shape, ['--script-name', '/app', '--forwarded-allow-ips', '127.0.0.1', '--request-id', 'echo', '--limit-request-body', '1k']);
    const ask = async (path: string, headers: Record<string, string> = {}, localAddress = '127.0.0.1'): Promise<Told & { status: number; answered: string | undefined }> => {
      const { status, body, headers: answered } = await get(address, path, { tls, headers, localAddress });
      return { ...(JSON.parse(body) as Told), status, answered: answered['x-request-id'] as string | undefined };
    };
    // Mounted.
    const mounted = await ask('/app/x/y?z=/app', { host: 'shop' });
    t.like(mounted, { status: 200, url: '/x/y?z=/app', baseUrl: '/app', originalUrl: '/app/x/y?z=/app' });
    t.like(mounted.drover, { mount: '/app', host: 'shop', clientAddress: '127.0.0.1', scheme: tls ? 'https' : 'http', trusted: true });
    if (mounted.path !== undefined) t.regex(mounted.path, /^\/x\/y/);
    t.is((await ask('/app')).url, '/');
    for (const outside of ['/', '/apple', '/x/app']) {
      const { status, body, headers } = await get(address, outside, { tls });
      t.is(status, 404);
      t.is(body, 'nothing is served at this path\n');
      t.is(headers.connection, 'close');
    }
    // A trusted proxy is believed.
    const proxied = await ask('/front/x', { 'X-Forwarded-For': '6.6.6.6, 1.1.1.1', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'shop.example', SCRIPT_NAME: '/front', 'X-Request-Id': 'from-the-proxy' });
    t.like(proxied, { url: '/x', baseUrl: '/front', answered: 'from-the-proxy' });
    t.deepEqual(proxied.drover, { scheme: 'https', clientAddress: '1.1.1.1', host: 'shop.example', trusted: true, mount: '/front', requestId: 'from-the-proxy' });
    t.is(proxied.headers['x-forwarded-for'], '6.6.6.6, 1.1.1.1');
    // Anybody else is not, and no framework can be fooled.
    const forged = await ask('/app/x', { ...FORGED, 'X-Request-Id': 'forged' }, '127.0.0.2');
    t.like(forged.drover, { scheme: tls ? 'https' : 'http', clientAddress: '127.0.0.2', trusted: false, mount: '/app' });
    t.notRegex(JSON.stringify([forged.headers, forged.rawHeaders, forged.distinct, forged.ip]), /6\.6\.6\.6|evil|forward|script_name|x_other|real/i);
    t.regex(forged.answered!, /^[\da-f-]{36}$/);
    t.is(forged.headers['x-request-id'], forged.answered);
    t.deepEqual(forged.rawHeaders.filter((_, at) => /x-request-id/i.test(forged.rawHeaders[at - 1] ?? '')), [forged.answered]);
    if (forged.ip !== undefined) t.is(forged.ip, '127.0.0.2');
    if (forged.id !== undefined) t.is(forged.id, forged.answered!);
    if (forged.secure !== undefined) t.false(forged.secure);
    const warned = await d.event('edge.untrusted-forwarder', { peer: '127.0.0.2' });
    t.regex(warned.msg, /x-forwarded-for.*--forwarded-allow-ips 127\.0\.0\.2/);
    await d.event('edge.header-dropped', { peer: '127.0.0.2' });
    // The body.
    const post = (size: number): Promise<{ status: number; body: string }> => get(address, '/app/post', { tls, method: 'POST', body: Buffer.alloc(size) });
    t.is((JSON.parse((await post(1024)).body) as Told).body, 1024);
    t.is((await post(1025)).status, 413);
    await d.event('request.refused', { status: 413 });
    t.is((await d.stop()).code, 0);
  });
}

test.serial('an Express router below the mount has both prefixes', async (t) => {
  const { d, address } = await serve(t, 'express', ['--script-name', '/app']);
  t.like(JSON.parse((await get(address, '/app/sub/x?y')).body), { baseUrl: '/app/sub', originalUrl: '/app/sub/x?y', url: '/x?y', path: '/x' });
  await d.stop();
});

test.serial('HTTP/2: mounted, trusted, limited', async (t) => {
  const { d, address } = await serve(t, 'http2', ['--script-name', '/app', '--limit-request-body', '1k', '--request-id', 'echo']);
  const session = http2.connect(`https://127.0.0.1:${(address as { port: number }).port}`, { rejectUnauthorized: false });
  t.teardown(() => session.destroy());
  const ask = (headers: http2.OutgoingHttpHeaders, body?: Buffer): Promise<{ status: number; body: string; id: unknown }> =>
    new Promise((resolve, reject) => {
      const stream = session.request(headers, { endStream: body === undefined });
      let [status, text, id] = [0, '', undefined as unknown];
      stream.setEncoding('utf8').on('data', (data: string) => (text += data));
      stream.on('response', (answer) => ([status, id] = [answer[':status']!, answer['x-request-id']]));
      stream.on('error', reject).on('close', () => resolve({ status, body: text, id }));
      if (body !== undefined) stream.end(body);
    });
  const told = await ask({ ':path': '/app/x', 'x-forwarded-for': '1.1.1.1', 'x-request-id': 'mine' });
  t.like(JSON.parse(told.body), { url: '/x', baseUrl: '/app', drover: { scheme: 'https', clientAddress: '1.1.1.1', host: `127.0.0.1:${(address as { port: number }).port}`, trusted: true, mount: '/app', requestId: 'mine' } });
  t.is(told.id, 'mine');
  t.is((await ask({ ':path': '/apple' })).status, 404);
  t.is((await ask({ ':path': '/app', ':method': 'POST', 'content-length': '2000' }, Buffer.alloc(2000))).status, 413);
  t.is((await ask({ ':path': '/app', ':method': 'POST' }, Buffer.alloc(5000))).status, 413);
  t.is((await ask({ ':path': `/app/${'a'.repeat(5000)}` })).status, 414);
  t.is((await ask({ ':path': '/app', 'x-a': 'b'.repeat(8190) })).status, 431);
  t.is((await ask({ ':path': '/app', 'forwarded': 'for=2.2.2.2', 'x-forwarded-for': '1.1.1.1' })).status, 400);
  // nghttp2 itself refuses a path without a slash where the scheme is one that it knows.
  for (const path of ['/app#b', 'app', 'http://evil.example/app']) t.is((await ask({ ':scheme': 'weird', ':path': path })).status, 400, path);
  // What must be no trailer, of a body that the app does not read; then the client goes. An answer to a ping: all before it has been seen.
  const unread = session.request({ ':method': 'POST', ':path': '/app/slow' }, { waitForTrailers: true, endStream: false });
  unread.on('error', () => {}).end('a');
  await once(unread, 'wantTrailers');
  unread.sendTrailers({ 'x-real-ip': '1.1.1.1' });
  await new Promise((resolve) => session.ping(resolve));
  unread.close(http2.constants.NGHTTP2_CANCEL);
  // A tunnel has no path, and no socket: node:http2 answers.
  t.is((await ask({ ':method': 'CONNECT', ':authority': 'x:1' })).status, 405);
  // The session lives on.
  t.is((await ask({ ':path': '/app' })).status, 200);
  session.close();
  await d.stop();
});

test.serial('a WebSocket request passes the same screen', async (t) => {
  const { d, address } = await serve(t, 'script', ['--script-name', '/app', '--forwarded-allow-ips', '127.0.0.1']);
  const upgrade = (path: string, ...fields: string[]): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
  const answer = await raw(address, upgrade('/app/ws', 'X-Forwarded-For: 1.1.1.1'));
  t.like(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))), { url: '/ws', baseUrl: '/app', drover: { clientAddress: '1.1.1.1', scheme: 'http', host: 'x', trusted: true, mount: '/app', requestId: (JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as Told).drover.requestId } });
  t.regex(await raw(address, upgrade('/apple')), /^HTTP\/1\.1 404 Not Found\r\nConnection: close/);
  t.regex(await raw(address, upgrade('/app', 'Host: y')), /^HTTP\/1\.1 400 /);
  // After a refusal nothing on its connection is a request, an upgrade neither.
  const after = await raw(address, `GET /app HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n${upgrade('/app/ws')}`);
  t.regex(after, /^HTTP\/1\.1 400 /);
  t.notRegex(after, / 101 /);
  await d.stop();
});

test.serial('413 comes before 100 Continue, and before any of the body is read', async (t) => {
  const { d, address } = await serve(t, 'handler', ['--limit-request-body', '10']);
  const answer = await raw(address, 'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n', (_, socket) => socket.end());
  t.regex(answer, /^HTTP\/1\.1 413 Payload Too Large\r\n/);
  t.notRegex(answer, / 100 /);
  const small = await raw(address, 'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n', (text, socket) => void (text.endsWith('Continue\r\n\r\n') && socket.write('ab')));
  t.regex(small, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
  await d.stop();
});

test.serial('a chunked body that grows too large: 413, or the end of the connection where the response has begun; the app may still write', async (t) => {
  const { d, address } = await serve(t, 'handler', ['--limit-request-body', '10']);
  const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n`;
  t.regex(await raw(address, post('/')), /^HTTP\/1\.1 413 Payload Too Large\r\nConnection: close\r\n[^]*the body of the request is too large\n$/);
  await d.until("the app's word", () => (d.stdout.includes("the app's reading failed: the body of the request is too large") ? true : undefined));
  const begun = await raw(address, post('/begun'));
  t.notRegex(begun, /413/);
  t.notRegex(begun, /0\r\n\r\n$/);
  t.is((await get(address, '/')).status, 200);
  t.deepEqual(d.events('worker.died'), []);
  await d.stop();
});

test.serial('slow clients: 408 for a head or a body that does not come; a client that does not read is disconnected', async (t) => {
  const { d, address } = await serve(t, 'handler', ['--header-timeout', '300ms', '--request-timeout', '600ms', '--write-timeout', '1']);
  t.regex(await raw(address, 'GET / HTTP/1.1\r\nHost:'), /^HTTP\/1\.1 408 Request Timeout\r\nConnection: close/);
  t.regex(await raw(address, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc'), /^HTTP\/1\.1 408 /);
  await d.event('request.refused', { status: 408 });
  const reader = net.connect(address as net.TcpNetConnectOpts);
  reader.on('error', () => {});
  t.teardown(() => reader.destroy());
  reader.pause();
  reader.write('GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
  await d.event('connection.stalled');
  await d.stop();
});

test.serial('keep-alive: given it takes the place of the app\'s; 0 closes every connection', async (t) => {
  const two = await serve(t, 'handler', ['--keep-alive', '2']);
  t.is((await get(two.address, '/', { headers: { connection: 'keep-alive' } })).headers['keep-alive'], 'timeout=2');
  await two.d.stop();
  const none = await serve(t, 'handler', ['--keep-alive', '0']);
  t.regex(await raw(none.address, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /\r\nConnection: close\r\n/);
  await none.d.stop();
});

test.serial('--header-map: refuse refuses, dangerous keeps, but never SCRIPT_NAME of a stranger', async (t) => {
  const refuse = await serve(t, 'handler', ['--header-map', 'refuse']);
  t.is((await get(refuse.address, '/', { headers: { X_A: '1' } })).status, 400);
  t.is((await get(refuse.address, '/app', { headers: { SCRIPT_NAME: '/app' } })).status, 200);
  await refuse.d.stop();
  const dangerous = await serve(t, 'handler', ['--header-map', 'dangerous', '--forwarded-allow-ips', '10.0.0.1']);
  const { headers, url } = JSON.parse((await get(dangerous.address, '/evil/x', { headers: { X_A: '1', SCRIPT_NAME: '/evil' } })).body) as Told;
  t.like(headers, { x_a: '1', script_name: undefined });
  t.is(url, '/evil/x');
  await dangerous.d.stop();
});

test.serial('a unix socket is trusted; --untrusted-headers keep leaves the headers to the app', async (t) => {
  const { d, address } = await serve(t, 'handler', ['--forwarded-allow-ips', ''], `unix:${join(folder, 'edge.sock')}`);
  t.like((JSON.parse((await get(address, '/', { headers: { 'x-forwarded-for': '1.1.1.1' } })).body) as Told).drover, { clientAddress: '1.1.1.1', trusted: true });
  await d.stop();
  const keep = await serve(t, 'handler', ['--forwarded-allow-ips', '', '--untrusted-headers', 'keep']);
  const told = JSON.parse((await get(keep.address, '/', { headers: { 'x-forwarded-for': '6.6.6.6' } })).body) as Told;
  t.is(told.headers['x-forwarded-for'], '6.6.6.6');
  t.like(told.drover, { clientAddress: '127.0.0.1', trusted: false });
  await keep.d.stop();
});

test.serial('hooks around every request; one that throws is told once, and stops nothing', async (t) => {
  const config = join(folder, 'hooks.config.mjs');
  writeFileSync(config, `export default {
    preRequest(request) { console.log('pre ' + request.url); if (request.url === '/throws') throw new Error('no'); },
    async postRequest(request, response) { console.log('post ' + request.url + ' ' + response.statusCode); throw new Error('later'); },
  };`);
  const { d, address } = await serve(t, 'handler', ['-c', config, '--script-name', '/app']);
  for (const path of ['/app/a', '/app/throws', '/app/throws', '/outside']) await get(address, path);
  await d.until('the hooks', () => (d.stdout.match(/post \/throws 200/g)?.length === 2 ? true : undefined));
  t.deepEqual(d.stdout.trim().split('\n').filter((line) => line.endsWith('/a') || line.endsWith('/a 200')), ['pre /a', 'post /a 200']);
  t.notRegex(d.stdout, /outside/);
  t.like(await d.event('hook.failed', { hook: 'preRequest' }), { message: 'no', count: 1 });
  t.like(await d.event('hook.failed', { hook: 'postRequest' }), { message: 'later', count: 1 });
  t.is(d.events('hook.failed').length, 2);
  await d.stop();
});
