/** The backlog of a listening socket: what is asked for, within what the kernel allows. In the master. */
import { readFileSync } from 'node:fs';
import type { CoordinationOptions } from './coordination.js';

export class Backlogs {
  readonly #emit: CoordinationOptions['emit'];
  #told = false;

  constructor(emit: CoordinationOptions['emit']) {
    this.#emit = emit;
  }

  /** The backlog as the kernel will take it; says once when it is less than asked for. */
  cut(backlog: number): number {
    const somaxconn = readSomaxconn();
    if (somaxconn === undefined || backlog <= somaxconn) return backlog;
    if (!this.#told) this.#emit('listen.backlog-cut', { backlog, somaxconn });
    this.#told = true;
    return somaxconn;
  }
}

function readSomaxconn(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  } catch {
    return undefined;
  }
}
