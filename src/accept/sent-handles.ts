/**
 * Servers and connections that the app sends to a child process of its own (`child.send(message, handle)`). In a worker, while the app runs.
 *
 * Node's channel takes what is at `server._handle` for a handle of its own, and the process would end with SIGSEGV. The child could not be looked after either: it would
 * take connections that nobody counts or drains. Connections can be sent: they have handles of Node's. From then on they are the child's, and no `close` tells of their end.
 */
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';

export interface SentHandles {
  /** Servers that cannot be sent: refused, as Node refuses what it cannot send. */
  isOurs(handle: unknown): boolean;
  /** The child has this connection now. `response`: what was due on it, which will never hear of its end either. */
  onSent(socket: Socket, child: ChildProcess, response: ServerResponse | undefined): void;
}

type Send = (this: object, message: unknown, handle?: unknown, ...rest: unknown[]) => boolean;
type Sendable = Socket & { encrypted?: boolean; parser?: Parser | null; _handle?: object | null; _httpMessage?: ServerResponse | null };

/** Node's HTTP parser. */
interface Parser {
  socket?: Socket | null;
  remove?(): void;
}

export function watchSentHandles({ isOurs, onSent }: SentHandles): void {
  // A child is told of as it is made: `send` is put on it afterwards, where there is a channel, and child_process need not be loaded here.
  subscribe('child_process', (told) => {
    const { process: child } = told as { process: ChildProcess };
    /** Those that wait until the child has taken the one before: Node lets go of each only as it sends it. */
    const waiting = new Map<Sendable, ServerResponse | undefined>();
    const look = (socket: Sendable, response: ServerResponse | undefined): boolean => {
      if (socket._handle !== null) return false;
      // Destroyed, it has closed, or will.
      if (!socket.destroyed) onSent(socket, child, response);
      return true;
    };
    /** Before Node hears that the next may go, and takes the response off its socket: it may be of a request that has come meanwhile. */
    const note = (): void => {
      for (const socket of waiting.keys()) waiting.set(socket, socket._httpMessage ?? undefined);
    };
    const lookAgain = (): void => {
      for (const [socket, response] of waiting) if (look(socket, response)) waiting.delete(socket);
      if (waiting.size === 0) child.off('internalMessage', note).off('internalMessage', lookAgain);
    };
    Object.defineProperty(child, 'send', {
      configurable: true,
      get: () => undefined,
      set(send: Send) {
        const guarded: Send = function (message, handle, ...rest) {
          if (isOurs(handle)) throw refusal('drover serves this server, and no child process can. Send the child single connections, or let it listen at a port of its own.');
          // Node would say so behind our back, as an uncaught exception; and it may be drover that speaks TLS here, for an app that speaks HTTP.
          if (handle instanceof Socket && (handle as Sendable).encrypted === true) throw refusal('a TLS connection is part of this process. Answer it here, or let a proxy in front do the TLS.');
          if (!(handle instanceof Socket)) return send.call(this, message, handle, ...rest);
          const socket = handle as Sendable;
          const had = Boolean(socket._handle);
          const { parser } = socket;
          const response = socket._httpMessage ?? undefined;
          const sent = send.call(this, message, handle, ...rest);
          // Where this is called from the parser, Node 20 and 22 put it back, without its socket, on the list that server.close() goes through, and that throws.
          if (parser && socket._handle === null) setImmediate(() => (parser.socket ?? null) === null && parser.remove?.());
          if (had && !look(socket, response) && !socket.destroyed) {
            // With `keepOpen` it stays here for good, and is looked at in vain.
            if (waiting.size === 0) child.prependListener('internalMessage', note).on('internalMessage', lookAgain);
            waiting.set(socket, response);
          }
          return sent;
        };
        Object.defineProperty(child, 'send', { configurable: true, enumerable: true, writable: true, value: guarded });
      },
    });
  });
}

function refusal(why: string): TypeError {
  const error = new TypeError(`This handle type cannot be sent: ${why}`);
  return Object.assign(error, { code: 'ERR_INVALID_HANDLE_TYPE' });
}
