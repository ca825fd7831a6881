/**
 * A name to listen at that stands for no address. In the master for those of --bind; in the worker for the app's own listen(), of which Node resolves the name before it asks for a handle.
 */
import { errorMonitor, type EventEmitter } from 'node:events';
import { isIP, type Server } from 'node:net';
import { formatAddress } from '../config/address.js';
import { DroverError } from '../errors.js';
import type { ListenRefusal } from '../ipc/messages.js';

const NO_ANSWER = 'No name server has answered: look at /etc/resolv.conf and the network, or give an address of this machine.';

/** `asked`: the whole address, and where it is from; `code`: of what getaddrinfo(3) said. */
export function unresolved(asked: string, host: string, code: string | undefined): DroverError {
  return new DroverError(
    'ERR_DROVER_LISTEN',
    `cannot listen at ${asked}: the name ${host} does not resolve (${code})`,
    code === 'EAI_AGAIN' ? NO_ANSWER : 'Give an address of this machine, 0.0.0.0 or [::] for all of them, or put the name into /etc/hosts.',
  );
}

/** Of one that is looked up for so long that nobody waits any more. */
export function unanswered({ host, port }: NamedPlace, withinMs: number): Pick<ListenRefusal, 'message' | 'remedy'> {
  return { message: `cannot listen at ${formatAddress({ kind: 'tcp', host, port })}: the name ${host} has not resolved within ${withinMs} ms (--boot-timeout)`, remedy: NO_ANSWER };
}

export interface NamedPlace {
  host: string;
  port: number;
}

export interface NameWatch {
  listens(server: Server, listenArgs: readonly unknown[]): void;
  /** listen() has thrown. */
  threw(server: Server): void;
  /** Node comes for a handle: the name has been resolved, if there was one. */
  resolved(server: Server): void;
  /** What is looked up now: that of the server which has asked last. */
  readonly awaited: NamedPlace | undefined;
}

/** Looks at servers that listen at a name. `onFailed`: it does not resolve; called before the app hears of it. */
export function watchNames(onFailed: (refusal: ListenRefusal) => void): NameWatch {
  const asked = new WeakMap<Server, NamedPlace>();
  const awaited = new Map<Server, NamedPlace>();

  function look(this: EventEmitter, { syscall, hostname, errno, code }: NodeJS.ErrnoException & { hostname?: string }): void {
    const server = this as Server;
    const place = asked.get(server);
    if (syscall !== 'getaddrinfo' || place === undefined || hostname !== place.host) return;
    forget.call(server);
    const { message, remedy } = unresolved(formatAddress({ kind: 'tcp', ...place }), place.host, code);
    onFailed({ errno: errno!, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  /** Also one that is closed before its name has been resolved. */
  function forget(this: Server): void {
    if (awaited.delete(this)) this.off('close', forget);
  }

  return {
    listens(server, [first, second]) {
      const { host, port } = typeof first === 'object' && first !== null ? (first as { host?: unknown; port?: unknown }) : { host: second, port: first };
      if (typeof host !== 'string' || host === '' || isIP(host) !== 0) return;
      const place = { host, port: Number(port) };
      asked.set(server, place);
      if (!awaited.has(server)) server.once('close', forget);
      awaited.set(server, place);
      // A listener of this event is none that handles the error. Off first: a server may listen many times.
      (server as EventEmitter).off(errorMonitor, look).on(errorMonitor, look);
    },
    threw: (server) => forget.call(server),
    resolved: (server) => forget.call(server),
    get awaited() {
      return [...awaited.values()].at(-1);
    },
  };
}
