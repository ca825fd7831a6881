/**
 * The board: one shared page set in which every worker publishes what the others decide on.
 *
 * A header of one row, then a row per worker process (two rows of one slot exist while a successor boots beside its predecessor). The master
 * creates it (memfd), hands the descriptor to each worker and reads it for the watchdog, the metrics and the policies; a worker
 * writes only its own row. Single writer per field; readers tolerate any mixture of old and new values, so a worker that is
 * killed at any instruction leaves the board usable. native/board.h states the same layout for C++; a test compares the two.
 *
 * Rank 2. In the master and in the workers.
 */

/** Bytes of a row: four cache lines, so that no two workers share one. */
export const ROW_BYTES = 256;
/** Rows for worker processes; the header takes the place of row -1. */
export const MAX_ROWS = 512;
export const BOARD_BYTES = ROW_BYTES * (MAX_ROWS + 1);

/** Byte offsets in a row: [offset, type, writer, meaning]. */
export const FIELDS = {
  state: [0, 'u32', 'master: starting, gone; worker: ready, draining', 'A State; 0 means the row is free.'],
  pid: [4, 'u32', 'master', 'Process id of the worker.'],
  generation: [8, 'u32', 'master', 'Counts reloads: workers of one generation run the same config and code.'],
  slot: [12, 'u32', 'master', 'The slot this worker serves, from 0.'],
  loopStamp: [16, 'u64', 'worker, native (uv_prepare, uv_check)', 'CLOCK_MONOTONIC nanoseconds at which the loop left poll; 0 while it waits in poll.'],
  loopTurns: [24, 'u64', 'worker, native (uv_check)', 'Turns of the event loop.'],
  connections: [64, 'u32', 'worker, JavaScript', 'Connections open.'],
  requestsInFlight: [68, 'u32', 'worker, JavaScript', 'HTTP requests begun and not ended.'],
  requests: [72, 'f64', 'worker, JavaScript', 'HTTP requests begun since the worker started.'],
  accepted: [128, 'u64', 'worker, native', 'Connections accepted.'],
  wakeups: [136, 'u64', 'worker, native', 'Times a listening socket woke this worker.'],
  emptyWakeups: [144, 'u64', 'worker, native', 'Of these, times there was nothing left to accept.'],
  stolen: [152, 'u64', 'worker, native', "Of accepted, those taken from another slot's socket."],
} as const satisfies Record<string, readonly [number, 'u32' | 'u64' | 'f64', string, string]>;

export type Field = keyof typeof FIELDS;

export const State = { free: 0, starting: 1, ready: 2, draining: 3, gone: 4 } as const;
export type State = (typeof State)[keyof typeof State];

/** Byte offset of a row, as native code wants it. */
export function rowOffset(row: number): number {
  return (row + 1) * ROW_BYTES;
}

/** Reads and writes one board; cheap enough to be called per request. */
export class Board {
  readonly buffer: ArrayBuffer;
  readonly #u32: Uint32Array;
  readonly #u64: BigUint64Array;
  readonly #f64: Float64Array;

  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
    this.#u32 = new Uint32Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }

  /** u64 fields are rounded to a double: exact below 2^53. */
  get(row: number, field: Field): number {
    const [offset, type] = FIELDS[field];
    const at = rowOffset(row) + offset;
    if (type === 'u32') return this.#u32[at >> 2]!;
    if (type === 'f64') return this.#f64[at >> 3]!;
    return Number(this.#u64[at >> 3]!);
  }

  set(row: number, field: Field, value: number): void {
    const [offset, type] = FIELDS[field];
    const at = rowOffset(row) + offset;
    if (type === 'u32') this.#u32[at >> 2] = value;
    else if (type === 'f64') this.#f64[at >> 3] = value;
    else this.#u64[at >> 3] = BigInt(value);
  }

  /** A row's one u32 or f64 field as [array, index], for counters bumped per request. */
  cell(row: number, field: 'connections' | 'requestsInFlight' | 'requests'): [Uint32Array | Float64Array, number] {
    const [offset, type] = FIELDS[field];
    const at = rowOffset(row) + offset;
    return type === 'u32' ? [this.#u32, at >> 2] : [this.#f64, at >> 3];
  }

  /** Zero a row: the master, before it gives the row to a new worker and after the worker is reaped. */
  clear(row: number): void {
    this.#u32.fill(0, rowOffset(row) >> 2, (rowOffset(row) + ROW_BYTES) >> 2);
  }
}
