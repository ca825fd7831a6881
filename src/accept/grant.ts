/**
 * `grant`: one socket for all workers, polled by none of them. The conductor, a thread of the master, sees each connection come, chooses the least
 * loaded worker that can take it, and wakes that one; it alone accepts. A grant not taken in time goes to another.
 */
import { arm } from './arm.js';
import type { Strategy } from './strategy.js';

export const grant: Strategy = {
  name: 'grant',
  sockets: 'shared',
  conducted: 'grant',
  open: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: false, rotate: false, granted: true }),
  join: () => 0,
  leave: (acceptor, drain) => acceptor.close(drain),
};
