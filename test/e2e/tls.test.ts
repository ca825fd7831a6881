/** TLS and HTTP/2 in front of apps of every shape, with the clients that people have: curl, browsers' ways, ws. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import WebSocket from 'ws';
import { ACCEPT_STRATEGIES } from '../../src/config/options/listening.js';
import { makeCertificate, type MadeCertificate } from '../helpers/certificates.js';
import { fixture, openDescriptors, ROOT, poll, scratch, start, type Address, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { Load } from '../helpers/load.js';
import { askTls, type TlsAnswer } from '../helpers/tls.js';

const run = promisify(execFile);
const EXAMPLE = ['--certfile', join(ROOT, 'examples/https/cert.pem'), '--keyfile', join(ROOT, 'examples/https/key.pem')];

async function portOf(d: Drover): Promise<number> {
  return ((await d.address()) as { port: number }).port;
}

/** `HTTP version, status, body`. */
async function curl(url: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sk', '--max-time', '20', ...args, '-w', '\n%{http_version} %{http_code}', url]);
  return stdout;
}

function up(t: ExecutionContext, app: string, ...args: string[]): Promise<Drover> {
  return start(t, [app, '-w', '2', '-b', '127.0.0.1:0', ...args], { cwd: ROOT }).ready();
}

const APPS = {
  handler: 'examples/hello/app.js',
  express: 'examples/express/app.js',
  koa: 'examples/koa/app.js',
  fastify: 'examples/fastify/app.js',
  hono: 'examples/hono/app.js',
  script: 'examples/script/app.cjs',
};

for (const [kind, app] of Object.entries(APPS)) {
  test.serial(`${kind}: HTTP/1.1 and HTTP/2 by ALPN, and by prior knowledge without TLS`, async (t) => {
    const secure = await up(t, app, ...EXAMPLE, '--http-protocols', 'h2,h1');
    const url = `https://127.0.0.1:${await portOf(secure)}/`;
    const [first, second] = [await curl(url, '--http1.1'), await curl(url, '--http2')];
    t.regex(first, /\n1\.1 200$/);
    t.regex(second, /\n2 200$/);
    await secure.stop();

    const clear = await up(t, app, '--http-protocols', 'h1,h2');
    const clearUrl = `http://127.0.0.1:${await portOf(clear)}/`;
    t.regex(await curl(clearUrl), /\n1\.1 200$/);
    t.regex(await curl(clearUrl, '--http2-prior-knowledge'), /\n2 200$/);
    t.regex(await curl(clearUrl, '--http2'), /\n1\.1 200$/, 'an Upgrade is not taken');
  });
}

test.serial('without --http-protocols it is HTTP/1.1, whatever the client offers', async (t) => {
  const d = await up(t, APPS.handler, ...EXAMPLE);
  t.regex(await curl(`https://127.0.0.1:${await portOf(d)}/`, '--http2'), /\n1\.1 200$/);
});

test.serial('the first protocol is preferred; with h2 alone nothing else is spoken', async (t) => {
  const d = await up(t, APPS.handler, ...EXAMPLE, '--http-protocols', 'h1,h2');
  t.regex(await curl(`https://127.0.0.1:${await portOf(d)}/`, '--http2'), /\n1\.1 200$/);
  const only = await up(t, APPS.handler, ...EXAMPLE, '--http-protocols', 'h2');
  const port = await portOf(only);
  t.regex(await curl(`https://127.0.0.1:${port}/`, '--http2'), /\n2 200$/);
  await t.throwsAsync(askTls({ port, ALPNProtocols: ['http/1.1'] }));
  const clear = await up(t, APPS.handler, '--http-protocols', 'h2');
  t.regex(await curl(`http://127.0.0.1:${await portOf(clear)}/`, '--http2-prior-knowledge'), /\n2 200$/);
});

