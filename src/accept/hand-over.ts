/**
 * Gives an accepted connection to its server, as Node's own `onconnection` does: by that, but in Node 20 by what stands here. In a worker.
 *
 * In V8 11.3 an object made by `{ ...options }` gets a new map when a property is added that was not among those copied, and another new one with each that follows, every time. net.Socket makes its
 * options so and adds three: for each connection some thirty accesses find a map that no inline cache knows, and the maps are left to be collected. That was a quarter of the CPU of a connection with one
 * request. With the three among what it is given none is added, and all connections share one map. Node 22 and later do not have this, and keep their own code.
 */
import { channel } from 'node:diagnostics_channel';
import type { Server, Socket } from 'node:net';
import { debuglog } from 'node:util';
import { NodeSocket } from './node-socket.js';
import { handedOver, type ConnectionHandle } from './wrap.js';

/** Node's: called on the listening handle. */
export type OnConnection<Handle> = (this: Handle, errno: number, connection: ConnectionHandle) => void;

/** net.Server as its onconnection() knows it; the delay is in seconds. */
type Internals = Server & { _connections: number; allowHalfOpen: boolean; pauseOnConnect: boolean; noDelay: boolean; keepAlive: boolean; keepAliveInitialDelay: number; highWaterMark: number };

/** Without the options that net.Socket sets itself, whatever it is given, there is no type for `handle` either. */
type SocketOptions = ConstructorParameters<typeof NodeSocket>[0];

const isNode20 = Number.parseInt(process.versions.node, 10) === 20;
const debug = debuglog('net');
const accepted = channel('net.server.socket');
/** Not what an app may have put in their place: Node's onconnection() calls none. */
const { setNoDelay, setKeepAlive } = NodeSocket.prototype;

/** `own`: what Node has set as `onconnection`; an app may have put a wrapper around it since. */
export function handOver<Handle>(listener: Handle & { onconnection: OnConnection<Handle> | undefined }, own: OnConnection<Handle> | undefined, server: Server, connection: ConnectionHandle): void {
  const isTaken = isNode20 && listener.onconnection === own && !(server.maxConnections && (server as Internals)._connections >= server.maxConnections);
  if (isTaken) accept(server as Internals, connection);
  else listener.onconnection!(0, connection);
  handedOver(connection);
}

function accept(server: Internals, handle: ConnectionHandle): void {
  debug('onconnection');
  const { allowHalfOpen, pauseOnConnect, highWaterMark } = server;
  const socket = new NodeSocket({
    handle,
    allowHalfOpen,
    pauseOnCreate: pauseOnConnect,
    readable: true,
    writable: true,
    readableHighWaterMark: highWaterMark,
    writableHighWaterMark: highWaterMark,
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
  } as SocketOptions) as Socket & { server: Server; _server: Server };
  if (server.noDelay) setNoDelay.call(socket, true);
  if (server.keepAlive) setKeepAlive.call(socket, true, server.keepAliveInitialDelay * 1000);
  server._connections++;
  socket.server = server;
  socket._server = server;
  server.emit('connection', socket);
  if (accepted.hasSubscribers) accepted.publish({ socket });
}
