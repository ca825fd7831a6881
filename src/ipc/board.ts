/**
 * The board: one shared page set in which every worker publishes what the others decide on.
 *
 * A header of one row, then a row per worker process (two rows of one slot exist while a successor boots beside its predecessor), then a
 * smaller row per slot, for what belongs to its sockets whoever serves them. The master creates it (a BPF array map where bpf(2) is allowed, so that
 * the kernel's steering program looks at the same bytes; else a memfd), hands the descriptor to each worker and reads it for the watchdog, the metrics and
 * the policies; a worker writes only its own row. Single writer per field but for the slots' counters, which are added to atomically; readers tolerate any mixture of old and new values, so a worker that is
 * killed at any instruction leaves the board usable. native/board.h states the same layout for C++; a test compares the two.
 *
 * Rank 2. In the master and in the workers.
 */

/** Bytes of a row: four cache lines, so that no two workers share one. */
export const ROW_BYTES = 256;
/** Rows for worker processes; the header takes the place of row -1. */
export const MAX_ROWS = 512;
/** Slots there can be: --workers' upper bound. */
export const MAX_SLOTS = 256;
export const SLOT_BYTES = 64;
export const SLOTS_OFFSET = ROW_BYTES * (MAX_ROWS + 1);
export const BOARD_BYTES = SLOTS_OFFSET + SLOT_BYTES * MAX_SLOTS;
/** What a limit on the board says when there is none: no load reaches it. */
export const NO_LIMIT = 0x7fffffff;

type FieldRow = readonly [number, 'u32' | 'u64' | 'f64', string, string];

/** Byte offsets in a row: [offset, type, writer, meaning]. */
export const FIELDS = {
  state: [0, 'u32', 'master: starting, gone; worker: ready, draining', 'A State; 0 means the row is free.'],
  pid: [4, 'u32', 'master', 'Process id of the worker.'],
  generation: [8, 'u32', 'master', 'Counts reloads: workers of one generation run the same config and code.'],
  slot: [12, 'u32', 'master', 'The slot this worker serves, from 0.'],
  loopStamp: [16, 'u64', 'worker, native (uv_prepare, uv_check) and JavaScript (stamper)', 'CLOCK_MONOTONIC nanoseconds at which the loop left poll; 0 while it waits in poll.'],
  loopTurns: [24, 'u64', 'worker, native (uv_check)', 'Turns of the event loop.'],
  connections: [64, 'u32', 'worker, JavaScript', 'Connections open.'],
  requestsInFlight: [68, 'u32', 'worker, JavaScript', 'HTTP requests begun and not ended; where there is a requestLimit, also new connections that owe their first request (http/admission.ts).'],
  requests: [72, 'f64', 'worker, JavaScript', 'HTTP requests begun since the worker started.'],
  connectionLimit: [80, 'u32', 'worker, at start', 'Connections at which it takes no new one; NO_LIMIT for none.'],
  requestLimit: [84, 'u32', 'worker, at start', 'Requests in flight at which it takes no new connection; NO_LIMIT for none.'],
  handicap: [88, 'u32', 'master: at ready; conductor: down to 0', 'What a newcomer is charged as load, so that it does not get every connection until it has caught up.'],
  taken: [92, 'u32', 'worker, native', 'Of granted, those acted upon: never more.'],
  refused: [96, 'u32', 'worker, JavaScript', 'Requests refused at the HTTP edge (http/refusal.ts); wraps.'],
  exhausted: [100, 'u32', 'worker, native', 'Listeners of this worker that are out of descriptors or memory: while there is one it takes no connection.'],
  arriving: [104, 'u32', 'worker, native', 'Connections accepted for a grant that JavaScript has not counted yet (strategy grant).'],
  accepted: [128, 'u64', 'worker, native', 'Connections accepted.'],
  wakeups: [136, 'u64', 'worker, native', 'Times a listening socket woke this worker.'],
  emptyWakeups: [144, 'u64', 'worker, native', 'Of these, times there was nothing left to accept.'],
  stolen: [152, 'u64', 'worker, native', "Of accepted, those taken from another slot's socket."],
  blockedAt: [160, 'u64', 'worker, native', 'CLOCK_MONOTONIC nanoseconds at which its loop was last found to have been out of poll for longer than --stall-ms, since it is ready; 0: never.'],
  proxyRefused: [184, 'u64', 'worker, JavaScript', 'Connections closed for want of a PROXY header that counts (--proxy-protocol).'],
  granted: [192, 'u32', 'conductor', 'Connections given to this worker to accept (strategy grant).'],
  lateTurn: [200, 'u64', 'conductor', 'loopTurns + 1 of a turn in which it held a permit and did not come for a connection in --stall-ms, whatever its loopStamp says.'],
} as const satisfies Record<string, FieldRow>;

