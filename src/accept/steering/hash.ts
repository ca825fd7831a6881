/**
 * `hash`: the kernel's own hash of addresses and ports. Slots without a worker get no new connections, by a classic BPF program that any user may
 * attach: it draws among the others at random.
 */
import { native } from '../../native.js';
import { steerByIndex } from './by-index.js';
import type { Steering } from './steering.js';

export function steerByHash(): Steering {
  // All serve: the kernel's own hash does what the program would, for less.
  return steerByIndex('hash', (fd, slots, serving) => native.steerAmong(fd, serving.length === slots.length ? [] : serving.map((slot) => slots.indexOf(slot))));
}
