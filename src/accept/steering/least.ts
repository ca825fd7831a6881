/**
 * `least`: to the least loaded, by a program in the kernel that reads the board at each connection (native/steer_least.cc). Needs CAP_BPF. Workers that come
 * and go are seen on the board; only a slot more needs another program.
 */
import { check, type NativeConductor } from '../../native.js';
import type { Steering } from './steering.js';

/** Loading takes the verifier about a millisecond per slot. Beyond these, slots that are added one after the other are loaded together. */
const AT_ONCE = 16;
const TOGETHER_MS = 100;

export function steerByLoad(conductor: NativeConductor, boardFd: number): Steering {
  const group = check('bpf', conductor.openLeastGroup(boardFd));
  let slots = 0;
  let loaded = 0;
  let timer: NodeJS.Timeout | undefined;
  const load = (): number => {
    timer = undefined;
    loaded = slots;
    return conductor.attachGroup(group);
  };
  return {
    name: 'least',
    add(slot, fd) {
      const status = conductor.addToGroup(group, slot, fd);
      if (status === 0) slots += 1;
      return status;
    },
    serving() {
      conductor.boardChanged();
      if (slots === loaded) return 0;
      if (slots <= AT_ONCE) return load();
      // Until then the slots that are new get no connections but those that they take from others.
      timer ??= setTimeout(load, TOGETHER_MS).unref();
      return 0;
    },
    close() {
      clearTimeout(timer);
      conductor.closeGroup(group);
    },
  };
}
