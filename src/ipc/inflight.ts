/**
 * The in-flight table: which requests a worker was in the middle of, so that its death can name them.
 *
 * A second memory beside the board: per row 16 entries, and before them 16 numbers of 8 bytes, one per entry, a count, and the number of a 17th entry. An entry is one length byte and up to
 * 127 bytes of text, `METHOD path` in latin1, cut; the query is left out, for it may hold secrets. Its number is that of the request, 0 while it is free: it grows with each
 * request, and its low four bits are the entry. The count is of all requests begun and not ended, named or not: what the board has may count connections that owe one, too. The worker writes its own row only, in
 * its request path; the master reads the row when that worker has died, and clears it before the next one gets it.
 *
 * With no entry free a request takes that of the oldest: what a worker dies of is as a rule what it has begun last, and streams that stay open would hold all of them for
 * good. What a worker does not finish in time is rather what it has begun first, so the 17th entry keeps one that has lost its own, until that ends: the first to lose it, which is the
 * oldest of all for as long as it runs. Only who takes an entry over, or ends without one, has to look there.
 *
 * The number is zeroed first and written last, so a kill between any two stores leaves each entry either free or whole. One store each on 64-bit machines, which are those
 * that drover supports.
 *
 * Rank 2. In the worker (InflightWriter) and in the master (readInflight, inflightFields, clearInflight).
 */
import { MAX_ROWS } from './board.js';

export const INFLIGHT_ENTRIES = 16;
export const INFLIGHT_ENTRY_BYTES = 128;
/** Numbers and count, in whole cache lines. */
export const INFLIGHT_HEAD_BYTES = 192;
export const INFLIGHT_ROW_BYTES = INFLIGHT_HEAD_BYTES + (INFLIGHT_ENTRIES + 1) * INFLIGHT_ENTRY_BYTES;
/** Size of the whole memory, as createMemory wants it. */
export const INFLIGHT_BYTES = INFLIGHT_ROW_BYTES * MAX_ROWS;

const TEXT_BYTES = INFLIGHT_ENTRY_BYTES - 1;
/** Where the count stands, behind the numbers. */
const COUNT = INFLIGHT_ENTRIES;
/** Where the number of the 17th entry stands: its own, not that of an entry. */
const KEPT = COUNT + 1;
const SPACE = 0x20;
const QUESTION = 0x3f;

/** Writes one worker's row. Called per request: no allocation, no native call (a loop over a short path is cheaper than one). */
export class InflightWriter {
  readonly #numbers: Float64Array;
  readonly #bytes: Uint8Array;
  /** A bit for each entry that is free now. */
  #free = (1 << INFLIGHT_ENTRIES) - 1;
  /** The last number given, without its entry. */
  #last = 0;

  constructor(buffer: ArrayBuffer, row: number) {
    this.#numbers = numbersOf(buffer, row);
    this.#bytes = new Uint8Array(buffer, row * INFLIGHT_ROW_BYTES + INFLIGHT_HEAD_BYTES, (INFLIGHT_ENTRIES + 1) * INFLIGHT_ENTRY_BYTES);
  }

  /** The number of the request, to be given to `end`, once. */
  begin(method: string, url: string): number {
    const numbers = this.#numbers;
    const free = this.#free;
    const entry = free === 0 ? this.#takeOldest() : 31 - Math.clz32(free & -free);
    this.#free = free & ~(1 << entry);
    numbers[entry] = 0;
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
    this.#last += INFLIGHT_ENTRIES;
    const number = this.#last + entry;
    numbers[entry] = number;
    // Behind the entry: a kill between the two does not tell of a request that has no name.
    numbers[COUNT] = numbers[COUNT]! + 1;
    return number;
  }

  end(number: number): void {
    const numbers = this.#numbers;
    numbers[COUNT] = numbers[COUNT]! - 1;
    const entry = number & (INFLIGHT_ENTRIES - 1);
    if (numbers[entry] !== number) {
      // taken over
      if (numbers[KEPT] === number) numbers[KEPT] = 0;
      return;
    }
    numbers[entry] = 0;
    this.#free |= 1 << entry;
  }

  /** The entry with the lowest number, which is kept if none is. */
  #takeOldest(): number {
    const numbers = this.#numbers;
    let entry = 0;
    let lowest = numbers[0]!;
    for (let i = 1; i < INFLIGHT_ENTRIES; i++) {
      const number = numbers[i]!;
      if (number >= lowest) continue;
      entry = i;
      lowest = number;
    }
    if (numbers[KEPT] === 0) {
      const start = entry * INFLIGHT_ENTRY_BYTES;
      this.#bytes.copyWithin(INFLIGHT_ENTRIES * INFLIGHT_ENTRY_BYTES, start, start + INFLIGHT_ENTRY_BYTES);
      numbers[KEPT] = lowest;
    }
    return entry;
  }
}

/** What a row holds: `METHOD path` of the newest requests begun and not ended, at most 16, newest first. */
export function readInflight(buffer: ArrayBuffer, row: number): string[] {
  const found: { number: number; text: string }[] = [];
  const numbers = numbersOf(buffer, row);
  for (let entry = 0; entry < INFLIGHT_ENTRIES; entry++) {
    const number = numbers[entry]!;
    const text = number > 0 ? textOf(buffer, row, entry) : undefined;
    if (text !== undefined) found.push({ number, text });
  }
  return found.sort((a, b) => b.number - a.number).map(({ text }) => text);
}

/** `METHOD path` of one that was begun before those and has not ended, if one is kept: as a rule the oldest of all. */
function readOlder(buffer: ArrayBuffer, row: number): string | undefined {
  const numbers = numbersOf(buffer, row);
  const kept = numbers[KEPT]!;
  // Killed while an entry was taken over, it may still have its own.
  return kept > 0 && !numbers.subarray(0, COUNT).includes(kept) ? textOf(buffer, row, INFLIGHT_ENTRIES) : undefined;
}

/** A length that no writer writes means memory that is not ours to believe. */
function textOf(buffer: ArrayBuffer, row: number, entry: number): string | undefined {
  const start = row * INFLIGHT_ROW_BYTES + INFLIGHT_HEAD_BYTES + entry * INFLIGHT_ENTRY_BYTES;
  const length = new Uint8Array(buffer, start, 1)[0]!;
  return length > 0 && length <= TEXT_BYTES ? Buffer.from(buffer, start + 1, length).toString('latin1') : undefined;
}

/** What a record of the log says of a row: the names where there are any, one that is older, and the number in flight where it is larger than that of the names. */
export function inflightFields(buffer: ArrayBuffer, row: number): { requests?: string[]; older?: string; inFlight?: number } {
  const requests = readInflight(buffer, row);
  const older = readOlder(buffer, row);
  const inFlight = numbersOf(buffer, row)[COUNT]!;
  return { ...(requests.length === 0 ? {} : { requests }), ...(older === undefined ? {} : { older }), ...(inFlight > requests.length ? { inFlight } : {}) };
}

/** Zero a row: before it is given to a new worker. */
export function clearInflight(buffer: ArrayBuffer, row: number): void {
  new Uint8Array(buffer, row * INFLIGHT_ROW_BYTES, INFLIGHT_ROW_BYTES).fill(0);
}

/** Numbers and count of a row, and the number kept. */
function numbersOf(buffer: ArrayBuffer, row: number): Float64Array {
  return new Float64Array(buffer, row * INFLIGHT_ROW_BYTES, INFLIGHT_ENTRIES + 2);
}