/** Byte offsets in the header. */
export const HEADER_FIELDS = {
  waiting: [4, 'u32', 'conductor (workers add 0, to be in order with it)', 'Connections it could give to nobody (strategy grant).'],
  fallbacks: [8, 'u64', 'kernel', 'Connections the steering program found no slot for; the hash placed them.'],
  rowsUsed: [16, 'u32', 'master (with the first state)', 'Rows from here on have never been used: readers stop here.'],
  orphaned: [20, 'u32', 'workers, atomic add', 'Wake-ups that a worker has given up because it cannot accept; wraps.'],
  stallNs: [24, 'u64', 'master, at start', '--stall-ms, for the workers: out of poll for longer, a worker is stalled. 0: not told, 20 ms.'],
  sticky: [32, 'u32', 'master, at start', '1: a connection is for the worker that serves its slot alone, for as long as one does (--steer source); 0: siblings help.'],
  permits: [64, 'u64', 'workers and conductor, compare-and-swap', 'Sixteen permits (strategies lock and semaphore): owner row + 1 in the low half, epoch in the high half.'],
} as const satisfies Record<string, FieldRow>;

/** Byte offsets in a slot's row. */
export const SLOT_FIELDS = {
  owner: [0, 'u32', 'master', 'Row + 1 of the worker that serves the slot; 0: nobody.'],
  selected: [4, 'u32', 'kernel, atomic add', 'Connections the steering program has sent to this slot; wraps.'],
  accepted: [8, 'u32', 'workers, atomic add; conductor, compare-and-swap', "Connections accepted from this slot's sockets, by whomever; wraps."],
} as const satisfies Record<string, FieldRow>;

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
    if (field === 'state') this.#useRow(row);
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

  /**
   * What a worker calls when its JavaScript begins to work: libuv runs the handlers of ready descriptors inside its poll phase, so the first of them
   * has to say that the loop has left poll. Some 30 ns then, and one load when it is said already. Native code takes the stamp back (loop_stamp.cc).
   *
   * Compiled code hands the 64 bits from hrtime.bigint() to the array without making a BigInt of them; performance.now() looks for a property of its `this` first. Read as a double the field is
   * 0 when it is 0, without a BigInt as well.
   *
   * The store is a single one on 64-bit machines only, which are those that drover supports: between the two of a 32-bit one, a reader would take the loop for one that has been out of poll for
   * seconds or for ever.
   */
  stamper(row: number): () => void {
    const [bits, values] = [this.#u64, this.#f64];
    const at = (rowOffset(row) + FIELDS.loopStamp[0]) >> 3;
    const { bigint: monotonicNs } = process.hrtime;
    return () => {
      if (values[at] === 0) bits[at] = monotonicNs();
    };
  }

  /** Whether a worker has had the board since the row was cleared: the first that it writes is that its loop is not in poll. */
  hasBegun(row: number): boolean {
    return this.get(row, 'loopStamp') !== 0 || this.get(row, 'loopTurns') !== 0;
  }

  /** Master: --stall-ms, for the workers. */
  setStallMs(stallMs: number): void {
    this.#u64[HEADER_FIELDS.stallNs[0] >> 3] = BigInt(stallMs) * 1_000_000n;
  }

  setSticky(): void {
    this.#u32[HEADER_FIELDS.sticky[0] >> 2] = 1;
  }

  getHeader(field: 'waiting' | 'fallbacks' | 'rowsUsed' | 'orphaned'): number {
    const [offset, type] = HEADER_FIELDS[field];
    return type === 'u32' ? this.#u32[offset >> 2]! : Number(this.#u64[offset >> 3]!);
  }

  getSlot(slot: number, field: keyof typeof SLOT_FIELDS): number {
    return this.#u32[slotCell(slot, field)]!;
  }

  /** Master: who serves a slot; null: nobody. */
  setOwner(slot: number, row: number | null): void {
    this.#u32[slotCell(slot, 'owner')] = row === null ? 0 : row + 1;
  }

  /** A row with a state is one to look at. The master sets the first, before there is a worker that could set another. */
  #useRow(row: number): void {
    const at = HEADER_FIELDS.rowsUsed[0] >> 2;
    this.#u32[at] = Math.max(this.#u32[at]!, row + 1);
  }

  /** Zero a row: the master, before it gives the row to a new worker and after the worker is reaped. */
  clear(row: number): void {
    this.#u32.fill(0, rowOffset(row) >> 2, (rowOffset(row) + ROW_BYTES) >> 2);
  }
}

function slotCell(slot: number, field: keyof typeof SLOT_FIELDS): number {
  return (SLOTS_OFFSET + slot * SLOT_BYTES + SLOT_FIELDS[field][0]) >> 2;
}
