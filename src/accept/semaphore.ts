/**
 * `semaphore`: as `lock`, with several permits (--accept-permits). Their holders wait with EPOLLEXCLUSIVE, so a connection wakes one of them. None is
 * forgotten when a holder that was woken for two sockets hands its permit on after the first: who gets it looks at both.
 */
import { arm } from './arm.js';
import type { Strategy } from './strategy.js';

export const semaphore: Strategy = {
  name: 'semaphore',
  sockets: 'shared',
  conducted: 'permit',
  open: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: true, rotate: false, permitted: true }),
  join: () => 0,
  leave: (acceptor, drain) => acceptor.close(drain),
};
