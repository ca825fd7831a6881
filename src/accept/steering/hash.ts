/**
 * `hash`: the kernel's own hash of addresses and ports. Slots without a worker get no new connections, by a classic BPF program that any user may
 * attach: it draws among the others at random.
 */
import { native } from '../../native.js';
import type { Steering } from './steering.js';

export function steerByHash(): Steering {
  /** Slots in order of listen(): the program names sockets by their index in the group. None is closed before the whole group is, which would renumber them. */
  const slots: number[] = [];
  let first = -1;
  return {
    name: 'hash',
    add(slot, fd) {
      if (slots.length === 0) first = fd;
      slots.push(slot);
      return 0;
    },
    serving(serving) {
      const indexes = slots.flatMap((slot, index) => (serving.includes(slot) ? [index] : []));
      // Nobody serves (start, or all retired): there is no better choice than the one in force; what comes waits in the queues.
      if (indexes.length === 0) return 0;
      // All serve: the kernel's own hash does what the program would, for less.
      return native.steerAmong(first, indexes.length === slots.length ? [] : indexes);
    },
    close() {},
  };
}