for (const strategy of ACCEPT_STRATEGIES) {
  test.serial(`a script behind TLS sees what it sees without: ${strategy}`, async (t) => {
    const d = await up(t, fixture('tls-script.cjs'), ...EXAMPLE, '--http-protocols', 'h2,h1', '--accept-strategy', strategy);
    const port = await portOf(d);
    const answers = await Promise.all(Array.from({ length: 20 }, () => get({ host: '127.0.0.1', port }, '/', { tls: true })));
    for (const { body } of answers) {
      const seen = JSON.parse(body) as Record<string, unknown>;
      t.true(seen['encrypted'] && seen['sameSocket'], body);
      t.is(seen['version'], '1.1');
      t.true(d.workers().includes(seen['pid'] as number));
    }
    const second = JSON.parse((await curl(`https://127.0.0.1:${port}/`, '--http2')).split('\n')[0]!) as Record<string, unknown>;
    t.deepEqual([second['version'], second['encrypted'], second['connections']], ['2.0', true, 1]);
  });
}

test.serial('over a unix socket', async (t) => {
  const path = join(scratch(t), 'socket');
  const d = await start(t, [APPS.handler, '-b', `unix:${path}`, ...EXAMPLE, '--http-protocols', 'h2'], { cwd: ROOT }).ready();
  t.regex(await curl('https://localhost/', '--unix-socket', path, '--http2'), /\n2 200$/);
  await d.stop();
});

