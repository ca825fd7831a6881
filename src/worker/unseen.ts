/**
 * Sockets of the app's own that drover does not serve: of servers in C++, in worker threads, or that are left to Node. In the worker, when nothing else is there to serve.
 */
import { ownListeners } from '../accept/holder.js';

/** `listens at 127.0.0.1:9001 with a socket of its own, …`; undefined where there is none, or /proc does not tell. */
export function unseenListeners(): string | undefined {
  // Under the inspector (--inspect, SIGUSR1), its own socket would be told for the app's: which one it is, it does not say at port 0.
  if (process.getBuiltinModule('node:inspector')?.url() !== undefined) return undefined;
  const addresses = ownListeners().map(({ address, port }) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`));
  if (addresses.length === 0) return undefined;
  return `listens at ${addresses.slice(0, 3).join(', ')}${addresses.length > 3 ? ' …' : ''} with ${addresses.length === 1 ? 'a socket' : 'sockets'} of its own, which drover does not serve`;
}

export const UNSEEN_REMEDY =
  'Such are servers in C++ (uWebSockets.js) and in worker threads, and those that listen with exclusive at port 0, with fd or at a handle. drover serves a server of Node\'s in the main thread: let that listen at its port alone, or export it. If there is one, it has not called listen() yet.';
