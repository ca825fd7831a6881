/**
 * `reuseport`: one socket per slot (SO_REUSEPORT). Steering picks the slot (steering/); a sibling takes what a busy, blocked or dead slot
 * leaves in its queue, and what would make the loads uneven (native/theft.cc has the rule).
 *
 * Stealing: every worker waits with EPOLLEXCLUSIVE on every slot's socket, the owner first. The kernel wakes the first waiter that
 * is idle: the owner, else at once a sibling. Neither registration rotates: the owner has to stay first, and the acceptor itself moves
 * a thief behind the owner after a theft. With `--steer source` siblings poll only where nobody of the slot listens.
 */
import { arm } from './arm.js';
import type { Strategy } from './strategy.js';

export const reuseport: Strategy = {
  name: 'reuseport',
  sockets: 'per-slot',
  conducted: 'rescue',

  open: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: true, rotate: false }),
  join: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: true, rotate: false }),
  leave: (acceptor, drain) => acceptor.close(drain),
};
