/**
 * Makes the handle that Node's own accept would have made of a descriptor: a TCP or a Pipe wrap. In a worker.
 *
 * The constructors are internal (process.binding is deprecated and warns). A socket that starts to connect makes one before it looks at
 * the options that come with it; the options here are refused, so no system call is made.
 */
import { closeFd } from '../native.js';
import { NodeSocket } from './node-socket.js';

/** What Node's onconnection() takes for a connection. */
export interface ConnectionHandle {
  open(fd: number): number | undefined;
  close(): void;
  /** Of TCP. */
  setNoDelay?(on: boolean): number;
}

type WrapConstructor = new (type: number) => ConnectionHandle;

/** TCPConstants.SOCKET and PipeConstants.SOCKET: a connection, not a listening socket. */
const SOCKET = 0;

function constructorFrom(refused: object): WrapConstructor {
  const socket = new NodeSocket();
  try {
    socket.connect(refused as { port: number });
  } catch {
    // Meant to be.
  }
  const handle = (socket as unknown as { _handle: object | null })._handle;
  socket.destroy();
  if (handle === null) throw new Error(`Node ${process.version} makes its socket handles in a way drover does not know`);
  return handle.constructor as WrapConstructor;
}

export type ConnectionKind = 'tcp' | 'unix';

const REFUSED: Readonly<Record<ConnectionKind, object>> = { tcp: { host: '127.0.0.1', port: -1 }, unix: { path: true } };
const constructors: { [kind in ConnectionKind]?: WrapConstructor } = {};

/**
 * In place of the method that it has, for the first call, and only until the server has the connection: Node turns TCP_NODELAY on for each connection of an HTTP server, with a
 * system call that changes nothing. Later somebody may have turned it off, here or in another process that the connection was sent to.
 */
function setInheritedNoDelay(this: ConnectionHandle, on: boolean): number {
  handedOver(this);
  return on ? 0 : this.setNoDelay!(on);
}

/** To be called when the server has this connection. */
export function handedOver(connection: ConnectionHandle): void {
  if (connection.setNoDelay === setInheritedNoDelay) connection.setNoDelay = (Object.getPrototypeOf(connection) as Required<ConnectionHandle>).setNoDelay;
}

/**
 * The handle of an accepted connection, which it owns; null (and the descriptor closed) when it cannot be opened. `noDelay`: it has TCP_NODELAY, from
 * the listening socket.
 */
export function wrapConnection(kind: ConnectionKind, fd: number, noDelay: boolean): ConnectionHandle | null {
  const Wrap = (constructors[kind] ??= constructorFrom(REFUSED[kind]));
  const handle = new Wrap(SOCKET);
  if (noDelay) handle.setNoDelay = setInheritedNoDelay;
  const result = handle.open(fd);
  if (result === undefined || result === 0) return handle;
  handle.close();
  closeFd(fd);
  return null;
}
