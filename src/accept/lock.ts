/**
 * `lock`: one socket for all workers, polled only by the one that has the permit. On a connection it hands the permit to the least loaded idle
 * worker, before the app sees the connection. The conductor takes the permit from a holder that is gone, stalled or stopped.
 */
import { arm } from './arm.js';
import type { Strategy } from './strategy.js';

export const lock: Strategy = {
  name: 'lock',
  sockets: 'shared',
  conducted: 'permit',
  open: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: false, rotate: false, permitted: true }),
  join: () => 0,
  leave: (acceptor, drain) => acceptor.close(drain),
};
