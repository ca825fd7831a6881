/**
 * Policy: which strategy serves an address, and why when it is not simply the one asked for. In the master. `auto` is this policy and nothing else.
 */
import { getSystemErrorName } from 'node:util';
import type { AcceptStrategyName } from '../config/options.js';
import { STRATEGIES } from './strategies.js';
import type { Strategy, StrategyName } from './strategy.js';

/** TCP that drover binds, a unix socket, a descriptor that it inherits. */
export type AddressKind = 'tcp' | 'unix' | 'fd';

export interface Choice {
  strategy: Strategy;
  /** What `auto` went by, or why it is not the strategy asked for. */
  reason?: string;
}

const ONE_SOCKET: Readonly<Record<AddressKind, string | undefined>> = {
  tcp: undefined,
  unix: 'unix sockets have no SO_REUSEPORT',
  fd: 'an inherited descriptor is one socket for all',
};

/** `exclusiveWorks`: 0, or -errno of the kernel that refuses EPOLLEXCLUSIVE. */
export function choose(name: AcceptStrategyName, kind: AddressKind, exclusiveWorks: number): Choice {
  const auto = name === 'auto';
  let chosen: StrategyName = auto ? 'reuseport' : name;
  const reasons: string[] = [];
  const oneSocket = ONE_SOCKET[kind];
  if (chosen === 'reuseport' && oneSocket !== undefined) {
    chosen = 'exclusive';
    reasons.push(oneSocket);
  }
  // A reuseport that was asked for does without: its siblings are then woken all.
  if (exclusiveWorks < 0 && (auto || chosen === 'exclusive')) {
    chosen = 'grant';
    reasons.push(`the kernel refuses EPOLLEXCLUSIVE: ${getSystemErrorName(exclusiveWorks)}`);
  }
  if (auto) reasons.unshift(reasons.length === 0 ? 'auto: TCP, a socket per worker' : 'auto');
  return { strategy: STRATEGIES[chosen], ...(reasons.length === 0 ? {} : { reason: reasons.join(', ') }) };
}

/** Whether drover needs its conductor, and the workers their bells, for any address under this strategy. */
export function isConducted(name: AcceptStrategyName, exclusiveWorks: number): boolean {
  return (['tcp', 'unix', 'fd'] as const).some((kind) => choose(name, kind, exclusiveWorks).strategy.conducted !== undefined);
}
