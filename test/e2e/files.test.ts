/** Files through the real command line: every way an app has to send one, over every kind of connection. */
import { createHash, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openDescriptors, poll, ROOT, scratch, start, type Address, type Drover } from '../helpers/drover.js';

const MEGABYTE = 1 << 20;
const large = Buffer.alloc(3 * MEGABYTE);
for (let i = 0; i < large.length; i += 4) large.writeUInt32LE((i * 2654435761) >>> 0, i);
const DROVER_INDEX = join(ROOT, 'dist/src/index.js');

function app(name: string): string {
  return join(ROOT, 'test/fixtures/files', name);
}

/** A directory with files to serve. */
function files(t: ExecutionContext): string {
  const dir = scratch(t);
  mkdirSync(join(dir, 'public/sub'), { recursive: true });
  const root = join(dir, 'public');
  writeFileSync(join(root, 'large.bin'), large);
  writeFileSync(join(root, 'small.css'), 'body { color: red }\n');
  writeFileSync(join(root, 'small.css.gz'), 'pretend gzip');
  writeFileSync(join(root, 'empty.txt'), '');
  writeFileSync(join(root, 'index.html'), '<h1>index</h1>\n');
  writeFileSync(join(root, 'sub/index.html'), '<h1>sub</h1>\n');
  writeFileSync(join(root, '.secret'), 'secret');
  writeFileSync(join(dir, 'outside.txt'), 'outside');
  symlinkSync('small.css', join(root, 'inner.css'));
  symlinkSync('../outside.txt', join(root, 'outer.txt'));
  const past = new Date(Date.now() - 60_000);
  for (const name of ['large.bin', 'small.css', 'small.css.gz', 'empty.txt']) utimesSync(join(root, name), past, past);
  return root;
}

interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

function ask(address: Address, path: string, options: { method?: string; headers?: Record<string, string>; agent?: http.Agent } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...address, path, method: options.method ?? 'GET', headers: options.headers ?? {}, agent: options.agent ?? false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('close', () => {
        if (response.complete) resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) });
        else reject(new Error(`premature end of ${path}`));
      });
    });
    request.on('error', reject);
    request.end();
  });
}

