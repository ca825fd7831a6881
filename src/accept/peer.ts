/**
 * Who is at the other end of an accepted connection: the client that a PROXY header names, and the peer the kernel knows. In a worker.
 *
 * A PROXY header is put on the connection's handle before Node has seen it, by methods of its own for the two that net.js asks for addresses. So
 * socket.remoteAddress, server.blockList and all that is built on them (TLS sockets, HTTP/2 sessions) have the client's address without knowing.
 */
import type { Socket } from 'node:net';
import type { ProxyHeader, SocketAddress } from '../native.js';
import type { ConnectionHandle } from './wrap.js';

type Name = Partial<{ address: string; family: string; port: number }>;
type GetName = (out: Name) => number;

const HEADER = Symbol('drover.proxyHeader');

/** A TCP or a Pipe wrap; the latter has neither method. A TLS wrap has the wrap it stands on. */
interface Handle {
  [HEADER]?: ProxyHeader;
  getpeername?: GetName;
  getsockname?: GetName;
  _parent?: Handle | null;
}

const ENOTCONN = -107;

export function nameByProxy(connection: ConnectionHandle, header: ProxyHeader): void {
  const { family, address, port, localAddress, localPort } = header;
  if (family === null) return;
  const handle = connection as unknown as Handle;
  handle[HEADER] = header;
  // A client at a unix socket has no address: undefined, as with any unix socket of Node's.
  handle.getpeername = family === 'unix' ? () => ENOTCONN : (out) => named(out, { address, family, port });
  // Our own end stays, then: a TCP connection that the proxy has from a unix socket must not look like one that came over a unix socket to us, which is trusted.
  if (family !== 'unix') handle.getsockname = (out) => named(out, { address: localAddress, family, port: localPort });
}

function named(out: Name, name: Name): number {
  Object.assign(out, name);
  return 0;
}

/**
 * The peer that a connection is judged by: whom the PROXY header names where there is one that names somebody, else the one that the kernel knows.
 * Undefined: it has gone. Also of a TLS socket and of an HTTP/2 session's.
 */
export function peerOf(socket: Socket): SocketAddress | undefined {
  const header = handleOf(socket)?.[HEADER];
  if (header === undefined) return transportPeerOf(socket);
  const { family, address, port } = header;
  return family === 'unix' ? { family, path: address } : { family: family!, address, port };
}

/** The peer that the kernel knows: the proxy, where there is one. */
export function transportPeerOf(socket: Socket): SocketAddress | undefined {
  const handle = handleOf(socket);
  if (handle === undefined) return undefined;
  // The method beneath ours.
  const { getpeername } = Object.getPrototypeOf(handle) as Handle;
  if (getpeername === undefined) return { family: 'unix', path: '' };
  const out: Name = {};
  return getpeername.call(handle, out) === 0 ? (out as SocketAddress) : undefined;
}

function handleOf(socket: Socket): Handle | undefined {
  let handle = (socket as unknown as { _handle?: Handle | null })._handle ?? undefined;
  while (handle?._parent) handle = handle._parent;
  return handle;
}
