/**
 * A name to listen at that stands for no address. In the master for those of --bind; in the worker for the app's own listen(), of which Node resolves the name before it asks for a handle.
 */
import { errorMonitor, type EventEmitter } from 'node:events';
import { isIP, type Server } from 'node:net';
import { formatAddress } from '../config/address.js';
import { DroverError } from '../errors.js';
import type { ListenRefusal } from '../ipc/messages.js';

/** `asked`: the whole address, and where it is from; `code`: of what getaddrinfo(3) said. */
export function unresolved(asked: string, host: string, code: string | undefined): DroverError {
  return new DroverError(
    'ERR_DROVER_LISTEN',
    `cannot listen at ${asked}: the name ${host} does not resolve (${code})`,
    code === 'EAI_AGAIN' ? 'No name server has answered: look at /etc/resolv.conf and the network, or give an address of this machine.' : 'Give an address of this machine, 0.0.0.0 or [::] for all of them, or put the name into /etc/hosts.',
  );
}

/** Looks at servers that listen at a name. `onFailed`: it does not resolve; called before the app hears of it. */
export function watchNames(onFailed: (refusal: ListenRefusal) => void): (server: Server, listenArgs: readonly unknown[]) => void {
  const asked = new WeakMap<Server, { host: string; port: number }>();

  function look(this: EventEmitter, { syscall, hostname, errno, code }: NodeJS.ErrnoException & { hostname?: string }): void {
    const place = asked.get(this as Server);
    if (syscall !== 'getaddrinfo' || place === undefined || hostname !== place.host) return;
    const { message, remedy } = unresolved(formatAddress({ kind: 'tcp', ...place }), place.host, code);
    onFailed({ errno: errno!, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  return (server, [first, second]) => {
    const { host, port } = typeof first === 'object' && first !== null ? (first as { host?: unknown; port?: unknown }) : { host: second, port: first };
    if (typeof host !== 'string' || host === '' || isIP(host) !== 0) return;
    asked.set(server, { host, port: Number(port) });
    // A listener of this event is none that handles the error. Off first: a server may listen many times.
    (server as EventEmitter).off(errorMonitor, look).on(errorMonitor, look);
  };
}
