/** --proxy-protocol through the real CLI: whose address the app sees, who is turned away, and that nothing is lost. */
import { writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import type net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { options } from '../../src/config/options.js';
import { cert, key } from '../accept/fidelity/certificate.js';
import { fixture, scratch, start, type Address, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { CLIENT, CLIENT_6, dial, LOCAL, request, rest, told, UNKNOWN, v1, v2, v2Of, type Client } from '../helpers/proxy.js';

const strategies = options.flatMap((option) => (option.name === 'acceptStrategy' && option.type === 'enum' ? option.values : []));

/** Time enough for a header on a machine that is busy, unless the arguments say otherwise. One test at a time, for the same reason. */
function up(t: ExecutionContext, args: string[] = [], kind = 'http', directory = ''): Promise<Drover> {
  return start(t, [fixture('peer.cjs'), '-w', '2', '--proxy-protocol', 'auto', '--proxy-timeout', '60s', ...args, '--', kind, directory]).ready();
}

function certificates(t: ExecutionContext): string {
  const directory = scratch(t);
  writeFileSync(join(directory, 'key.pem'), key);
  writeFileSync(join(directory, 'cert.pem'), cert);
  return directory;
}

/** What the app tells to a client that the proxy names so. */
function sees({ address, port, localAddress, localPort }: Client): Record<string, unknown> {
  return { remoteAddress: address, remotePort: port, remoteFamily: address.includes(':') ? 'IPv6' : 'IPv4', localAddress, localPort };
}

/** Sends the pieces, each with a packet of its own as far as that is ours to say, and reads to the end. */
async function talk(t: ExecutionContext, address: Address, ...pieces: Buffer[]): Promise<string> {
  const socket = await dial(t, address);
  socket.setNoDelay(true);
  const answer = rest(socket);
  for (const piece of pieces) await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)));
  return answer;
}

const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);

const bytesOf = (buffer: Buffer): Buffer[] => [...buffer].map((byte) => Buffer.of(byte));

for (const strategy of strategies) {
  test.serial(`the app sees the client, in every version and at every address: ${strategy}`, async (t) => {
    const path = join(scratch(t), 'socket');
    const d = await up(t, ['-b', '127.0.0.1:0', '-b', `unix:${path}`, '--accept-strategy', strategy]);
    for (const address of [await d.address(), { socketPath: path }, await d.address(), { socketPath: path }]) {
      const to = 'socketPath' in address ? { path: address.socketPath } : address;
      for (const [header, client] of [[v1(), CLIENT], [v1(CLIENT_6), CLIENT_6], [v2(), CLIENT], [v2(CLIENT_6, 500), CLIENT_6]] as const) {
        // All at once; header and request apart; and byte by byte.
        for (const pieces of [[Buffer.concat([header, request()])], [header, request()], [...bytesOf(header.subarray(0, 60)), header.subarray(60), request()]]) {
          const [answer] = told(await talk(t, to as Address, ...pieces));
          t.like(answer, sees(client));
        }
      }
    }
  });
}

test.serial('requests behind the header, pipelined and kept alive, are all answered', async (t) => {
  const d = await up(t);
  for (const header of [v1(), v2()]) {
    const text = await talk(t, await d.address(), Buffer.concat([header, request('/1', 'keep-alive'), request('/2', 'keep-alive')]), request('/3', 'keep-alive'), request('/4'));
    t.deepEqual([...text.matchAll(/x-url: (.*)\r/g)].map(([, url]) => url), ['/1', '/2', '/3', '/4']);
    for (const answer of told(text)) t.like(answer, sees(CLIENT));
  }
});

test.serial('a health check of the proxy itself is seen as what it is', async (t) => {
  const path = join(scratch(t), 'socket');
  const d = await up(t, ['-b', '127.0.0.1:0', '-b', `unix:${path}`]);
  const address = (await d.address()) as { host: string; port: number };
  for (const header of [UNKNOWN, LOCAL, v2Of(0x21, 0, Buffer.alloc(7))]) {
    const socket = await dial(t, address);
    const { localPort } = socket;
    socket.write(Buffer.concat([header, request()]));
    t.like(told(await rest(socket))[0], { remoteAddress: '127.0.0.1', remotePort: localPort, localAddress: '127.0.0.1', localPort: address.port });
    t.deepEqual(Object.keys(told(await talk(t, { path } as unknown as Address, header, request()))[0]!), ['pid']);
  }
});

test.serial('a client at a unix socket of the proxy has no address; our own end stays', async (t) => {
  const d = await up(t);
  const header = v2Of(0x21, 0x31, Buffer.concat([Buffer.from('/run/client.sock'), Buffer.alloc(200)]));
  t.deepEqual(Object.keys(told(await talk(t, await d.address(), header, request()))[0]!), ['localAddress', 'localPort', 'pid']);
});

