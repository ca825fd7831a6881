/**
 * `exclusive`: one socket for all workers, each registered with EPOLLEXCLUSIVE: a connection wakes the first idle worker of the
 * row, which after the accept goes to the end of it; so idle workers take turns. One that has more connections than its share leaves the row until it has not.
 * Serves what cannot have a socket per slot: unix sockets (AF_UNIX has no SO_REUSEPORT) and inherited descriptors.
 */
import { arm } from './arm.js';
import type { Strategy } from './strategy.js';

export const exclusive: Strategy = {
  name: 'exclusive',
  sockets: 'shared',
  conducted: 'rescue',
  open: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: true, rotate: true, gate: true }),
  join: () => 0,
  leave: (acceptor, drain) => acceptor.close(drain),
};