/** A handshake that is reset as it ends, as a health check does it; `at`: how long after, in the client's turns. */
function handshakeAndReset(port: number, at: number): Promise<void> {
  return new Promise((resolve) => {
    const raw = net.connect(port, '127.0.0.1', () => {
      const socket = tls.connect({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      const reset = (turns: number): void => void (turns > 0 ? setImmediate(reset, turns - 1) : raw.resetAndDestroy());
      socket.on('error', () => {}).on('secureConnect', () => reset(at));
    });
    raw.on('error', () => {}).on('close', () => resolve());
  });
}

for (const [whose, app, args] of [['drover', APPS.handler, [...EXAMPLE, '--http-protocols', 'h2,h1']], ['the app', fixture('edge.cjs'), []]] as const) {
  test.serial(`HTTP/2 of ${whose}: connections that are reset as their handshake ends do not stay open`, async (t) => {
    const env = { SHAPE: 'http2', TLS_CERT: EXAMPLE[1]!, TLS_KEY: EXAMPLE[3]! };
    const d = await start(t, [app, '-w', '1', '-b', '127.0.0.1:0', ...args], { cwd: ROOT, env }).ready();
    const [pid] = d.workers();
    const port = await portOf(d);
    await curl(`https://127.0.0.1:${port}/`, '--http2');
    // The listening socket and the channel are two.
    await poll('the first to be closed', () => (openDescriptors(pid!, 'socket:') === 2 ? true : undefined));
    for (let i = 0; i < 200; i++) await handshakeAndReset(port, i % 3);
    await poll('them to be closed', () => (openDescriptors(pid!, 'socket:') === 2 ? true : undefined));
    t.pass();
  });
}

test.serial('WebSockets over TLS', async (t) => {
  const d = await up(t, 'examples/ws/app.js', ...EXAMPLE, '--http-protocols', 'h2,h1');
  const socket = new WebSocket(`wss://127.0.0.1:${await portOf(d)}/`, { rejectUnauthorized: false });
  const answer = await new Promise<string>((resolve, reject) => {
    socket.on('open', () => socket.send('hello'));
    socket.on('message', (data) => resolve((data as Buffer).toString()));
    socket.on('error', reject);
  });
  t.is(answer, 'hello');
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  const exit = d.stop();
  t.is(await closed, 1001, 'the app has ended it when the worker drained');
  t.deepEqual(await exit, { code: 0, signal: null });
});

// Certificates.

test.serial('SNI: the exact name, the wildcard, and the default', async (t) => {
  const dir = scratch(t);
  const [main, exact, wild] = ['default.example', 'a.example.org', '*.example.org'].map((name, i) => makeCertificate(dir, `c${i}`, { names: [name] })) as [MadeCertificate, MadeCertificate, MadeCertificate];
  const certs = join(dir, 'certs');
  mkdirSync(join(certs, '_.example.org'), { recursive: true });
  writeFileSync(join(certs, 'a.example.org.pem'), exact.certText + exact.keyText);
  copyFileSync(wild.cert, join(certs, '_.example.org/fullchain.pem'));
  copyFileSync(wild.key, join(certs, '_.example.org/privkey.pem'));

  const d = await up(t, APPS.handler, '--certfile', main.cert, '--keyfile', main.key, '--cert-dir', certs);
  const port = await portOf(d);
  const subject = async (servername?: string): Promise<string> => (await askTls({ port, ...(servername === undefined ? {} : { servername }) })).subject;
  t.is(await subject('a.example.org'), 'a.example.org');
  t.is(await subject('A.Example.ORG'), 'a.example.org');
  t.is(await subject('b.example.org'), '*.example.org');
  t.is(await subject('x.b.example.org'), 'default.example');
  t.is(await subject(), 'default.example');
  await d.stop();

  const alone = await up(t, APPS.handler, '--cert-dir', certs);
  const alonePort = await portOf(alone);
  t.is((await askTls({ port: alonePort, servername: 'b.example.org' })).subject, '*.example.org');
  await t.throwsAsync(askTls({ port: alonePort, servername: 'c.example.net' }));
  await t.throwsAsync(askTls({ port: alonePort }));
  const failed = await alone.event('tls.handshake-failed');
  t.regex(String(failed['address']), /127\.0\.0\.1|gone/);
  t.true((failed['count'] as number) >= 1);
});

test.serial('client certificates: required, optional, and what the app sees of them', async (t) => {
  const dir = scratch(t);
  const ca = makeCertificate(dir, 'ca');
  const good = makeCertificate(dir, 'alice', { by: ca });
  const bad = makeCertificate(dir, 'mallory');
  const client = (made: MadeCertificate): tls.ConnectionOptions => ({ cert: made.certText, key: made.keyText });
  const who = (answer: TlsAnswer): unknown => (JSON.parse(answer.text.slice(answer.text.indexOf('{'), answer.text.lastIndexOf('}') + 1)) as { client?: string }).client;

  const required = await up(t, fixture('tls-script.cjs'), ...EXAMPLE, '--ca-certs', ca.cert, '--cert-reqs', 'required', '--http-protocols', 'h2,h1');
  const port = await portOf(required);
  t.is(who(await askTls({ port, ...client(good) })), 'alice');
  t.regex(await curl(`https://127.0.0.1:${port}/`, '--http2', '--cert', good.cert, '--key', good.key), /"version":"2.0".*"client":"alice"/);
  // With TLS 1.3 a client hears of the refusal after its own end of the handshake.
  for (const options of [{}, client(bad)]) t.is((await askTls({ port, ...options }).catch(() => ({ text: '' }))).text, '');
  await required.event('tls.handshake-failed');
  await required.stop();

  const optional = await up(t, fixture('tls-script.cjs'), ...EXAMPLE, '--ca-certs', ca.cert, '--cert-reqs', '1');
  const optionalPort = await portOf(optional);
  t.is(who(await askTls({ port: optionalPort, ...client(good) })), 'alice');
  t.is(who(await askTls({ port: optionalPort })), undefined);
  const refused = await askTls({ port: optionalPort, ...client(bad) }).catch(() => ({ text: '' }));
  t.is(refused.text, '');
});

test.serial('versions of TLS are held', async (t) => {
  const d = await up(t, APPS.handler, ...EXAMPLE, '--tls-min-version', 'TLSv1.3');
  const port = await portOf(d);
  t.is((await askTls({ port })).protocol, 'TLSv1.3');
  await t.throwsAsync(askTls({ port, maxVersion: 'TLSv1.2' }));
  const old = await up(t, APPS.handler, ...EXAMPLE, '--tls-max-version', 'TLSv1.2', '--ciphers', 'ECDHE-ECDSA-AES256-GCM-SHA384');
  t.is((await askTls({ port: await portOf(old) })).protocol, 'TLSv1.2');
  await t.throwsAsync(askTls({ port: await portOf(old), ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }));
});

test.serial('a client that does not finish its handshake is let go, and who speaks no TLS is told from the log', async (t) => {
  const d = await up(t, APPS.handler, ...EXAMPLE, '--tls-handshake-timeout', '200ms');
  const port = await portOf(d);
  const silent = net.connect(port, '127.0.0.1').resume();
  await new Promise((resolve) => silent.once('close', resolve));
  const plain = net.connect(port, '127.0.0.1').resume();
  plain.write('GET / HTTP/1.1\r\n\r\n');
  plain.on('error', () => {});
  await new Promise((resolve) => plain.once('close', resolve));
  const codes = (await d.count(1, 'tls.handshake-failed')).map((record) => record['code']);
  t.true(codes.some((code) => /ERR_SSL_|ERR_TLS_HANDSHAKE_TIMEOUT/.test(String(code))), codes.join());
});

// Sessions.

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test.serial(`a session resumes at any of 4 workers, and after a reload and a crash: ${version}`, async (t) => {
    const d = start(t, [fixture('tls-script.cjs'), '-w', '4', '-b', '127.0.0.1:0', ...EXAMPLE, '--accept-strategy', 'exclusive'], { cwd: ROOT });
    await d.ready();
    const port = await portOf(d);
    const versions = { minVersion: version, maxVersion: version };
    const pidOf = ({ text }: TlsAnswer): string => /"pid":(\d+)/.exec(text)![1]!;
    const first = await askTls({ port, ...versions });
    const resumeAtAll = async (): Promise<void> => {
      const workers = new Set(d.workers().map(String));
      const pids = new Set<string>();
      for (let n = 0; n < 200 && pids.size < workers.size; n += 1) {
        const answer = await askTls({ port, ...(first.session === undefined ? {} : { session: first.session }), ...versions });
        t.true(answer.reused);
        pids.add(pidOf(answer));
      }
      t.deepEqual([...pids].sort(), [...workers].sort());
    };
    t.false(first.reused);
    await resumeAtAll();
    d.signal('SIGHUP');
    await d.event('reload.finished');
    await resumeAtAll();
    const mark = d.mark();
    process.kill(d.workers()[0]!, 'SIGKILL');
    await d.event('worker.ready', {}, mark);
    await resumeAtAll();
  });
}

test.serial('servers of the app that do TLS themselves share the keys too', async (t) => {
  const d = start(t, [fixture('own-https.cjs'), '-w', '4', '-b', '127.0.0.1:0', '--accept-strategy', 'exclusive'], { cwd: ROOT });
  await d.ready();
  const port = await portOf(d);
  const { session } = await askTls({ port });
  const pids = new Set<string>();
  for (let n = 0; n < 200 && pids.size < 4; n += 1) {
    const answer = await askTls({ port, ...(session === undefined ? {} : { session }) });
    t.true(answer.reused);
    pids.add(answer.text.split('\r\n').find((line) => /^\d{3,}$/.test(line)) ?? answer.text);
  }
  t.is(pids.size, 4);
});

test.serial('the keys change: a ticket outlives the first change, and not the second', async (t) => {
  const d = await up(t, APPS.handler, ...EXAMPLE, '--tls-ticket-rotate', '1s');
  const port = await portOf(d);
  const { session } = await askTls({ port });
  const began = performance.now();
  let reused = true;
  let resumed = 0;
  while (reused) {
    ({ reused } = await askTls({ port, ...(session === undefined ? {} : { session }) }));
    if (reused) resumed = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (performance.now() - began > 30_000) break;
  }
  t.false(reused, 'the key is gone in the end');
  t.true(resumed > 0);
});

test.serial('no key and no password is in the log, the arguments or the environment of a worker', async (t) => {
  const dir = scratch(t);
  const made = makeCertificate(dir, 'locked', { password: 'sesame-open' });
  const d = start(t, [APPS.handler, '-b', '127.0.0.1:0', '--certfile', made.cert, '--keyfile', made.key], { cwd: ROOT, env: { DROVER_KEYFILE_PASSWORD: 'sesame-open' } });
  await d.ready();
  t.regex((await askTls({ port: await portOf(d) })).text, / 200 /);
  const { stdout } = await run('cat', [`/proc/${d.workers()[0]}/cmdline`]);
  t.false(stdout.includes('sesame'));
  t.notRegex(JSON.stringify(d.records), /sesame|PRIVATE KEY|ticketKeys/);
});

// Reload.

test.serial('a reload puts the new certificate in force, and loses nothing under load, keep-alive and in flight', async (t) => {
  const dir = scratch(t);
  const [one, two] = [makeCertificate(dir, 'one'), makeCertificate(dir, 'two')];
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const put = ({ certText, keyText }: MadeCertificate): void => {
    writeFileSync(cert, certText);
    writeFileSync(key, keyText);
  };
  put(one);
  const d = await up(t, fixture('slow.cjs'), '--certfile', cert, '--keyfile', key, '--http-protocols', 'h1,h2');
  const port = await portOf(d);
  t.is((await askTls({ port })).subject, 'one');
  const load = Load.run(t, { host: '127.0.0.1', port }, { tls: true, clients: 16, path: '/10' });
  await load.asked(50);

  const client = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  t.teardown(() => client.destroy());
  const streams = ['/1500', '/2000'].map((path) => {
    const stream = client.request({ ':path': path });
    return new Promise<string>((resolve, reject) => {
      let body = '';
      stream.setEncoding('utf8').on('data', (text: string) => (body += text)).on('end', () => resolve(body)).on('error', reject);
    });
  });
  await d.until('both streams', () => (/begun \/1500/.test(d.text) && /begun \/2000/.test(d.text) ? true : undefined));

  put(two);
  d.signal('SIGHUP');
  await d.event('reload.finished');
  t.is((await askTls({ port })).subject, 'two');
  t.deepEqual((await Promise.all(streams)).map((body) => body.split(' ').slice(0, 2).join(' ')), ['done /1500', 'done /2000']);
  await load.asked(50);
  const { lost, ok } = await load.stop();
  t.deepEqual(lost, []);
  t.true(ok >= 100);
  await d.count(2, 'worker.exited');
  t.deepEqual(d.events('worker.grace-exceeded'), []);
});

test.serial('a key that does not fit stops the reload, and a worker that crashes meanwhile comes back with what was in force', async (t) => {
  const dir = scratch(t);
  const [one, two] = [makeCertificate(dir, 'one'), makeCertificate(dir, 'two')];
  const cert = join(dir, 'cert.pem');
  writeFileSync(cert, one.certText);
  const d = await up(t, APPS.handler, '--certfile', cert, '--keyfile', one.key);
  const port = await portOf(d);

  writeFileSync(cert, two.certText);
  d.signal('SIGHUP');
  const failed = await d.event('reload.failed');
  t.is(failed['code'], 'ERR_DROVER_TLS');
  t.is(failed['stage'], 'config');
  t.regex(String(failed['message']), /^--keyfile: the private key in .*one-key\.pem does not belong to the certificate in .*cert\.pem/);
  t.is((await askTls({ port })).subject, 'one');

  for (const pid of d.workers()) {
    const mark = d.mark();
    process.kill(pid, 'SIGKILL');
    await d.event('worker.ready', {}, mark);
  }
  for (let n = 0; n < 10; n += 1) t.is((await askTls({ port })).subject, 'one');
});

test.serial('the end of a drain waits for HTTP/2 requests, and the client is told to go', async (t) => {
  const d = await up(t, fixture('slow.cjs'), '--http-protocols', 'h2');
  const client = http2.connect(`http://127.0.0.1:${await portOf(d)}`);
  t.teardown(() => client.destroy());
  const goaway = new Promise<number>((resolve) => client.once('goaway', resolve));
  const stream = client.request({ ':path': '/700' });
  const body = new Promise<string>((resolve, reject) => {
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => resolve(text)).on('error', reject);
  });
  await d.until('the request', () => (/begun \/700/.test(d.text) ? true : undefined));
  const exit = d.stop();
  t.regex(await body, /^done \/700/);
  t.is(await goaway, 0);
  t.deepEqual(await exit, { code: 0, signal: null });
});

