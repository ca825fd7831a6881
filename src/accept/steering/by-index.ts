/** What steers by a classic BPF program that names sockets by their index in the group: which of them serve, whenever that changes. */
import type { Steering } from './steering.js';

/** `attach`: makes the kernel choose among the slots of `serving`, which are some of `slots`. `fd`: any socket of the group, in which a slot's index is its place in `slots`. 0 or -errno. */
export function steerByIndex(name: Steering['name'], attach: (fd: number, slots: readonly number[], serving: readonly number[]) => number): Steering {
  /** In order of listen(), which is what an index counts. None is closed before the whole group is, which would renumber them. */
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
      const here = slots.filter((slot) => serving.includes(slot));
      // Nobody serves (start, or all retired): there is no better choice than the one in force; what comes waits in the queues.
      return here.length === 0 ? 0 : attach(first, slots, here);
    },
    close() {},
  };
}
