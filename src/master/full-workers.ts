/**
 * Notices that every worker is at --worker-connections while connections wait. Runs in the master.
 *
 * A full worker is healthy: it turns its loop, logs nothing and answers nobody new, and idle WebSockets keep it so for hours. The limit is on the
 * board; looked at when the watchdog looks, as overflow.ts does, and the queues only while no worker has a place. --worker-concurrency is not looked at:
 * to be full of requests is how it works, and passes with them.
 */
import { counted } from '../config/plural.js';
import type { Queue } from '../accept/listeners.js';
import type { Board } from '../ipc/board.js';
import type { Log } from '../log/logger.js';
import { native } from '../native.js';

/** What waits in the accept queues; `length` undefined: something does, and how much is not known. */
export interface Waiting {
  length: number | undefined;
}

export type Told =
  | { is: 'full'; workers: number; limit: number; length: number | undefined }
  | { is: 'free'; fullMs: number };

/** It is told in this time once that they are full. */
export const TELL_EVERY_MS = 60_000;

/** The policy: the board and a time in, what to tell out. */
export class FullWorkers {
  /** The first of the looks in a row that saw all full, something waiting, and nothing accepted since the look before. */
  #since: number | undefined;
  /** What these workers had accepted then, in all. */
  #accepted = 0;
  /** The same of what was told, and is not over yet. */
  #toldOf: number | undefined;
  #toldAt = -Infinity;

  /** `rows`: of the workers that serve, none of those that boot or drain. `waits`: undefined when nothing does. */
  look(now: number, board: Pick<Board, 'get'>, rows: readonly number[], waits: () => Waiting | undefined): Told | undefined {
    if (!rows.every((row) => isFull(board, row))) return this.#free(now);
    const waiting = rows.length === 0 ? undefined : waits();
    if (waiting === undefined) {
      this.#since = undefined;
      return undefined;
    }
    const accepted = rows.reduce((sum, row) => sum + board.get(row, 'accepted'), 0);
    // One look alone may have met a burst; and where connections are taken as fast as others close, a queue is how it works.
    if (this.#since === undefined || accepted !== this.#accepted) {
      this.#since = now;
      this.#accepted = accepted;
      return undefined;
    }
    if (now - this.#toldAt < TELL_EVERY_MS) return undefined;
    this.#toldAt = now;
    this.#toldOf ??= this.#since;
    return { is: 'full', workers: rows.length, limit: Math.max(...rows.map((row) => board.get(row, 'connectionLimit'))), length: waiting.length };
  }

  #free(now: number): Told | undefined {
    const since = this.#toldOf;
    this.#since = undefined;
    this.#toldOf = undefined;
    return since === undefined ? undefined : { is: 'free', fullMs: Math.round(now - since) };
  }
}

function isFull(board: Pick<Board, 'get'>, row: number): boolean {
  return board.get(row, 'connections') >= board.get(row, 'connectionLimit');
}

/** What waits at these sockets. */
export function waitingAt(queues: readonly Pick<Queue, 'fd'>[]): Waiting | undefined {
  let length = 0;
  let isCounted = true;
  for (const { fd } of queues) {
    const queue = native.queueLength(fd);
    if (typeof queue === 'object') length += queue.length;
    // Of a unix socket the kernel says only whether there is something.
    else if (native.isWaiting(fd) === 1) isCounted = false;
  }
  if (!isCounted) return { length: undefined };
  return length === 0 ? undefined : { length };
}

/** Looks at the board and the sockets and tells the log. */
export class FullWatch {
  readonly #policy = new FullWorkers();
  readonly #board: Board;
  readonly #queues: () => Queue[];
  readonly #log: Log;

  constructor(board: Board, queues: () => Queue[], log: Log) {
    this.#board = board;
    this.#queues = queues;
    this.#log = log;
  }

  look(now: number, rows: readonly number[]): void {
    const told = this.#policy.look(now, this.#board, rows, () => waitingAt(this.#queues()));
    if (told?.is === 'free') this.#log.emit('workers.free', { fullMs: told.fullMs });
    if (told?.is !== 'full') return;
    const { workers, limit, length } = told;
    this.#log.emit('workers.full', { workers, limit, length, waiting: length === undefined ? 'new ones wait' : counted(length, 'connection waits', 'connections wait') });
  }
}