// Mistakes, and what is left alone.

test.serial('at start: one or two lines, exit code 2', async (t) => {
  const d = start(t, [APPS.handler, '--certfile', 'none.pem'], { cwd: ROOT, plain: true });
  t.deepEqual(await d.finished(), { code: 2, signal: null });
  t.regex(d.text, /^drover: --certfile: .*\/none\.pem does not exist \(flag --certfile\)\n {2}Give the path of a PEM file.*\n$/);
});

test.serial('--check-config looks at certificates, and warns of one that soon expires', async (t) => {
  const dir = scratch(t);
  const soon = makeCertificate(dir, 'soon', { days: 3 });
  const other = makeCertificate(dir, 'other');
  const good = start(t, [APPS.handler, '--check-config', '--certfile', soon.cert, '--keyfile', soon.key], { cwd: ROOT, plain: true });
  t.is((await good.finished()).code, 0);
  t.regex(good.text, /^warning: the certificate of soon in .*soon-cert\.pem expires in [23] days/m);
  const bad = start(t, [APPS.handler, '--check-config', '--certfile', soon.cert, '--keyfile', other.key], { cwd: ROOT, plain: true });
  t.is((await bad.finished()).code, 2);
  t.regex(bad.text, /does not belong to/);
});

test.serial('a certificate that soon expires is told at start and on HUP', async (t) => {
  const soon = makeCertificate(scratch(t), 'soon', { days: 3 });
  const d = await up(t, APPS.handler, '--certfile', soon.cert, '--keyfile', soon.key);
  const told = await d.event('tls.expires-soon');
  t.is(told['subject'], 'soon');
  d.signal('SIGHUP');
  await d.count(2, 'tls.expires-soon');
});

