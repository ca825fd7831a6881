/**
 * Servers that the app sends to a child process of its own (`child.send(message, server)`). In a worker, while the app runs.
 *
 * Node's channel takes what is at `server._handle` for a handle of its own, and the process would end with SIGSEGV. The child could not be looked after either: it would
 * take connections that nobody counts or drains. Connections can be sent: they have handles of Node's.
 */
import { subscribe } from 'node:diagnostics_channel';

type Send = (this: object, message: unknown, handle?: unknown, ...rest: unknown[]) => boolean;

/** Refuse servers for which `isOurs`, as Node refuses what it cannot send. */
export function refuseSentServers(isOurs: (handle: unknown) => boolean): void {
  // A child is told of as it is made: `send` is put on it afterwards, where there is a channel, and child_process need not be loaded here.
  subscribe('child_process', (told) => {
    const { process: child } = told as { process: object };
    Object.defineProperty(child, 'send', {
      configurable: true,
      get: () => undefined,
      set(send: Send) {
        const guarded: Send = function (message, handle, ...rest) {
          if (isOurs(handle)) throw refusal();
          return send.call(this, message, handle, ...rest);
        };
        Object.defineProperty(child, 'send', { configurable: true, enumerable: true, writable: true, value: guarded });
      },
    });
  });
}

function refusal(): TypeError {
  const error = new TypeError('This handle type cannot be sent: drover serves this server, and no child process can. Send the child single connections, or let it listen at a port of its own.');
  return Object.assign(error, { code: 'ERR_INVALID_HANDLE_TYPE' });
}
