/**
 * `reuseport`: one socket per slot (SO_REUSEPORT). The kernel's hash picks the slot; a sibling takes what a busy, blocked or dead slot
 * leaves in its queue.
 *
 * Stealing: every worker waits with EPOLLEXCLUSIVE on every slot's socket, the owner first. The kernel wakes the first waiter that
 * is idle: the owner, else at once a sibling. Neither registration rotates: the owner has to stay first, and the acceptor itself moves
 * a thief behind the owner after a theft.
 * Steering: slots without a worker get no new connections, by a classic BPF program that any user may attach.
 */
import { native } from '../native.js';
import { arm } from './arm.js';
import type { Strategy } from './strategy.js';

export const reuseport: Strategy = {
  name: 'reuseport',
  sockets: 'per-slot',

  unavailable(address) {
    return address.family === 'unix' ? 'unix sockets have no SO_REUSEPORT' : undefined;
  },

  steer(sockets, serving) {
    // The program names sockets by their index in the group. The kernel numbers them in order of listen() and renumbers when one is
    // closed; none ever is before the whole group is, so the order of the map is the kernel's.
    const indexes: number[] = [];
    let index = 0;
    for (const slot of sockets.keys()) {
      if (serving.includes(slot)) indexes.push(index);
      index++;
    }
    const first = sockets.values().next();
    // Nobody serves (start, or all retired): there is no better choice than the one in force; what comes waits in the queues.
    if (first.done === true || indexes.length === 0) return 0;
    // All serve: the kernel's own hash does what the program would, for less.
    return native.steerAmong(first.value, indexes.length === sockets.size ? [] : indexes);
  },

  open: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: true, rotate: false }),
  join: (acceptor, sockets) => arm(acceptor, sockets, { exclusive: true, rotate: false }),
  leave: (acceptor, drain) => acceptor.close(drain),
};
