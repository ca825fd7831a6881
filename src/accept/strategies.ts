/** The accept strategies by name, and which of them serves a given socket. In the master and in the workers. */
import type { AcceptStrategyName } from '../config/options.js';
import type { SocketGrant } from '../ipc/messages.js';
import { exclusive } from './exclusive.js';
import { reuseport } from './reuseport.js';
import { shared } from './shared.js';
import type { Strategy } from './strategy.js';

export const STRATEGIES: Readonly<Record<AcceptStrategyName, Strategy>> = { shared, reuseport };

/** Serves a socket that all slots share although the strategy asked for wants one per slot. */
export const FALLBACK: Strategy = exclusive;

/** The strategy that serves a socket, as a worker learns it from its grant. */
export function strategyOf(name: AcceptStrategyName, grant: SocketGrant): Strategy {
  const strategy = STRATEGIES[name];
  return strategy.sockets === 'per-slot' && grant.slot === -1 ? FALLBACK : strategy;
}
