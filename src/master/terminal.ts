/** The terminal that drover was started on, if any. In the master. */
import { isatty } from 'node:tty';
import { native } from '../native.js';

export interface Terminal {
  /** Whether standard output or error is one. */
  readonly is: boolean;
  /** Whether it was one, and is gone: its window was closed, its connection lost. */
  isClosed(): boolean;
  /** When it is closed: what is still written to it goes nowhere, without an error. */
  leave(): void;
}

/** Whether a person may be looking on, who has sent our output through a pipe or into a file. */
export function atTerminal(): boolean {
  return [0, 1, 2].some((fd) => isatty(fd));
}

export function ownTerminal(): Terminal {
  const on = [1, 2].filter((fd) => isatty(fd));
  // Of one that has hung up the kernel answers EIO, and so it is none.
  return { is: on.length > 0, isClosed: () => on.length > 0 && !on.some((fd) => isatty(fd)), leave: () => void native.leaveTerminal() };
}
