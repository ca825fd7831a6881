/** What steers by a classic BPF program that names sockets by their index in the group: which of them serve, whenever that changes. */
import type { Steering } from './steering.js';

/** `attach`: makes the kernel choose among `serving`, indexes in the group of `count` sockets of which `fd` is one. 0 or -errno. */
export function steerByIndex(name: Steering['name'], attach: (fd: number, count: number, serving: number[]) => number): Steering {
  /** Slots in order of listen(), which is what an index counts. None is closed before the whole group is, which would renumber them. */
  const slots: number[] = [];
  let first = -1;
  return {
    name,
    add(slot, fd) {
      if (slots.length === 0) first = fd;
      slots.push(slot);
      return 0;
    },
    serving(serving) {
      const indexes = slots.flatMap((slot, index) => (serving.includes(slot) ? [index] : []));
      // Nobody serves (start, or all retired): there is no better choice than the one in force; what comes waits in the queues.
      return indexes.length === 0 ? 0 : attach(first, slots.length, indexes);
    },
    close() {},
  };
}
