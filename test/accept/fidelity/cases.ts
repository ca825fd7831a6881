/**
 * What an app can see of its servers, case by case. Run under plain Node and with listen() intercepted; fidelity.test.ts compares. A case
 * returns what it saw, without what differs from run to run (ports); what has to hold in either is asserted in place.
 */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocket, WebSocketServer } from 'ws';
import { check, native } from '../../../src/native.js';
import { cert, key } from './certificate.js';

type Case = () => Promise<unknown>;

const dir = mkdtempSync(join(tmpdir(), 'drover-fidelity-'));
let paths = 0;
const freshPath = (): string => join(dir, `${++paths}.sock`);

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

/** address() with the port made comparable. */
function seen(server: net.Server): unknown {
  const address = server.address();
  if (address === null) return null;
  if (typeof address === 'string') return address.startsWith(dir) ? 'path' : address.replace(String(process.pid), 'PID');
  return { ...address, keys: Object.keys(address), port: address.port > 0 ? 'port' : address.port };
}

async function listening(server: net.Server, ...args: unknown[]): Promise<net.Server> {
  (server.listen as (...args: unknown[]) => net.Server)(...args);
  if (!server.listening || server.address() === null) await once(server, 'listening');
  return server;
}

async function closed(server: net.Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

function dial(server: net.Server): net.Socket {
  const address = server.address();
  if (typeof address === 'string') return net.connect(address);
  const { port, family } = address!;
  return net.connect({ port, host: family === 'IPv6' ? '::1' : '127.0.0.1' });
}

/** Sends and ends, and returns what came back. */
async function exchange(server: net.Server, sent: string): Promise<string> {
  const socket = dial(server);
  socket.end(sent);
  return text(socket);
}

const echo = (): net.Server => net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));

/** An error as the app sees it. */
function told(error: unknown): unknown {
  const { name, message, code, errno, syscall, address, port, path } = error as NodeJS.ErrnoException & Record<string, unknown>;
  const blind = (value: unknown): unknown => (typeof value === 'string' ? value.replaceAll(dir, 'DIR').replace(/:\d{4,5}$/, ':PORT').replace(/\d+\.sock/, 'N.sock') : value);
  return { name, message: blind(message), code, errno, syscall, address: blind(address), port: typeof port === 'number' && port > 0 ? 'port' : port, path, keys: Object.keys(error as object) };
}

/** All that a socket has of its own, in its order, and what its streams were made with; without what is another in each process. */
function shown(socket: net.Socket): unknown {
  const plain = (of: object): unknown[] =>
    Reflect.ownKeys(of).map((key) => {
      const value = (of as Record<string | symbol, unknown>)[key];
      const isTold = value === null || (typeof value !== 'object' && typeof value !== 'function' && !/async_id|asyncId/.test(String(key)));
      return [String(key), isTold ? String(value) : typeof value];
    });
  const { _readableState, _writableState } = socket as unknown as { _readableState: object; _writableState: object };
  return [socket, _readableState, _writableState].map(plain);
}

async function get(server: net.Server, options: http.RequestOptions = {}): Promise<{ status: number | undefined; body: string; headers: http.IncomingHttpHeaders }> {
  const request = http.get({ host: '127.0.0.1', port: portOf(server), ...options });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return { status: response.statusCode, body: await text(response), headers: response.headers };
}

