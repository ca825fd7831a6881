/**
 * Node's own net.Socket, of which the sockets of accepted connections are, whatever an app, or what it has preloaded, has put in its place. In a worker.
 */
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

function nodesOwn(): typeof Socket {
  let prototype = Socket.prototype as object | null;
  while (prototype !== null && Object.getPrototypeOf(prototype) !== Duplex.prototype) prototype = Object.getPrototypeOf(prototype) as object | null;
  // As it has been put there, where that is no class of its kind at all.
  return ((prototype as { constructor?: unknown } | null)?.constructor as typeof Socket | undefined) ?? Socket;
}

/** Looked up once, before the app is loaded. */
export const NodeSocket = nodesOwn();
