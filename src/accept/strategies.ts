/** The accept strategies by name. In the master and in the workers. */
import type { AcceptStrategyName } from '../config/options.js';
import { exclusive } from './exclusive.js';
import { grant } from './grant.js';
import { lock } from './lock.js';
import { reuseport } from './reuseport.js';
import { semaphore } from './semaphore.js';
import { shared } from './shared.js';
import type { Strategy, StrategyName } from './strategy.js';

export const STRATEGIES: Readonly<Record<StrategyName, Strategy>> = { reuseport, exclusive, grant, lock, semaphore, shared };

/** How many permits there are. */
export function permitsOf(name: AcceptStrategyName, acceptPermits: number): number {
  return name === 'lock' ? 1 : name === 'semaphore' ? acceptPermits : 0;
}
