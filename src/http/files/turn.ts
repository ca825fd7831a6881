/**
 * Whose turn it is on a connection: of pipelined requests node gives the socket to one response after the other, and what goes past its streams must wait for that, too. In
 * the worker.
 */
import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpResponse, HttpSocket } from './on-socket.js';

/** Whether bytes may go out on its socket in this very moment. */
export function isTurn(response: HttpResponse): boolean {
  const { socket } = response;
  return socket !== null && socket._httpMessage === response && !socket.destroyed && socket.writable && socket.writableLength === 0 && socket._handle?.writeQueueSize === 0;
}

const waiting = new WeakMap<Socket, Set<() => void>>();

/** Calls `act` once it is the response's turn, a pipelined one's after those before it; `gone` if the connection ends before. */
export function whenTurn(response: HttpResponse, act: () => void, gone: () => void): void {
  const connection = (response.socket ?? response.req.socket) as HttpSocket;
  if (connection.destroyed || !connection.writable) return gone();
  if (isTurn(response)) return act();
  const again = (): void => whenTurn(response, act, gone);
  if (response.socket !== null) {
    // Not the end of all writing, but of what is queued now.
    connection.write('', () => again());
    return;
  }
  whenSocket(response, again, gone);
}

/** Whether responses of earlier requests come before it on its connection: until they are out it has no socket. */
export function isBehind(response: ServerResponse): boolean {
  // One that a test has made is of no connection.
  return response instanceof ServerResponse && response.socket === null && !response.headersSent && (response.req.socket as Socket | undefined) !== undefined;
}

/** Calls `act` once the response has the connection's socket, a pipelined one's after those before it, and never at once; `gone` if the connection ends before. */
export function whenSocket(response: Pick<HttpResponse, 'req' | 'once'>, act: () => void, gone: () => void): void {
  const connection = response.req.socket;
  if (connection.destroyed) return gone();
  let lost = waiting.get(connection);
  if (lost === undefined) {
    // One listener for all that wait: a client may pipeline many.
    const callbacks = new Set<() => void>();
    connection.once('close', () => callbacks.forEach((callback) => callback()));
    waiting.set(connection, (lost = callbacks));
  }
  const callbacks = lost;
  callbacks.add(gone);
  response.once('socket', () => {
    callbacks.delete(gone);
    // node is in the middle of handing the socket over.
    process.nextTick(act);
  });
}