/** Run `act` and count the system calls of the workers meanwhile; undefined where there is no strace. */
async function sendfiles(drover: Drover, t: ExecutionContext, act: () => Promise<unknown>): Promise<number | undefined> {
  const dir = scratch(t);
  const { spawn } = await import('node:child_process');
  const [pid] = drover.workers();
  const out = join(dir, 'trace');
  const strace = spawn('strace', ['-f', '-e', 'trace=sendfile', '-o', out, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const attached = await new Promise<boolean>((resolve) => {
    strace.on('error', () => resolve(false));
    strace.on('exit', () => resolve(false));
    strace.stderr.on('data', (text: Buffer) => String(text).includes('attached') && resolve(true));
  });
  if (!attached) {
    await act();
    t.log('strace is not here: that sendfile(2) was used is not seen');
    return undefined;
  }
  await act();
  const gone = new Promise((resolve) => strace.once('exit', resolve));
  strace.kill('SIGINT');
  await gone;
  return readFileSync(out, 'utf8').split('\n').filter((line) => /sendfile\(.*= [1-9]/.test(line)).length;
}

test.serial('an access log does not keep a response from going by sendfile(2), and knows how much of it went', async (t) => {
  const root = files(t);
  const log = join(scratch(t), 'access.log');
  const drover = await start(t, ['-b', '127.0.0.1:0', '--access-logfile', log, '--access-log-format', '%(U)s %(s)s %(B)s %({Content-Type}o)s %({date}o)s', '--static', `/s=${root}`, app('express.cjs')], { env: { FILES: root } }).ready();
  const address = await drover.address();
  let date = '';
  const count = await sendfiles(drover, t, async () => {
    for (const path of ['/large.bin', '/s/large.bin']) t.true((await ask(address, path)).body.equals(large), path);
    t.is((await ask(address, '/s/large.bin', { headers: { range: 'bytes=0-9' } })).status, 206);
    // With a head that was made before the request came.
    const { headers } = await ask(address, '/s/small.css', { headers: { connection: 'keep-alive' } });
    date = headers.date!;
  });
  if (count !== undefined) t.true(count >= 2, String(count));
  const size = String(large.length);
  const found = await poll('four lines', () => {
    const all = readFileSync(log, 'utf8').split('\n').slice(0, -1);
    return all.length === 4 ? all : undefined;
  });
  const type = 'application/octet-stream';
  const told = found.map((line) => line.split(' ').slice(0, 4).join(' '));
  t.deepEqual(told, [`/large.bin 200 ${size} ${type}`, `/s/large.bin 200 ${size} ${type}`, `/s/large.bin 206 10 ${type}`, '/s/small.css 200 20 text/css;']);
  t.true(found[3]!.endsWith(date) && date !== '', found[3]);
});

for (const framework of ['express.cjs', 'fastify.cjs', 'koa.cjs', 'sirv.mjs']) {
  test.serial(`${framework} sends files as it is, with sendfile(2), and closes them`, async (t) => {
    const root = files(t);
    const drover = await start(t, ['-b', '127.0.0.1:0', app(framework)], { env: { FILES: root } }).ready();
    const address = await drover.address();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    const count = await sendfiles(drover, t, async () => {
      for (const path of ['/large.bin', '/send/large.bin']) {
        const whole = await ask(address, path, { agent });
        t.is(whole.status, 200, path);
        t.true(whole.body.equals(large), path);
        const range = await ask(address, path, { agent, headers: { range: 'bytes=5-1000004' } });
        // koa-send knows no ranges.
        if (framework !== 'koa.cjs') t.is(range.status, 206);
        t.true(range.body.equals(framework === 'koa.cjs' ? large : large.subarray(5, 1_000_005)), `range of ${path}`);
        t.is((await ask(address, path, { agent, method: 'HEAD' })).body.length, 0);
      }
      t.is((await ask(address, '/small.css', { agent })).body.toString(), 'body { color: red }\n');
      t.is((await ask(address, '/empty.txt', { agent })).body.length, 0);
      t.is((await ask(address, '/nothing', { agent })).status, 404);
    });
    t.true(count === undefined || count >= 5, `sendfile(2) ${count} times`);
    const pid = drover.workers()[0]!;
    await poll('the files to be closed', () => (openDescriptors(pid, root) === 0 ? true : undefined));
  });
}

for (const flags of [[], ['--no-sendfile']]) {
  test.serial(`a plain handler, every way${flags.join(' ')}`, async (t) => {
    const root = files(t);
    const dir = scratch(t);
    const drover = await start(t, ['-b', '127.0.0.1:0', '-b', `unix:${join(dir, 'sock')}`, ...flags, '--sendfile-root', root, app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
    for (const address of [await drover.address(0), await drover.address(1)]) {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const count = await sendfiles(drover, t, async () => {
        for (const route of ['api', 'trusted', 'pipeline', 'chunked', 'transformed', 'sendfile', 'redirect']) {
          const { status, body, headers } = await ask(address, `/${route}/large.bin`, { agent });
          t.is(status, 200, route);
          t.true(body.equals(large), route);
          t.is(headers['x-sendfile'], undefined);
          t.is(headers['x-accel-redirect'], undefined);
          if (route === 'sendfile') t.is(headers['content-type'], 'text/x-mine');
          if (route === 'redirect') t.deepEqual(headers['set-cookie'], ['a=b']);
          if (route === 'chunked') continue;
          t.is(headers['content-length'], String(large.length));
        }
      });
      if (count !== undefined && flags.length === 0) t.true(count >= 5);
      if (count !== undefined && flags.length > 0) t.is(count, 0);
      for (const route of ['api', 'trusted', 'sendfile', 'redirect']) {
        const { headers } = await ask(address, `/${route}/small.css`, { agent });
        t.is((await ask(address, `/${route}/small.css`, { agent, headers: { 'if-none-match': headers.etag! } })).status, 304, route);
        t.is((await ask(address, `/${route}/small.css`, { agent, headers: { 'if-modified-since': headers['last-modified']! } })).status, 304, route);
        const range = await ask(address, `/${route}/small.css`, { agent, headers: { range: 'bytes=0-3' } });
        t.deepEqual([range.status, range.body.toString(), range.headers['content-range']], [206, 'body', 'bytes 0-3/20'], route);
        t.is((await ask(address, `/${route}/small.css`, { agent, headers: { range: 'bytes=99-' } })).status, 416, route);
        t.is((await ask(address, `/${route}/missing`, { agent })).status, 404, route);
        t.is((await ask(address, `/${route}/empty.txt`, { agent })).body.length, 0);
      }
      const page = await ask(address, '/page/small.css', { agent, headers: { range: 'bytes=0-3' } });
      t.deepEqual([page.status, page.body.toString()], [503, 'body { color: red }\n'], 'another status: the whole file');
      for (const path of ['..%2Foutside.txt', '%2Fetc%2Fpasswd', 'outer.txt', 'inner.css', 'sub']) {
        const { status, body } = await ask(address, `/sendfile/${path}`, { agent });
        t.is(status, 403, path);
        t.is(body.toString(), 'Forbidden\n');
      }
      t.is((await ask(address, '/redirect/%2e%2e/outside.txt', { agent })).status, 403);
      t.is((await ask(address, '/api/outer.txt', { agent })).status, 403);
      agent.destroy();
    }
    const [refused, ...more] = drover.events('http.sendfile-refused');
    t.is(more.length, 0, 'rate-limited');
    t.is(refused!['path'], '../outside.txt');
  });
}

test.serial('--static: what is there, and what is left to the app', async (t) => {
  const root = files(t);
  const drover = await start(t, ['-b', '127.0.0.1:0', '--static', `/=${root}`, '--static', `/assets/sub=${join(root, 'sub')}`, '--static', `/assets=${root}`, '--static-max-age', '1h', app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
  const address = await drover.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const from = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> => ask(address, path, { agent, headers, method });

  for (const path of ['/large.bin', '/assets/large.bin?v=1', '/assets/large.bin']) t.true((await from(path)).body.equals(large), path);
  const css = await from('/small.css');
  t.is(css.body.toString(), 'body { color: red }\n');
  t.like(css.headers, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'public, max-age=3600', 'accept-ranges': 'bytes', 'x-content-type-options': 'nosniff', vary: 'Accept-Encoding', 'content-length': '20', connection: 'keep-alive' });
  const zipped = await from('/small.css', { 'accept-encoding': 'gzip, br' });
  t.is(zipped.body.toString(), 'pretend gzip');
  t.like(zipped.headers, { 'content-encoding': 'gzip', 'content-type': 'text/css; charset=utf-8' });
  t.not(zipped.headers.etag, css.headers.etag);

  // The ready-made head says what the other one says.
  const slow = await from('/small.css', { 'if-none-match': '"other"' });
  t.deepEqual(Object.keys(slow.headers).sort(), Object.keys(css.headers).sort());
  t.deepEqual({ ...slow.headers, date: '' }, { ...css.headers, date: '' });

  t.is((await from('/small.css', { 'if-none-match': css.headers.etag! })).status, 304);
  t.is((await from('/large.bin', { 'if-modified-since': (await from('/large.bin')).headers['last-modified']! })).status, 304);
  const range = await from('/large.bin', { range: 'bytes=-5', 'if-range': (await from('/large.bin')).headers.etag! });
  t.deepEqual([range.status, range.body], [206, large.subarray(-5)]);
  t.is((await from('/large.bin', { range: 'bytes=-5', 'if-range': '"other"' })).status, 200);
  const several = await from('/large.bin', { range: 'bytes=0-1,100-200' });
  t.is(several.status, 200);
  t.true(several.body.equals(large));
  t.is((await from('/small.css', { range: 'bytes=99-' })).headers['content-range'], 'bytes */20');
  const head = await from('/large.bin', {}, 'HEAD');
  t.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, String(large.length), 0]);
  const post = await from('/small.css', {}, 'POST');
  t.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD']);
  t.is((await from('/')).body.toString(), '<h1>index</h1>\n');
  t.is((await from('/sub/')).body.toString(), '<h1>sub</h1>\n');
  const redirect = await from('/sub?a=b');
  t.deepEqual([redirect.status, redirect.headers.location], [301, '/sub/?a=b']);
  t.is((await from('/assets/sub/')).body.toString(), '<h1>sub</h1>\n', 'the longer prefix');
  t.is((await from('/inner.css')).body.toString(), 'body { color: red }\n', 'a link that stays inside');
  t.is((await from('/empty.txt')).headers['content-length'], '0');

  // The app answers `no route`.
  for (const path of ['/missing', '/.secret', '/%2esecret', '/outer.txt', '/../outside.txt', '/%2e%2e/outside.txt', '/..%2foutside.txt', '/small.css%00', '/%ff', '/sub//index.html', '/small.css/', '/assetsx', '//etc/passwd']) {
    const { status, body } = await from(path);
    t.deepEqual([status, body.toString()], [404, 'ENOENT'], path);
  }
  t.is((await from('/small.css', {}, 'OPTIONS')).body.toString(), 'ENOENT');

  // Replaced: seen within the time that the cache trusts itself.
  writeFileSync(join(root, 'small.css'), 'new\n');
  await poll('the new file', async () => ((await from('/small.css')).body.toString() === 'new\n' ? true : undefined));
});

test.serial('--static: a file that is kept with its bytes, and too large to be copied, goes by sendfile(2) as it was when it was read', async (t) => {
  const root = files(t);
  const middle = randomBytes(48 * 1024);
  writeFileSync(join(root, 'middle.bin'), middle);
  const drover = await start(t, ['-b', '127.0.0.1:0', '-w', '1', '--static', `/=${root}`, app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
  const address = await drover.address();
  const pid = (await drover.event('worker.ready'))['worker'] as number;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const from = (headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> => ask(address, '/middle.bin', { agent, headers, method });
  const inMemory = (): number => readdirSync(`/proc/${pid}/fd`).filter((fd) => isMemory(`/proc/${pid}/fd/${fd}`)).length;

  t.true((await from({ range: 'bytes=1-' })).body.equals(middle.subarray(1)));
  t.is((await from({}, 'HEAD')).headers['content-length'], String(middle.length));
  t.is(inMemory(), 0, 'none before it is wanted');
  for (let i = 0; i < 3; i++) {
    const reply = await from();
    t.true(reply.body.equals(middle));
    t.is(reply.headers['content-length'], String(middle.length));
  }
  t.is(inMemory(), 1);

  // Shorter, in place: what is promised is kept, and soon the new one is sent.
  truncateSync(join(root, 'middle.bin'), 40 * 1024);
  await poll('the new file', async () => {
    const { body } = await from();
    if (body.length === middle.length) t.true(body.equals(middle));
    else t.true(body.equals(middle.subarray(0, 40 * 1024)));
    return body.length === middle.length ? undefined : true;
  });
  await poll('the old one to be closed', async () => (inMemory() <= 1 && (await from()).status === 200 ? true : undefined));
});

function isMemory(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('/memfd:drover-file');
  } catch {
    return false;
  }
}

test.serial('--static over HTTP/2, where there is no sendfile(2)', async (t) => {
  const root = files(t);
  const drover = await start(t, ['-b', '127.0.0.1:0', '--static', `/=${root}`, app('http2.mjs')]).ready();
  const { port } = (await drover.address()) as { port: number };
  const session = http2.connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  const from = (headers: Record<string, string>): Promise<{ status: number; body: Buffer }> =>
    new Promise((resolve, reject) => {
      const stream = session.request(headers);
      let status = 0;
      const chunks: Buffer[] = [];
      stream.on('response', (answer) => (status = answer[':status']!));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject).on('end', () => resolve({ status, body: Buffer.concat(chunks) }));
    });
  const all = await Promise.all(Array.from({ length: 8 }, () => from({ ':path': '/large.bin' })));
  for (const { status, body } of all) {
    t.is(status, 200);
    t.true(body.equals(large));
  }
  t.is((await from({ ':path': '/small.css' })).body.toString(), 'body { color: red }\n');
  t.deepEqual(await from({ ':path': '/large.bin', range: 'bytes=1-3' }), { status: 206, body: large.subarray(1, 4) });
});

test.serial('a directory that is not there is said at once', async (t) => {
  const drover = start(t, ['-b', '127.0.0.1:0', '--static', '/=/no/such/place', app('sirv.mjs')], { plain: true });
  t.is((await drover.finished()).code, 2);
  t.regex(drover.text, /--static: no such directory: "\/no\/such\/place" \(flag --static\)/);
});

test.serial('a client that reads slowly costs no memory', async (t) => {
  const root = files(t);
  const bytes = 64 * MEGABYTE;
  writeFileSync(join(root, 'huge.bin'), Buffer.alloc(bytes));
  const drover = await start(t, ['-b', '127.0.0.1:0', '--static', `/static=${root}`, '--sendfile-root', root, app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
  const { port } = (await drover.address()) as { port: number };
  const pid = drover.workers()[0]!;
  const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
  for (const path of ['/static/small.css', '/api/small.css', '/pipeline/small.css', '/sendfile/small.css']) await ask({ host: '127.0.0.1', port }, path);
  const before = resident();
  const sockets: net.Socket[] = [];
  for (let i = 0; i < 16; i++) {
    const path = [`/static/huge.bin`, '/api/huge.bin', '/pipeline/huge.bin', '/sendfile/huge.bin'][i % 4]!;
    const socket = net.connect(port, '127.0.0.1').pause();
    socket.on('error', () => {});
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    sockets.push(socket);
  }
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  // All of them are under way: each holds the file open.
  await poll('sixteen transfers', () => (openDescriptors(pid, 'huge.bin') >= 16 ? true : undefined));
  t.true(resident() - before < 16 * MEGABYTE, `${before} → ${resident()} bytes for a gigabyte owed`);
  for (const socket of sockets) socket.destroy();
  // One stays in the cache.
  await poll('them to be closed', () => (openDescriptors(pid, 'huge.bin') <= 1 ? true : undefined));
});

for (const flags of [[], ['--no-sendfile']]) {
  test.serial(`of 500 pipelined requests one file is open: ${flags.join()}`, async (t) => {
    const root = files(t);
    writeFileSync(join(root, 'huge.bin'), Buffer.alloc(64 * MEGABYTE));
    const drover = await start(t, ['-b', '127.0.0.1:0', ...flags, '--static', `/static=${root}`, '--sendfile-root', root, '--access-logfile', '-', app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
    const { port } = (await drover.address()) as { port: number };
    const pid = drover.workers()[0]!;
    for (const route of ['api', 'trusted', 'sendfile', 'redirect', 'static']) {
      const stuck = net.connect(port, '127.0.0.1').pause();
      stuck.on('error', () => {});
      t.teardown(() => stuck.destroy());
      // The last is answered by the app at once: when it says so, the worker has seen them all.
      stuck.write(`${`GET /${route}/huge.bin HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(500)}GET /said/${route} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await drover.until(`the last of ${route}`, () => (drover.stdout.includes(`said ${route}`) ? true : undefined));
      // A transfer has a duplicate of its own; the cache of --static has one.
      await poll('the transfer', () => (openDescriptors(pid, 'huge.bin') > 0 ? true : undefined));
      const open = openDescriptors(pid, 'huge.bin');
      t.true(open <= 3, `${route}: ${open}`);
      stuck.destroy();
      // All that waited is counted out: 501 lines of the log.
      await drover.until(`the end of ${route}`, () => ((drover.stdout.match(new RegExp(`GET /(${route}/huge.bin|said/${route}) `, 'g')) ?? []).length === 501 ? true : undefined));
      await poll('it to be closed', () => (openDescriptors(pid, 'huge.bin') <= (route === 'static' ? 1 : 0) ? true : undefined));
    }
    t.notRegex(drover.text, /MaxListeners/);
  });
}

test.serial('what waits for its turn is answered as when it was asked: its status, its body, and no file that is gone', async (t) => {
  const root = files(t);
  const drover = await start(t, ['-b', '127.0.0.1:0', '--static', `/static=${root}`, '--sendfile-root', root, app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
  const { port } = (await drover.address()) as { port: number };
  const client = net.connect(port, '127.0.0.1').pause();
  t.teardown(() => client.destroy());
  const paths = ['api/large.bin', 'api/missing', 'sendfile/missing', 'late/small.css', 'status/small.css?201', 'bodiless/small.css?99', 'never'];
  client.write(['static/inner.css', ...paths].map((path) => `GET /${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
  const chunks: Buffer[] = [];
  client.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  await once(client, 'close');
  const text = Buffer.concat(chunks).toString('latin1');
  const [first, second, third, fourth, fifth, sixth, ...more] = text.split(/(?=HTTP\/1\.1 \d\d\d )/);
  t.true(first!.endsWith('body { color: red }\n'));
  t.true(second!.endsWith(large.toString('latin1')));
  t.regex(third!, /^HTTP\/1\.1 404 [^]*ENOENT$/);
  t.regex(fourth!, /^HTTP\/1\.1 404 [^]*Not Found\n$/);
  t.regex(fifth!, /^HTTP\/1\.1 200 [^]*\r\n\r\nbody \{ color: red \}\n$/);
  t.notRegex(fifth!, /x-late/i);
  t.regex(sixth!, /^HTTP\/1\.1 201 [^]*\r\n\r\nbody \{ color: red \}\n$/);
  t.is(more.length, 0, 'a status that cannot be sent ends the connection');
  await drover.until('the warning', () => (drover.text.includes('ERR_HTTP_INVALID_STATUS_CODE') ? true : undefined));
  t.deepEqual(drover.events('worker.died'), []);
});

for (const flags of [[], ['--no-sendfile']]) {
  test.serial(`a response that takes no body, or throws, harms nobody: ${flags.join()}`, async (t) => {
    const root = files(t);
    const strict = await start(t, ['-b', '127.0.0.1:0', ...flags, '--sendfile-root', root, app('strict.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
    const address = await strict.address();
    for (const name of ['large.bin', 'small.css']) {
      for (const route of ['api', 'trusted', 'sendfile']) {
        const { status, headers, body } = await ask(address, `/${route}/${name}`, { method: 'HEAD' });
        t.deepEqual([status, Number(headers['content-length']), body.length], [200, readFileSync(join(root, name)).length, 0], route);
      }
      for (const route of ['status', 'bodiless']) for (const status of [204, 304]) t.is((await ask(address, `/${route}/${name}?${status}`)).status, status);
    }
    t.deepEqual(strict.events('worker.died'), []);
    await strict.stop();

    const drover = await start(t, ['-b', '127.0.0.1:0', ...flags, app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
    const other = await drover.address();
    for (const method of ['write', 'end']) {
      // When `end` throws, all of the body has gone out.
      await ask(other, `/throwing/large.bin?${method}`).then(({ body }) => t.true(method === 'end' && body.equals(large)), () => t.is(method, 'write'));
      await drover.until('its outcome', () => (drover.stdout.includes(`${method} false`) ? true : undefined));
    }
    t.is((await ask(other, '/api/small.css')).status, 200);
    t.deepEqual(drover.events('worker.died'), []);
  });
}

test.serial('pipelined requests have one buffer among them, and are answered in their order', async (t) => {
  const root = files(t);
  writeFileSync(join(root, 'huge.bin'), Buffer.alloc(64 * MEGABYTE));
  const drover = await start(t, ['-b', '127.0.0.1:0', '--no-sendfile', '--static', `/static=${root}`, app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
  const { port } = (await drover.address()) as { port: number };
  const pid = drover.workers()[0]!;
  const read = (): number => Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1]);
  await ask({ host: '127.0.0.1', port }, '/static/small.css');
  const before = read();
  const stuck = net.connect(port, '127.0.0.1').pause();
  stuck.on('error', () => {});
  t.teardown(() => stuck.destroy());
  stuck.write('GET /api/huge.bin HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(200));
  await poll('the transfer', () => (openDescriptors(pid, 'huge.bin') > 0 ? true : undefined));
  // Another connection is served meanwhile.
  t.is((await ask({ host: '127.0.0.1', port }, '/static/small.css')).status, 200);
  // What the socket's buffers take of the first; 200 pieces would be 25 MiB.
  t.true(read() - before < 16 * MEGABYTE, `${read() - before} bytes read for a client that takes none`);
  stuck.destroy();
  await poll('them to be closed', () => (openDescriptors(pid, 'huge.bin') === 0 ? true : undefined));

  const client = net.connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  const names = Array.from({ length: 20 }, (_, i) => ['api/small.css', 'static/large.bin', 'api/large.bin'][i % 3]!);
  client.write(names.map((name, i) => `GET /${name} HTTP/1.1\r\nHost: x\r\n${i === names.length - 1 ? 'Connection: close\r\n' : ''}\r\n`).join(''));
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  let left = Buffer.concat(chunks);
  for (const name of names) {
    const body = left.indexOf('\r\n\r\n') + 4;
    const wanted = readFileSync(join(root, name.split('/')[1]!));
    t.true(left.subarray(body, body + wanted.length).equals(wanted), name);
    left = left.subarray(body + wanted.length);
  }
  t.is(left.length, 0);
  t.notRegex(drover.text, /MaxListeners/);
});

test.serial('X-Sendfile with a status that has no body: neither body nor length, and the connection goes on', async (t) => {
  const root = files(t);
  const drover = await start(t, ['-b', '127.0.0.1:0', '--sendfile-root', root, app('handler.mjs')], { env: { FILES: root, DROVER_INDEX } }).ready();
  const { port } = (await drover.address()) as { port: number };
  const client = net.connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  client.write(['bodiless/large.bin?204', 'bodiless/small.css?304', 'nothing'].map((path, i) => `GET /${path} HTTP/1.1\r\nHost: x\r\n${i === 2 ? 'Connection: close\r\n' : ''}\r\n`).join(''));
  let text = '';
  for await (const chunk of client) text += String(chunk);
  const [none, notModified, last, ...more] = text.split(/(?=HTTP\/1\.1 )/);
  t.regex(none!, /^HTTP\/1\.1 204 [^]*\r\n\r\n$/);
  t.regex(notModified!, /^HTTP\/1\.1 304 [^]*\r\n\r\n$/);
  t.regex(last!, /^HTTP\/1\.1 404 /);
  t.notRegex(none! + notModified!, /content-length|transfer-encoding/i);
  t.is(more.length, 0);
});

test.serial('curl agrees', async (t) => {
  const root = files(t);
  const drover = await start(t, ['-b', '127.0.0.1:0', '--static', `/=${root}`, app('sirv.mjs')], { env: { FILES: root } }).ready();
  const { port } = (await drover.address()) as { port: number };
  const whole = execFileSync('curl', ['-sS', '--fail', `http://127.0.0.1:${port}/large.bin`, '-r', '0-', '--next', '-sS', '--fail', `http://127.0.0.1:${port}/small.css`], { maxBuffer: 8 * MEGABYTE });
  const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
  t.is(hash(whole), hash(Buffer.concat([large, Buffer.from('body { color: red }\n')])));
});
