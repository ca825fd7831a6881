/**
 * `shared`: one socket for all workers, polled plainly: each connection wakes every idle worker, and all but one wake for nothing.
 * The thundering herd itself, kept as the control that the other strategies are measured against.
 */
import { arm } from './arm.js';
import type { Strategy } from './strategy.js';

export const shared: Strategy = {
  name: 'shared',
  sockets: 'shared',
  open: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: false, rotate: false }),
  join: () => 0,
  leave: (acceptor, drain) => acceptor.close(drain),
};