const CASES: Record<string, Case> = {
  async 'every signature of listen()'() {
    const callback = (): void => undefined;
    const signatures: Record<string, () => unknown[]> = {
      '()': () => [],
      '(null)': () => [null],
      '(callback)': () => [callback],
      '(0)': () => [0],
      "('0')": () => ['0'],
      '(0, callback)': () => [0, callback],
      '(0, host)': () => [0, '127.0.0.1'],
      '(0, name)': () => [0, 'localhost'],
      '(0, host, callback)': () => [0, '127.0.0.1', callback],
      '(0, host, backlog, callback)': () => [0, '127.0.0.1', 64, callback],
      '(0, backlog, callback)': () => [0, 64, callback],
      '(0, ::)': () => [0, '::'],
      '(0, ::1)': () => [0, '::1'],
      '(0, 0.0.0.0)': () => [0, '0.0.0.0'],
      '({port})': () => [{ port: 0 }],
      '({port: undefined})': () => [{ port: undefined }],
      '({port, host, backlog})': () => [{ port: 0, host: '127.0.0.1', backlog: 64 }],
      '({port, ipv6Only})': () => [{ port: 0, ipv6Only: true }],
      '({port, exclusive})': () => [{ port: 0, exclusive: true }],
      '({port, reusePort})': () => [{ port: 0, reusePort: true }],
      '({port, exclusive, reusePort})': () => [{ port: 0, exclusive: true, reusePort: true }],
      '(path)': () => [freshPath()],
      '(path, callback)': () => [freshPath(), callback],
      '(path, backlog, callback)': () => [freshPath(), 64, callback],
      '({path})': () => [{ path: freshPath() }],
      '({path, exclusive})': () => [{ path: freshPath(), exclusive: true }],
      '(abstract)': () => [`\0drover-fidelity-${process.pid}`],
    };
    const results: Record<string, unknown> = {};
    for (const [name, args] of Object.entries(signatures)) {
      const server = echo();
      const result = (server.listen as (...args: unknown[]) => net.Server)(...args());
      assert.equal(result, server);
      const synchronous = seen(server);
      if (server.address() === null) await once(server, 'listening');
      const address = seen(server);
      assert.equal(await exchange(server, name), name);
      const open = { synchronous, address, listening: server.listening, connectionKey: String((server as unknown as { _connectionKey: string })._connectionKey).replaceAll(dir, 'DIR').replace(/\d+\.sock/, 'N').replace(String(process.pid), 'PID') };
      await closed(server);
      results[name] = { ...open, closed: seen(server) };
    }
    return results;
  },

  async 'listen(handle), listen({fd})'() {
    const first = await listening(echo(), { port: 0, exclusive: true });
    const second = await listening(echo(), first);
    assert.equal(portOf(second), portOf(first));
    const third = await listening(echo(), { fd: check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 8, reusePort: false, ipv6Only: false })) });
    assert.equal(await exchange(third, 'descriptor'), 'descriptor');
    const saw = [first, second, third].map(seen);
    await closed(third);
    await closed(second);
    return saw;
  },

  async 'order of return, callback, event and tick'() {
    const order: string[] = [];
    const server = net.createServer();
    server.on('listening', () => order.push('event'));
    server.listen(0, () => order.push('callback'));
    order.push(`returned ${server.listening}`);
    process.nextTick(() => order.push('tick'));
    queueMicrotask(() => order.push('microtask'));
    await once(server, 'listening');
    await closed(server);
    return order;
  },

  async 'listening already, bad port, nothing to listen at'() {
    const server = await listening(net.createServer(), 0);
    const errors: unknown[] = [];
    for (const args of [[0], [70_000], [{}], [{ path: '\0x', readableAll: true }]]) {
      const target = args[0] === 0 ? server : net.createServer();
      try {
        (target.listen as (...args: unknown[]) => net.Server)(...args);
        assert.fail('it listened');
      } catch (error) {
        errors.push((error as NodeJS.ErrnoException).code);
      }
    }
    await closed(server);
    return errors;
  },

  async 'errors of listen()'() {
    const results: Record<string, unknown> = {};
    const busy = await listening(net.createServer(), { port: 0, exclusive: true });
    const busyV4 = await listening(net.createServer(), { port: 0, host: '127.0.0.1', exclusive: true });
    const live = freshPath();
    const busyPath = await listening(net.createServer(), { path: live, exclusive: true });
    const ours = await listening(net.createServer(), 0);
    const attempts: Record<string, unknown[]> = {
      'in use': [portOf(busy)],
      'in use, host': [{ port: portOf(busyV4), host: '127.0.0.1' }],
      'in use by another server of ours': [portOf(ours)],
      'in use, path': [live],
      'no such address': [{ port: 0, host: '192.0.2.1' }],
      'no such directory': [join(dir, 'none', 'x.sock')],
      // With an empty label, which no name server is asked for: that could be slow to answer one of the two, and not the other.
      'no such name': [{ port: 0, host: 'drover..invalid' }],
    };
    for (const [name, args] of Object.entries(attempts)) {
      const server = echo();
      (server.listen as (...args: unknown[]) => net.Server)(...args);
      const atOnce = server.listening;
      const [error] = await once(server, 'error');
      results[name] = { error: told(error), atOnce, listening: server.listening, address: seen(server) };
      // The server can be used again.
      await listening(server, 0);
      assert.equal(await exchange(server, 'again'), 'again');
      await closed(server);
    }
    await Promise.all([busy, busyV4, busyPath, ours].map(closed));
    return results;
  },

  async 'permissions of a unix socket'() {
    const modes: string[] = [];
    for (const options of [{ readableAll: true }, { writableAll: true }, { readableAll: true, writableAll: true }]) {
      const path = freshPath();
      const before = process.umask(0o077);
      const server = net.createServer();
      server.listen({ path, ...options });
      process.umask(before);
      await once(server, 'listening');
      // Of group and others, what was asked for; drover's --umask decides the rest.
      modes.push((statSync(path).mode & (options.readableAll ? 0o044 : 0) | statSync(path).mode & (options.writableAll ? 0o022 : 0)).toString(8));
      await closed(server);
    }
    return modes;
  },

  async 'maxConnections and drop'() {
    const server = await listening(net.createServer(), 0, '127.0.0.1');
    server.maxConnections = 1;
    const first = dial(server);
    const [accepted] = (await once(server, 'connection')) as [net.Socket];
    const second = dial(server);
    second.on('error', () => undefined);
    const [dropped] = (await once(server, 'drop')) as [Record<string, unknown>];
    await once(second, 'close');
    const count = await new Promise((resolve) => server.getConnections((_, n) => resolve(n)));
    assert.equal(dropped['localPort'], portOf(server));
    first.destroy();
    await once(accepted.resume(), 'close');
    // Room again.
    const third = dial(server);
    await once(server, 'connection');
    third.destroy();
    await closed(server);
    return { keys: Object.keys(dropped), localAddress: dropped['localAddress'], localFamily: dropped['localFamily'], count };
  },

  async 'onconnection of the handle, wrapped'() {
    const server = await listening(net.createServer((socket) => socket.end('served')), 0);
    const handle = (server as unknown as { _handle: { onconnection: (this: unknown, ...args: unknown[]) => void } })._handle;
    const { onconnection } = handle;
    const calls: unknown[] = [];
    handle.onconnection = function (...args) {
      calls.push([this === handle, args.length, args[0] ?? 0]);
      onconnection.apply(this, args);
    };
    const answer = await exchange(server, '');
    await closed(server);
    return { answer, calls };
  },

  async 'net.Socket put aside by the app'() {
    const { Socket } = net;
    const server = await listening(net.createServer((socket) => socket.end(String(socket instanceof Another))), 0);
    class Another extends Socket {}
    const client = dial(server);
    net.Socket = Another as typeof net.Socket;
    try {
      return await text(client);
    } finally {
      net.Socket = Socket;
      await closed(server);
    }
  },

  async 'another server given the handle'() {
    const [first, second] = ['first', 'second'].map((name) => net.createServer((socket) => socket.end(name))) as [net.Server, net.Server];
    await listening(first, 0);
    const internals = second as unknown as { _handle: unknown; _listen2(...args: unknown[]): void };
    internals._handle = (first as unknown as typeof internals)._handle;
    internals._listen2(null, -1, 4, 511);
    await once(second, 'listening');
    const answer = await exchange(first, '');
    await closed(second);
    return answer;
  },

  async 'getConnections'() {
    const server = await listening(net.createServer(), 0);
    const counts: unknown[] = [];
    const count = async (): Promise<void> => void counts.push(await new Promise((resolve) => server.getConnections((error, n) => resolve(error ?? n))));
    await count();
    const clients: net.Socket[] = [];
    for (let i = 0; i < 3; i++) {
      clients.push(dial(server));
      await once(server, 'connection');
      await count();
    }
    for (const client of clients) client.destroy();
    await closed(server);
    await count();
    return counts;
  },

  async 'close() waits for connections'() {
    const order: string[] = [];
    const server = await listening(net.createServer(), 0);
    const client = dial(server);
    const [accepted] = (await once(server, 'connection')) as [net.Socket];
    accepted.on('close', () => order.push('connection closed'));
    accepted.resume();
    server.on('close', () => order.push('close'));
    const done = new Promise<void>((resolve) =>
      server.close((error) => {
        order.push(`callback ${String(error)}`);
        resolve();
      }),
    );
    order.push(`listening ${server.listening}`);
    server.close((error) => order.push(`second callback ${(error as NodeJS.ErrnoException).code}`));
    await new Promise((resolve) => setImmediate(resolve));
    order.push('client ends');
    client.end();
    await done;
    return order;
  },

  async 'close() without connections, and of a server that never listened'() {
    const order: string[] = [];
    const server = await listening(net.createServer(), 0);
    server.close(() => order.push('close'));
    process.nextTick(() => order.push('tick'));
    await once(server, 'close');
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => net.createServer().close((e) => resolve(e!)));
    const disposed = await listening(net.createServer(), 0);
    await disposed[Symbol.asyncDispose]();
    return { order, code: error.code, disposed: disposed.listening };
  },

  async 'listen() again after close(), and close() from a handler'() {
    const server = echo();
    for (let i = 0; i < 3; i++) {
      await listening(server, 0);
      assert.equal(await exchange(server, `round ${i}`), `round ${i}`);
      await closed(server);
    }
    await listening(server, 0);
    server.once('connection', () => server.close());
    const answer = exchange(server, 'last');
    await once(server, 'close');
    return answer;
  },

  async 'close() before the lookup is done'() {
    const server = net.createServer();
    let events = 0;
    server.on('listening', () => events++);
    server.listen(0, 'localhost');
    server.close();
    await once(server, 'close');
    return { events, listening: server.listening };
  },

  async "a lookup() of the app's own, which answers with one address"() {
    const { lookup } = dns;
    // Newer Node asks for all addresses, and takes one for none.
    (dns as { lookup: unknown }).lookup = (_name: string, ...rest: unknown[]) => process.nextTick(rest.at(-1) as () => void, null, '127.0.0.1', 4);
    const server = net.createServer().listen(0, 'my.name');
    dns.lookup = lookup;
    await once(server, 'listening');
    const address = seen(server);
    server.close();
    return address;
  },

  async 'abort signal'() {
    const controller = new AbortController();
    const server = await listening(net.createServer(), { port: 0, signal: controller.signal });
    controller.abort();
    await once(server, 'close');
    const already = net.createServer().listen({ port: 0, signal: AbortSignal.abort() });
    const [error] = await Promise.race([once(already, 'close').then(() => ['closed']), once(already, 'error')]);
    return { listening: server.listening, already: String(error), alreadyListening: already.listening };
  },

  async 'what a connection knows of itself'() {
    const server = await listening(net.createServer(), 0, '127.0.0.1');
    const client = dial(server);
    // Either may come first.
    const connected = once(client, 'connect');
    const [socket] = (await once(server, 'connection')) as [net.Socket & { server: net.Server; _server: net.Server; _handle: object }];
    await connected;
    assert.equal(socket.localPort, portOf(server));
    assert.equal(socket.remotePort, client.localPort);
    const result = {
      server: socket.server === server && socket._server === server,
      local: [socket.localAddress, socket.localFamily],
      remote: [socket.remoteAddress, socket.remoteFamily],
      handle: socket._handle.constructor.name,
      state: socket.readyState,
      connecting: socket.connecting,
      pending: socket.pending,
    };
    client.destroy();
    socket.destroy();
    await closed(server);
    const pipes = await listening(net.createServer(), freshPath());
    const pipe = dial(pipes);
    const [piped] = (await once(pipes, 'connection')) as [net.Socket & { _handle: object }];
    const unix = { handle: piped._handle.constructor.name, remote: piped.remoteAddress, address: piped.address() };
    pipe.destroy();
    piped.destroy();
    await closed(pipes);
    return { ...result, unix };
  },

  async 'pauseOnConnect, allowHalfOpen, noDelay, keepAlive, highWaterMark'() {
    const server = await listening(net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 5000, highWaterMark: 1024 }), 0);
    const client = dial(server);
    client.end('half');
    const [socket] = (await once(server, 'connection')) as [net.Socket];
    const paused = socket.isPaused();
    const whole = shown(socket);
    const received = await text(socket);
    socket.end('other half');
    const answer = await text(client);
    await closed(server);
    return { paused, received, answer, whole, highWaterMark: [socket.readableHighWaterMark, socket.writableHighWaterMark] };
  },

  async 'TCP_NODELAY of HTTP, off and on again'() {
    const seen: unknown[] = [];
    for (const [server, event] of [[http.createServer(), 'connection'], [https.createServer({ cert, key }), 'secureConnection']] as const) {
      await listening(server, 0, '127.0.0.1');
      const { port } = server.address() as net.AddressInfo;
      const client = event === 'connection' ? net.connect(port, '127.0.0.1') : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
      const [socket] = (await once(server, event)) as [net.Socket & { _handle: { fd: number } }];
      const now = (): number => native.noDelay(socket._handle.fd);
      seen.push([now(), ...[false, true, true, false].map((on) => [socket.setNoDelay(on), now()][1])]);
      client.destroy();
      socket.destroy();
      await closed(server);
    }
    // A TLS socket does not know that it is on already, and so turns it off only the second time.
    assert.deepEqual(seen, [[1, 0, 1, 1, 0], [1, 1, 1, 1, 0]]);
    return seen;
  },

  async 'blockList'() {
    const { BlockList } = net;
    const blockList = new BlockList();
    blockList.addAddress('127.0.0.1');
    const server = await listening(net.createServer({ blockList } as net.ServerOpts), 0, '127.0.0.1');
    let connections = 0;
    server.on('connection', (socket) => {
      connections++;
      socket.end();
    });
    const client = dial(server);
    client.on('error', () => undefined);
    client.resume();
    await once(client, 'close');
    await closed(server);
    return connections;
  },

  async 'context and diagnostics'() {
    const storage = new AsyncLocalStorage<string>();
    const published: string[] = [];
    const onSocket = (message: unknown): void => void published.push(`socket ${(message as { socket: net.Socket }).socket instanceof net.Socket}`);
    channel('net.server.socket').subscribe(onSocket);
    const traced = tracingChannel('net.server.listen');
    const handlers = {
      asyncStart: () => void published.push('start'),
      asyncEnd: () => void published.push('end'),
      error: () => void published.push('error'),
      start: () => undefined,
      end: () => undefined,
    };
    traced.subscribe(handlers);
    const server = net.createServer();
    storage.run('around listen', () => server.listen(0));
    // Whatever holds the store has to outlive this.
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    const store = new Promise((resolve) =>
      server.on('connection', (socket) => {
        socket.end();
        const atConnection = storage.getStore();
        socket.resume().on('close', () => resolve({ atConnection, atClose: storage.getStore() }));
      }),
    );
    await exchange(server, '');
    const taken = net.createServer().listen(portOf(server));
    await once(taken, 'error');
    await closed(server);
    channel('net.server.socket').unsubscribe(onSocket);
    traced.unsubscribe(handlers);
    return { store: await store, published };
  },

  async 'a handler that throws'() {
    const server = await listening(net.createServer(), 0);
    server.once('connection', (socket) => {
      socket.end('bye');
      throw new Error('thrown in a handler');
    });
    const uncaught = once(process, 'uncaughtException');
    const answer = exchange(server, '');
    const [error, origin] = (await uncaught) as [Error, string];
    assert.equal(await answer, 'bye');
    server.on('connection', (socket) => socket.end('served on'));
    const after = await exchange(server, '');
    await closed(server);
    return { message: error.message, origin, after };
  },

  async 'promises and ticks between connections'() {
    const order: string[] = [];
    const server = await listening(net.createServer(), 0);
    const both = new Promise<void>((resolve) => {
      let n = 0;
      server.on('connection', (socket) => {
        const me = ++n;
        order.push(`connection ${me}`);
        process.nextTick(() => order.push(`tick ${me}`));
        void Promise.resolve().then(() => order.push(`promise ${me}`));
        socket.end();
        if (n === 2) setImmediate(resolve);
      });
    });
    await Promise.all([exchange(server, ''), exchange(server, ''), both]);
    await closed(server);
    return order;
  },

  async 'http: request, keep-alive, sockets of its own'() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const server = http.createServer((request, response) => response.end(`${request.method} ${request.url} ${request.socket.remoteAddress}`));
    await listening(server, 0, '127.0.0.1');
    let connections = 0;
    server.on('connection', () => connections++);
    const answers = [await get(server, { agent, path: '/a' }), await get(server, { agent, path: '/b' })];
    const connection = answers[0]!.headers['connection'];
    agent.destroy();
    await closed(server);
    return { connections, connection, bodies: answers.map(({ body }) => body) };
  },

  async 'http: headersTimeout, requestTimeout'() {
    const answers: string[] = [];
    for (const options of [{ headersTimeout: 60, requestTimeout: 0 }, { headersTimeout: 40, requestTimeout: 60 }]) {
      const server = http.createServer({ ...options, connectionsCheckingInterval: 20 } as http.ServerOptions, () => undefined);
      await listening(server, 0);
      const client = dial(server);
      client.write(answers.length === 0 ? 'GET / HTTP/1.1\r\nHost:' : 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n1');
      answers.push((await text(client)).split('\r\n', 1)[0]!);
      await closed(server);
    }
    return answers;
  },

  async 'http: keepAliveTimeout'() {
    const server = http.createServer({ keepAliveTimeout: 50 } as http.ServerOptions, (_, response) => response.end('x'));
    (server as unknown as { keepAliveTimeoutBuffer: number }).keepAliveTimeoutBuffer = 0;
    await listening(server, 0);
    const client = dial(server);
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const answer = await text(client);
    await closed(server);
    return { header: /Keep-Alive: (.*)/i.exec(answer)?.[1], status: answer.split('\r\n', 1)[0] };
  },

  async 'http: close() ends idle connections and waits for the busy one'() {
    const order: string[] = [];
    let answer: (() => void) | undefined;
    const server = http.createServer((request, response) => {
      if (request.url === '/slow') {
        answer = () => response.end('slow');
        server.emit('slow');
      } else {
        response.end('quick');
      }
    });
    await listening(server, 0);
    const idle = dial(server);
    idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle, 'data');
    const busy = dial(server);
    busy.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(server, 'slow');
    const idleEnd = once(idle.resume(), 'close').then(() => order.push('idle closed'));
    const end = new Promise<void>((resolve) =>
      server.close(() => {
        order.push('close');
        resolve();
      }),
    );
    await idleEnd;
    answer!();
    const body = await text(busy);
    await end;
    return { order, connection: /Connection: (.*)/i.exec(body)?.[1], served: body.includes('slow') };
  },

  async 'http: closeAllConnections, upgrade, clientError'() {
    const server = http.createServer(() => undefined);
    await listening(server, 0);
    const hung = dial(server);
    hung.on('error', () => undefined);
    hung.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(server, 'request');
    server.closeAllConnections();
    await once(hung, 'close');
    const bad = await exchange(server, 'no http at all\r\n\r\n');
    server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\nupgraded'));
    const upgraded = await exchange(server, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n');
    await closed(server);
    return { bad: bad.split('\r\n', 1)[0], upgraded: upgraded.endsWith('upgraded') };
  },

  async 'http over a unix socket'() {
    const server = http.createServer((request, response) => response.end(`${request.url} ${String(request.socket.remoteAddress)}`));
    const path = freshPath();
    await listening(server, path);
    const request = http.get({ socketPath: path, path: '/unix' });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const body = await text(response);
    await closed(server);
    return body;
  },

  async 'https'() {
    const server = https.createServer({ key, cert }, (request, response) => response.end(`${(request.socket as unknown as { encrypted: boolean }).encrypted} ${request.url}`));
    await listening(server, 0, '127.0.0.1');
    const request = https.get({ host: '127.0.0.1', port: portOf(server), path: '/tls', ca: cert, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const body = await text(response);
    const failed = once(server, 'tlsClientError');
    const plain = dial(server);
    plain.on('error', () => undefined);
    plain.end('no tls');
    const [error] = (await failed) as [NodeJS.ErrnoException];
    await closed(server);
    return { body, code: error.code };
  },

  async 'http2: h2c and TLS, and HTTP/1 beside it'() {
    const results: unknown[] = [];
    for (const secure of [false, true]) {
      const server = secure ? http2.createSecureServer({ key, cert, allowHTTP1: true }) : http2.createServer();
      server.on('request', (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => response.end(`${request.httpVersion} ${request.url}`));
      await listening(server, 0, '127.0.0.1');
      const client = http2.connect(`${secure ? 'https' : 'http'}://127.0.0.1:${portOf(server)}`, { ca: cert });
      const bodies = await Promise.all(['/a', '/b'].map((path) => text(client.request({ ':path': path }))));
      results.push(bodies);
      client.close();
      if (secure) {
        const request = https.get({ host: '127.0.0.1', port: portOf(server), path: '/one', ca: cert, agent: false });
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        results.push(await text(response));
      }
      await closed(server);
    }
    return results;
  },

  async 'ws'() {
    const server = http.createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${String(data)}`)));
    await listening(server, 0, '127.0.0.1');
    const client = new WebSocket(`ws://127.0.0.1:${portOf(server)}`);
    await once(client, 'open');
    client.send('hello');
    const [data] = (await once(client, 'message')) as [Buffer];
    client.close();
    await once(client, 'close');
    await closed(server);
    // ws can make the server, too.
    const own = new WebSocketServer({ port: 0 });
    await once(own, 'listening');
    const address = own.address() as net.AddressInfo;
    await new Promise((resolve) => own.close(resolve));
    return { data: String(data), port: address.port > 0 };
  },

  async 'many connections at once'() {
    const server = await listening(echo(), 0);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => exchange(server, `n${i}`)));
    await closed(server);
    return answers.every((answer, i) => answer === `n${i}`);
  },
};

/** What each case saw, or how it failed. */
export async function runCases(): Promise<Record<string, unknown>> {
  const results: Record<string, unknown> = {};
  for (const [name, run] of Object.entries(CASES)) {
    try {
      results[name] = { saw: await withLimit(run()) };
    } catch (error) {
      results[name] = { failed: error instanceof Error ? error.stack : String(error) };
    }
  }
  rmSync(dir, { recursive: true, force: true });
  return results;
}

/** A case that hangs must say so, and must not take the others with it. */
async function withLimit(result: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('hangs')), 40_000);
  });
  try {
    return await Promise.race([result, limit]);
  } finally {
    clearTimeout(timer);
  }
}
