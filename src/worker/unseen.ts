/**
 * Sockets of the app's own that drover does not serve: of servers in C++, in worker threads, or that are left to Node. In the worker, when nothing else is there to serve,
 * or when another has the address already.
 */
import { formatBound } from '../accept/bound.js';
import { findHolder, formatHolder, ownListeners, parentOf, type Holder } from '../accept/holder.js';
import type { BoundAddress } from '../ipc/messages.js';
import { WORKER_TITLE } from './title.js';

/** `listens at 127.0.0.1:9001 with a socket of its own, …`; undefined where there is none, or /proc does not tell. */
export function unseenListeners(): string | undefined {
  const inspector = inspectorPort();
  // One that a preload has opened: its port is not known, and would be told for the app's.
  if (inspector === 0) return undefined;
  const sockets = ownListeners().filter((address) => address.family === 'unix' || address.port !== inspector);
  // One for each of the threads, with SO_REUSEPORT.
  const addresses = [...new Set(sockets.map(formatBound))];
  if (addresses.length === 0) return undefined;
  return `listens at ${addresses.slice(0, 3).join(', ')}${addresses.length > 3 ? ' …' : ''} with ${sockets.length === 1 ? 'a socket' : 'sockets'} of its own, which drover does not serve`;
}

export const UNSEEN_REMEDY =
  'Such are servers in C++ (uWebSockets.js) and in worker threads, and those that listen with exclusive at port 0, with fd or at a handle. drover serves a server of Node\'s in the main thread: let that listen at its port alone, or export it. If there is one, it has not called listen() yet.';

/** What --inspect and SIGUSR1 open is no server of the app's. */
function inspectorPort(): number | undefined {
  const port = /:(\d+)\/[^/]*$/.exec(process.getBuiltinModule('node:inspector')?.url() ?? '')?.[1];
  return port === undefined ? undefined : Number(port);
}

const OPENED_BY_EACH =
  'drover shares what servers of Node\'s in the main thread listen at. One in C++ or in a worker thread, and a UDP socket, each worker opens for itself: let only the worker with NODE_APP_INSTANCE 0 open it, or run with -w 1. A reload (HUP) boots the new worker while the old one has the address: stop drover and start it again instead.';
const OPENED_BY_MASTER = 'drover listens there itself: for --bind, or for a server of Node\'s in the main thread. Let the other server of the app listen elsewhere, or give another --bind.';

/** Of an error that bind(2) or listen(2) made of an address in use, and not drover: who has it, where /proc tells, and what to do. */
export function inUse({ syscall, address, port }: { syscall?: string | undefined; address?: string | undefined; port?: number | undefined }): { holder?: string; remedy: string } {
  // dgram's; those of net have `listen`.
  const bound = syscall === 'bind' || address === undefined ? undefined : boundAt(address, port);
  const holder = bound === undefined ? undefined : findHolder(bound);
  if (holder === undefined) return { remedy: `If another worker has the address: ${OPENED_BY_EACH} Else find what has it, as root: ss -lxtup.` };
  return { holder: formatHolder(holder), remedy: holder.pid === process.ppid ? OPENED_BY_MASTER : isWorker(holder) ? OPENED_BY_EACH : 'Stop what listens there, or let the app listen elsewhere.' };
}

/** The master may have other children: of the shell that it was started by, or as process 1. */
function isWorker({ pid, name }: Holder): boolean {
  return parentOf(pid) === process.ppid && name.startsWith(`${WORKER_TITLE} `);
}

function boundAt(address: string, port = -1): BoundAddress {
  if (port < 0) return { family: 'unix', path: address.replace(/^\0/, '@') };
  return { family: address.includes(':') ? 'IPv6' : 'IPv4', address, port };
}