test.serial('servers that TLS is not for are named, and left as they are', async (t) => {
  const d = start(t, [fixture('own-https.cjs'), ...EXAMPLE], { cwd: ROOT, env: { WITH_NET: '1' } });
  await d.ready();
  const told = await d.count(2, 'tls.not-used');
  t.deepEqual(told.map((record) => [record['kind'], /own certificate|not encrypted/.exec(String(record['why']))?.[0]]).sort(), [['https', 'own certificate'], ['net', 'not encrypted']]);
  const ports = (await d.count(2, 'master.listening')).map((record) => Number(/:(\d+)$/.exec(String(record['address']))![1]));
  t.regex((await askTls({ port: ports[0]! })).text, / 200 /);
  const plain = await new Promise<string>((resolve) => net.connect(ports[1]!, '127.0.0.1').on('data', (chunk: Buffer) => resolve(chunk.toString())));
  t.is(plain, 'plain');
});

test.serial('limits count what is behind TLS: --worker-connections and --max-requests', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-b', '127.0.0.1:0', ...EXAMPLE, '--http-protocols', 'h2,h1', '--max-requests', '5', '--worker-connections', '2'], { cwd: ROOT });
  await d.ready();
  const address: Address = { host: '127.0.0.1', port: await portOf(d) };
  for (let n = 0; n < 3; n += 1) t.is((await get(address, '/', { tls: true })).status, 200);
  const url = `https://127.0.0.1:${await portOf(d)}/`;
  for (let n = 0; n < 3; n += 1) t.regex(await curl(url, '--http2'), /\n2 200$/);
  await d.event('worker.recycling');
});