test.serial('an upgraded connection', async (t) => {
  const d = await up(t);
  const socket = await dial(t, await d.address());
  socket.write(Buffer.concat([v2(), Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')]));
  const text = rest(socket);
  socket.end('hello');
  t.like(told(await text)[0], sees(CLIENT));
  t.regex(await text, /hello$/);
});

for (const kind of ['https', 'h2', 'h2c', 'net']) {
  test.serial(`the header comes before TLS, HTTP/2 or whatever the server speaks: ${kind}`, async (t) => {
    const d = await up(t, ['-w', '1'], kind, certificates(t));
    for (const header of [v1(CLIENT_6), v2(CLIENT_6)]) {
      const socket = await dial(t, await d.address());
      socket.write(header);
      t.like(told(await answerOf(kind, socket))[0], sees(CLIENT_6));
    }
    // Without it nothing is begun.
    const bare = await dial(t, await d.address());
    if (kind === 'net') bare.write('hello');
    await t.throwsAsync(kind === 'net' ? rest(bare).then((text) => Promise.reject(new Error(text))) : answerOf(kind, bare));
    await d.event('proxy.refused', { reason: 'missing' });
  });
}

/** What the server answers on a connection that has had its header. */
function answerOf(kind: string, socket: net.Socket): Promise<string> {
  if (kind === 'net') return rest(socket);
  return new Promise((resolve, reject) => {
    const ended = (text: string): void => (text === '' ? reject(new Error('closed')) : resolve(text));
    const secure = kind === 'h2c' ? undefined : tls.connect({ socket, rejectUnauthorized: false, ALPNProtocols: [kind === 'h2' ? 'h2' : 'http/1.1'] });
    secure?.once('error', reject);
    if (kind === 'https') {
      secure!.write(request());
      return void rest(secure!).then(ended);
    }
    socket.once('close', () => ended(''));
    const session = http2.connect('https://localhost', { createConnection: () => secure ?? socket });
    session.once('error', reject);
    const stream = session.request({ ':path': '/' });
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    stream.once('error', reject);
    stream.once('end', () => {
      resolve(text);
      session.close();
    });
    return undefined;
  });
}

test.serial('who may not send a header is turned away, whatever it sends; a unix socket is trusted', async (t) => {
  const path = join(scratch(t), 'socket');
  const d = await up(t, ['-w', '1', '-b', '127.0.0.1:0', '-b', `unix:${path}`, '--proxy-allow-from', '192.0.2.0/24', '--proxy-allow-from', '::1']);
  for (const pieces of [[v1(), request()], [request()]]) t.is(await talk(t, await d.address(), ...pieces), '');
  const record = await d.event('proxy.refused', { reason: 'not-allowed', count: 1 });
  t.regex(record.msg, /closed a connection from 127\.0\.0\.1:\d+: its address is not in --proxy-allow-from/);
  t.like(told(await talk(t, { path } as unknown as Address, v2(), request()))[0], sees(CLIENT));
});

test.serial('connections without a right header are closed, and told with their reason, not each of them', async (t) => {
  const d = await up(t, ['-w', '1', '--proxy-timeout', '200ms', '--proxy-protocol', 'v2']);
  const address = await d.address();
  const cases: [string, RegExp, Buffer][] = [
    ['missing', /it does not begin with a PROXY header/, request()],
    ['other-version', /another version than --proxy-protocol v2/, v1()],
    ['malformed', /malformed: it is longer than 4096 bytes/, v2(CLIENT, 65_000)],
    ['late', /did not come within 200 ms/, v2().subarray(0, 20)],
    ['late', /did not come within 200 ms/, Buffer.alloc(0)],
  ];
  for (const [, , bytes] of cases) t.is(await talk(t, address, bytes), '');
  for (const [reason, words] of cases) t.regex((await d.event('proxy.refused', { reason })).msg, words);
  const broken = await dial(t, address);
  broken.end(v2().subarray(0, 20));
  await d.event('proxy.refused', { reason: 'broken-off' });
  // Nothing sent, nothing told.
  (await dial(t, address)).end();
  for (let n = 0; n < 20; n += 1) t.is(await talk(t, address, request()), '');
  // At the latest when the worker leaves, all are told, in two records.
  await d.stop();
  t.deepEqual(d.events('proxy.refused', { reason: 'missing' }).map(({ count }) => count), [1, 20]);
  t.deepEqual(d.events('proxy.refused', { reason: 'late' }).map(({ count }) => count), [1, 1]);
  t.is(d.events('proxy.refused').length, 7);
});

test.serial('a flood of half headers keeps nobody out who sends a whole one', async (t) => {
  const d = await up(t, ['-w', '1', '--proxy-timeout', '1h']);
  const address = await d.address();
  const half: net.Socket[] = [];
  let closed = 0;
  for (let n = 0; n < 1100; n += 1) {
    const socket = await dial(t, address);
    socket.once('close', () => (closed += 1));
    socket.write(v1().subarray(0, 10));
    half.push(socket);
    if (n % 100 === 99) t.like(told(await talk(t, address, v1(), request()))[0], sees(CLIENT));
  }
  const record = await d.event('proxy.refused', { reason: 'crowded' });
  t.regex(record.msg, /1024 connections wait for their PROXY header/);
  // Those that have waited longest.
  t.true(half[0]!.closed);
  t.false(half.at(-1)!.closed);
  t.true(closed <= 1100 - 1023, `${closed} closed`);
  half.at(-1)!.end(Buffer.concat([v1().subarray(10), request()]));
  t.like(told(await rest(half.at(-1)!))[0], sees(CLIENT));
  for (const socket of half) socket.destroy();
});

test.serial('connections that wait for their header count: --worker-connections and --worker-concurrency', async (t) => {
  for (const limit of [['--worker-connections', '2'], ['--worker-concurrency', '2']]) {
    const d = await up(t, ['-w', '1', ...limit, '--proxy-timeout', '500ms']);
    const address = await d.address();
    const half = [await dial(t, address), await dial(t, address)];
    for (const socket of half) socket.write(v1().subarray(0, 10));
    let freed = 0;
    for (const socket of half) socket.once('close', () => (freed += 1));
    // Waits in the kernel's queue until one of them is late.
    t.like(told(await talk(t, address, v1(), request()))[0], sees(CLIENT));
    t.true(freed > 0, limit.join(' '));
    await d.stop();
  }
});

test.serial('a connection that is accepted and whose header comes while the worker drains is served', async (t) => {
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    const d = await up(t, ['--proxy-timeout', '30s']);
    const address = await d.address();
    const waiting = await Promise.all(Array.from({ length: 8 }, () => dial(t, address)));
    for (const socket of waiting) socket.write(v1().subarray(0, 10));
    // Until all are accepted: a connection behind them in every worker's queue has been served.
    const pids = new Set<unknown>();
    while (pids.size < 2) pids.add(told(await talk(t, address, v1(), request()))[0]!.pid);
    const mark = d.mark();
    d.signal(signal);
    await d.count(2, 'worker.draining', {}, mark);
    for (const socket of waiting) {
      const text = rest(socket);
      socket.write(Buffer.concat([v1().subarray(10), request('/', 'keep-alive')]));
      t.like(told(await text)[0], sees(CLIENT));
      t.regex(await text, /connection: close/i);
    }
    await d.count(2, 'worker.exited', { code: 0 }, mark);
    t.deepEqual(d.events('worker.grace-exceeded'), []);
  }
});

test.serial('one that never sends its header holds up a drain for --proxy-timeout, and no longer', async (t) => {
  const d = await up(t, ['--proxy-timeout', '300ms', '--graceful-timeout', '60s']);
  const socket = await dial(t, await d.address());
  await d.stop();
  t.true(socket.closed || (await rest(socket)) === '');
  t.deepEqual(d.events('worker.grace-exceeded'), []);
});

test.serial("a setter that the app has put on every object comes between no header and its connection", async (t) => {
  const app = join(scratch(t), 'setter.cjs');
  writeFileSync(
    app,
    `const thrown = [];
    process.on('uncaughtException', ({ message }) => thrown.push(message));
    Object.defineProperty(Object.prototype, 'localPort', { set() { throw new Error('a setter'); } });
    const http = require('node:http');
    http.createServer(({ socket }, response) => response.end(JSON.stringify({ port: socket.localPort, thrown }))).listen();`,
  );
  const d = await start(t, [app, '-b', '127.0.0.1:0', '-w', '1', '--proxy-protocol', 'v1', '--proxy-timeout', '60s']).ready();
  const address = await d.address();
  const answer = { port: CLIENT.localPort, thrown: [] };
  const late = await dial(t, address);
  late.write(v1().subarray(0, 10));
  // The only worker accepts in order, so it waits for the rest of the first header by now.
  t.is(await talk(t, address, v1(), request()).then(bodyOf), JSON.stringify(answer));
  const end = rest(late);
  late.write(Buffer.concat([v1().subarray(10), request()]));
  t.is(bodyOf(await end), JSON.stringify(answer));
  t.is(await talk(t, address, v1(), request()).then(bodyOf), JSON.stringify(answer));
});

test.serial('a reload switches it on and off', async (t) => {
  const config = join(scratch(t), 'drover.config.json');
  const write = (proxyProtocol: string): void => writeFileSync(config, JSON.stringify({ proxyProtocol }));
  write('off');
  const d = await start(t, [fixture('whoami.cjs'), '-b', '127.0.0.1:0', '-w', '1', '-c', config]).ready();
  const address = await d.address();
  t.is((await get(address)).status, 200);
  for (const to of ['v1', 'off']) {
    write(to);
    const mark = d.mark();
    d.signal('SIGHUP');
    await d.event('reload.finished', {}, mark);
    if (to === 'off') t.is((await get(address)).status, 200);
    else t.regex(await talk(t, address, v1(), request()), /^HTTP\/1\.1 200/);
  }
});
