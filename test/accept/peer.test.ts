/** Both peers of a connection: the client of the PROXY header, and the proxy itself; on every kind of socket. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { nameByProxy, peerOf, transportPeerOf } from '../../src/accept/peer.js';
import type { ProxyHeader } from '../../src/native.js';
import { cert, key } from './fidelity/certificate.js';

const HEADER: ProxyHeader = { family: 'IPv4', address: '203.0.113.7', port: 4711, localAddress: '198.51.100.1', localPort: 443 };
const NAMED = { family: 'IPv4', address: '203.0.113.7', port: 4711 };

/** Connects to a server whose connections are named by `header` as soon as they are there; the client. */
async function connect(t: ExecutionContext, server: net.Server, header: ProxyHeader | undefined, path?: string): Promise<net.Socket> {
  server.prependListener('connection', (socket) => {
    if (header !== undefined) nameByProxy((socket as unknown as { _handle: Parameters<typeof nameByProxy>[0] })._handle, header);
  });
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  await once(server, 'listening');
  const client = path === undefined ? net.connect((server.address() as net.AddressInfo).port, '127.0.0.1') : net.connect(path);
  client.on('error', () => {});
  t.teardown(() => {
    client.destroy();
    server.close();
  });
  await once(client, 'connect');
  return client;
}

async function accepted(t: ExecutionContext, header: ProxyHeader | undefined, path?: string): Promise<{ socket: net.Socket; client: net.Socket }> {
  const server = net.createServer();
  const connection = once(server, 'connection') as Promise<[net.Socket]>;
  const client = await connect(t, server, header, path);
  const [socket] = await connection;
  return { socket, client };
}

test('TCP: the header names the one, the kernel the other', async (t) => {
  const { socket, client } = await accepted(t, HEADER);
  t.deepEqual(peerOf(socket), NAMED as ReturnType<typeof peerOf>);
  t.deepEqual(transportPeerOf(socket), { family: 'IPv4', address: '127.0.0.1', port: client.localPort! });
  t.like(socket, { remoteAddress: '203.0.113.7', remotePort: 4711, remoteFamily: 'IPv4', localAddress: '198.51.100.1', localPort: 443 });
  t.deepEqual(socket.address(), { address: '198.51.100.1', family: 'IPv4', port: 443 });
  socket.destroy();
  t.is(peerOf(socket), undefined);
  t.is(transportPeerOf(socket), undefined);
});

test('TCP without a header, or with one that names nobody: both are the same', async (t) => {
  for (const header of [undefined, { ...HEADER, family: null }]) {
    const { socket, client } = await accepted(t, header);
    t.deepEqual(peerOf(socket), { family: 'IPv4', address: '127.0.0.1', port: client.localPort! });
    t.deepEqual(transportPeerOf(socket), peerOf(socket));
    t.is(socket.remotePort, client.localPort);
  }
});

test('a unix socket, and a client at a unix socket of the proxy', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'drover-peer-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const { socket } = await accepted(t, HEADER, join(directory, 'a'));
  t.deepEqual(peerOf(socket), NAMED as ReturnType<typeof peerOf>);
  t.deepEqual(transportPeerOf(socket), { family: 'unix', path: '' });
  t.is(socket.remoteAddress, '203.0.113.7');

  const plain = await accepted(t, undefined, join(directory, 'b'));
  t.deepEqual(peerOf(plain.socket), { family: 'unix', path: '' });

  const { socket: tcp, client } = await accepted(t, { family: 'unix', address: '/run/client', port: 0, localAddress: '', localPort: 0 });
  t.deepEqual(peerOf(tcp), { family: 'unix', path: '/run/client' });
  t.deepEqual(transportPeerOf(tcp), { family: 'IPv4', address: '127.0.0.1', port: client.localPort! });
  t.is(tcp.remoteAddress, undefined);
  // Who judges by addresses sees that it is no unix socket.
  t.is(tcp.localAddress, '127.0.0.1');
});

test('TLS and HTTP/2', async (t) => {
  const secure = tls.createServer({ key, cert });
  const secured = once(secure, 'secureConnection') as Promise<[tls.TLSSocket]>;
  const client = await connect(t, secure, HEADER);
  tls.connect({ socket: client, rejectUnauthorized: false }).on('error', () => {});
  const [socket] = await secured;
  t.deepEqual(peerOf(socket), NAMED as ReturnType<typeof peerOf>);
  t.like(transportPeerOf(socket), { address: '127.0.0.1', port: client.localPort! });
  t.is(socket.remoteAddress, '203.0.113.7');

  const server = http2.createSecureServer({ key, cert });
  const begun = once(server, 'session') as Promise<[http2.ServerHttp2Session]>;
  const below = await connect(t, server, HEADER);
  http2.connect('https://localhost', { createConnection: () => tls.connect({ socket: below, rejectUnauthorized: false, ALPNProtocols: ['h2'] }) }).on('error', () => {});
  const [session] = await begun;
  t.deepEqual(peerOf(session.socket), NAMED as ReturnType<typeof peerOf>);
  t.like(transportPeerOf(session.socket), { address: '127.0.0.1', port: below.localPort! });
  t.is(session.socket.remoteAddress, '203.0.113.7');
});

test("server.blockList judges by the header's address", async (t) => {
  // As in Listener: the name is there before onconnection, which is where Node looks.
  const blockList = new net.BlockList();
  blockList.addAddress('203.0.113.7');
  const server = net.createServer({ blockList } as net.ServerOpts);
  const internals = server as unknown as { _handle: { onconnection(status: number, handle: Parameters<typeof nameByProxy>[0]): void } };
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { onconnection } = internals._handle;
  const named: unknown[] = [];
  internals._handle.onconnection = function (status, handle) {
    nameByProxy(handle, HEADER);
    named.push(handle);
    onconnection.call(this, status, handle);
  };
  const dropped = new Promise<string>((resolve) => {
    server.once('connection', () => resolve('accepted'));
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {});
    client.once('close', () => resolve('dropped'));
    t.teardown(() => client.destroy());
  });
  // Node 20 has no server.blockList.
  t.is(await dropped, 'blockList' in server ? 'dropped' : 'accepted');
  t.is(named.length, 1);
});
