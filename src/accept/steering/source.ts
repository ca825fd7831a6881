/**
 * `source`: by a hash of the client's address (native/steer_source.cc), so that a client keeps its worker. Needs no privilege. Siblings leave a connection to
 * the worker that serves its slot, however long that is busy (`sticky` on the board): they take what comes to a slot that nobody serves.
 */
import { native } from '../../native.js';
import { steerByIndex } from './by-index.js';
import type { Steering } from './steering.js';

export function steerBySource(seed: number): Steering {
  return steerByIndex('source', (fd, slots, serving) => {
    const indexes = Array.from({ length: Math.max(...slots) + 1 }, (_, slot) => (serving.includes(slot) ? slots.indexOf(slot) : -1));
    return native.steerBySource(fd, indexes, seed);
  });
}
