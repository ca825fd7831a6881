/**
 * Gathers the lines of the access log and writes them in batches, off the way of requests. In the worker.
 *
 * The first line of a batch arms a timer, so an idle worker is never woken. One write is under way at a time; what comes meanwhile is gathered, up to a
 * bound, and beyond it lines are dropped and counted: a disk that hangs costs lines, neither memory nor time. A batch that cannot be written is kept
 * and tried again. `flush` writes the rest synchronously, at the end of the process; a write that is then under way is finished by libuv, which joins its
 * threads before the process exits.
 *
 * SonicBoom (pino's) does much of this; it wakes idle workers by an interval, mixes lines of several processes on a pipe, drops by writes and not by
 * lines, and after a reopen that failed closes a descriptor twice.
 */
import type { EventName } from '../../log/events.js';
import type { Destination } from './destination.js';

export interface WriterOptions {
  destination: Destination;
  log: (event: EventName, fields: Record<string, unknown>) => void;
  /** Monotonic. */
  now?: () => number;
  setTimer?: (call: () => void, ms: number) => void;
  /** Blocks. */
  sleep?: (ms: number) => void;
}

/** A line waits no longer than this for others. */
export const GATHER_MS = 100;
/** Nor for more than this. */
export const BATCH_BYTES = 32 * 1024;
/** Gathered and unwritten lines at most: about 7,000. */
export const LIMIT_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/**
 * Lines become bytes when there are so many: one copy per line costs twice as much, and a string put together from 32 KiB of pieces that the
 * processor's cache has long forgotten, five times.
 */
const RECENT_BYTES = 2048;
/** A reader that is slow is tried again after this, then after twice as long… */
const FIRST_RETRY_MS = 10;
/** …up to this; an error is after this at once. */
const LAST_RETRY_MS = 1000;
/** Failures and drops are logged at most so often. */
export const REPORT_EVERY_MS = 10_000;
/** At the end of the process a reader that does not read is waited for so long. */
export const FLUSH_MS = 1000;
const FLUSH_SLEEP_MS = 5;

export class LogWriter {
  readonly #destination: Destination;
  readonly #log: WriterOptions['log'];
  readonly #now: () => number;
  readonly #setTimer: (call: () => void, ms: number) => void;
  readonly #sleep: (ms: number) => void;
  /** Gathered, newest: not bytes yet. */
  #recent = '';
  /** Gathered before that, in the first `filled` bytes. */
  #chunk: Buffer = Buffer.alloc(0);
  #filled = 0;
  /** Full chunks that wait for the batch before them. Always whole lines. */
  readonly #queue: Buffer[] = [];
  /** What is being written, less what has been. */
  #batch: Buffer | undefined;
  /** Bytes of queue and batch. */
  #held = 0;
  /** A chunk that has been written, to be filled again. */
  #spare: Buffer | undefined;
  /** The timer is set: to write what is gathered, or to try a batch again. */
  #armed = false;
  /** A write is under way in another thread. */
  #busy = false;
  /** How much of the batch that write has in hand. */
  #inHand = 0;
  #retryMs = FIRST_RETRY_MS;
  #failing = false;
  #failedAt = -Infinity;
  #dropped = 0;
  #droppedAt = -Infinity;

  constructor({ destination, log, now, setTimer, sleep }: WriterOptions) {
    this.#destination = destination;
    this.#log = log;
    this.#now = now ?? (() => performance.now());
    // Unreferenced: a worker that has nothing else to do may go, and flushes then.
    this.#setTimer = setTimer ?? ((call, ms) => void setTimeout(call, ms).unref());
    this.#sleep = sleep ?? block;
  }

