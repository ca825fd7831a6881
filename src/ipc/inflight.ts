/**
 * The in-flight table: which requests a worker was in the middle of, so that its death can name them.
 *
 * A second memory beside the board: per row 16 entries of 128 bytes. An entry is one length byte (0: free) and up to 127 bytes
 * of text, `METHOD path` in latin1, cut; the query is left out, for it may hold secrets. The worker writes its own row only, in
 * its request path; the master reads the row when that worker has died, and clears it before the next one gets it.
 *
 * The length is written last and zeroed first, so a kill between any two stores leaves each entry either free or whole.
 *
 * Rank 2. In the worker (InflightWriter) and in the master (readInflight, clearInflight).
 */
import { MAX_ROWS } from './board.js';

export const INFLIGHT_ENTRIES = 16;
export const INFLIGHT_ENTRY_BYTES = 128;
export const INFLIGHT_ROW_BYTES = INFLIGHT_ENTRIES * INFLIGHT_ENTRY_BYTES;
/** Size of the whole memory, as createMemory wants it. */
export const INFLIGHT_BYTES = INFLIGHT_ROW_BYTES * MAX_ROWS;

const TEXT_BYTES = INFLIGHT_ENTRY_BYTES - 1;
const SPACE = 0x20;
const QUESTION = 0x3f;

/** Writes one worker's row. Called per request: no allocation, no native call (a loop over a short path is cheaper than one). */
export class InflightWriter {
  readonly #bytes: Uint8Array;
  /** Entries free now, a stack. */
  readonly #free = new Uint8Array(INFLIGHT_ENTRIES);
  #freeCount = INFLIGHT_ENTRIES;

  constructor(buffer: ArrayBuffer, row: number) {
    this.#bytes = new Uint8Array(buffer, row * INFLIGHT_ROW_BYTES, INFLIGHT_ROW_BYTES);
    for (let i = 0; i < INFLIGHT_ENTRIES; i++) this.#free[i] = INFLIGHT_ENTRIES - 1 - i;
  }

  /** The entry taken, to be given to `end`; -1 when all are taken (this request is then not in the table). */
  begin(method: string, url: string): number {
    if (this.#freeCount === 0) return -1;
    const entry = this.#free[--this.#freeCount]!;
    const bytes = this.#bytes;
    const start = entry * INFLIGHT_ENTRY_BYTES;
    let at = start;
    const end = start + TEXT_BYTES;
    for (let i = 0; i < method.length && at < end; i++) bytes[++at] = method.charCodeAt(i);
    if (at < end) bytes[++at] = SPACE;
    for (let i = 0; i < url.length && at < end; i++) {
      const code = url.charCodeAt(i);
      if (code === QUESTION) break;
      bytes[++at] = code;
    }
    bytes[start] = at - start;
    return entry;
  }

  end(entry: number): void {
    if (entry < 0) return;
    this.#bytes[entry * INFLIGHT_ENTRY_BYTES] = 0;
    this.#free[this.#freeCount++] = entry;
  }
}

/** What a row holds: `METHOD path` of each request begun and not ended, at most 16. */
export function readInflight(buffer: ArrayBuffer, row: number): string[] {
  const requests: string[] = [];
  for (let entry = 0; entry < INFLIGHT_ENTRIES; entry++) {
    const start = row * INFLIGHT_ROW_BYTES + entry * INFLIGHT_ENTRY_BYTES;
    const [length] = new Uint8Array(buffer, start, 1);
    // A length no writer writes means memory that is not ours to believe.
    if (length! > 0 && length! <= TEXT_BYTES) requests.push(Buffer.from(buffer, start + 1, length).toString('latin1'));
  }
  return requests;
}

/** Zero a row: before it is given to a new worker. */
export function clearInflight(buffer: ArrayBuffer, row: number): void {
  new Uint8Array(buffer, row * INFLIGHT_ROW_BYTES, INFLIGHT_ROW_BYTES).fill(0);
}