  /** A line, with its end, as a byte string. */
  add(line: string): void {
    const recent = this.#recent + line;
    if (this.#held + this.#filled + recent.length > LIMIT_BYTES) return this.#drop();
    this.#recent = recent;
    if (!this.#armed) this.#arm(GATHER_MS);
    if (recent.length >= RECENT_BYTES) this.#settle();
  }

  reopen(): void {
    this.#destination.reopen((error) => {
      if (error !== null && this.#failing) this.#report(error);
      else if (error !== null) this.#log('log.reopen-failed', { file: this.#destination.name, error: error.code ?? error.message });
    });
  }

  /** What is gathered need not wait for more. Waits for nobody itself. */
  writeOut(): void {
    if (!this.#busy) this.#write();
  }

  /** Everything, now. A reader is waited for for FLUSH_MS, and not beyond `until`, which is monotonic. */
  flush(until = Infinity): void {
    this.#toBytes();
    // What another thread has in hand, libuv will finish.
    const batch = this.#busy ? this.#batch?.subarray(this.#inHand) : this.#batch;
    let rest = Buffer.concat([...(batch === undefined ? [] : [batch]), ...this.#queue.splice(0), this.#chunk.subarray(0, this.#filled)]);
    this.#batch = undefined;
    this.#held = this.#filled = 0;
    const last = Math.min(this.#now() + FLUSH_MS, until);
    try {
      while (rest.length > 0) {
        try {
          rest = rest.subarray(this.#destination.writeSync(this.#piece(rest)));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || this.#now() >= last) throw error;
          this.#sleep(FLUSH_SLEEP_MS);
        }
      }
    } catch (error) {
      this.#report(error as NodeJS.ErrnoException);
      this.#dropped += linesIn(rest);
    }
    if (this.#dropped > 0) this.#reportDropped();
  }

  /** The recent lines are many. */
  #settle(): void {
    this.#toBytes();
    if (this.#filled >= BATCH_BYTES && this.#batch === undefined) this.#write();
  }

  #toBytes(): void {
    const text = this.#recent;
    if (text === '') return;
    this.#recent = '';
    if (text.length > this.#chunk.length - this.#filled) {
      this.#enqueue();
      this.#chunk = this.#spare ?? Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, text.length));
      this.#spare = undefined;
    }
    this.#filled += this.#chunk.write(text, this.#filled, 'latin1');
  }

  /** The chunk, as far as it is filled, goes to the queue. */
  #enqueue(): void {
    if (this.#filled === 0) return;
    this.#queue.push(this.#chunk.subarray(0, this.#filled));
    this.#held += this.#filled;
    this.#chunk = Buffer.alloc(0);
    this.#filled = 0;
  }

  #arm(ms: number): void {
    this.#armed = true;
    this.#setTimer(this.#onTimer, ms);
  }

  readonly #onTimer = (): void => {
    this.#armed = false;
    if (!this.#busy) this.#write();
  };

  /** What is to be written next. */
  #next(): Buffer | undefined {
    if (this.#batch === undefined && this.#queue.length === 0) {
      this.#toBytes();
      this.#enqueue();
    }
    return (this.#batch ??= this.#queue.shift());
  }

  /** Write all that is gathered, oldest first, as far as it goes without waiting. */
  #write(): void {
    for (let batch = this.#next(); batch !== undefined; batch = this.#next()) {
      const piece = this.#piece(batch);
      let written;
      try {
        written = this.#destination.write(piece, this.#onWritten);
      } catch (error) {
        return this.#failed(error as NodeJS.ErrnoException);
      }
      if (written === 'later') {
        this.#busy = true;
        this.#inHand = piece.length;
        return;
      }
      this.#advance(written);
    }
  }

  readonly #onWritten = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    this.#busy = false;
    // Flushed meanwhile.
    if (this.#batch === undefined) return;
    if (error !== null) return this.#failed(error);
    this.#advance(bytes);
    // The timer may have come and gone meanwhile.
    if (this.#held > 0 || this.#filled >= BATCH_BYTES || (this.#filled + this.#recent.length > 0 && !this.#armed)) this.#write();
  };

  #advance(bytes: number): void {
    const batch = this.#batch!;
    this.#held -= bytes;
    this.#batch = bytes < batch.length ? batch.subarray(bytes) : undefined;
    if (this.#batch === undefined && batch.buffer.byteLength === CHUNK_BYTES) this.#spare = Buffer.from(batch.buffer);
    this.#retryMs = FIRST_RETRY_MS;
    if (this.#failing) {
      this.#failing = false;
      this.#log('access-log.recovered', { file: this.#destination.name });
    }
    if (this.#dropped > 0 && this.#held === 0) this.#reportDropped();
  }

  /** The batch stays. */
  #failed(error: NodeJS.ErrnoException): void {
    if (error.code === 'EAGAIN') {
      this.#retry(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
    } else {
      this.#report(error);
      this.#retry(LAST_RETRY_MS);
    }
  }

  #retry(ms: number): void {
    if (!this.#armed) this.#arm(ms);
  }

  #report(error: NodeJS.ErrnoException): void {
    this.#failing = true;
    const now = this.#now();
    if (now - this.#failedAt < REPORT_EVERY_MS) return;
    this.#failedAt = now;
    this.#log('access-log.failed', { file: this.#destination.name, error: error.code ?? error.message });
  }

  #drop(): void {
    this.#dropped += 1;
    // Nothing may be under way that would ever call.
    if (!this.#armed && !this.#busy) this.#arm(GATHER_MS);
    if (this.#now() - this.#droppedAt >= REPORT_EVERY_MS) this.#reportDropped();
  }

  #reportDropped(): void {
    this.#droppedAt = this.#now();
    this.#log('access-log.dropped', { file: this.#destination.name, lines: this.#dropped });
    this.#dropped = 0;
  }

  /** As many whole lines as one write may take; of a line that is longer than that, a part. */
  #piece(bytes: Buffer): Buffer {
    const { atomicBytes } = this.#destination;
    if (bytes.length <= atomicBytes) return bytes;
    const end = bytes.lastIndexOf(NEWLINE, atomicBytes - 1) + 1;
    return bytes.subarray(0, end === 0 ? atomicBytes : end);
  }
}

const NEWLINE = 10;

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (const byte of bytes) if (byte === NEWLINE) lines++;
  return lines;
}

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
