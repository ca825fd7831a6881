/**
 * Where the lines of drover's log go: standard error, or a file. In the master, which waits for nobody who reads its log.
 *
 * A line is written at once and synchronously. What cannot be written then (a pipe is full and its reader stands still, a disk is full) is kept up to a
 * bound and tried again by a timer; beyond the bound lines are lost, and counted. At the end of the process there is one last, bounded attempt.
 *
 * The description of standard error is shared with the workers and the app, and so are its flags. A pipe is therefore opened anew, as one that does not
 * block, and so is a terminal, which may be stopped; a socket (systemd, Node as the parent) is asked by each send(2) not to. A pipe or a terminal of another user's, and any without /proc, block who
 * writes to them.
 */
import fs from 'node:fs';
import { isatty } from 'node:tty';
import { check, native } from '../native.js';

/** Kept at most: two thousand lines or so, or the stacks of sixteen workers that die at once. */
export const LIMIT_BYTES = 512 * 1024;
/** What could not be written is tried again after this, then after twice as long… */
const FIRST_RETRY_MS = 10;
/** …up to this. */
const LAST_RETRY_MS = 1000;
/** At the end of the process who does not read is waited for so long. */
const LAST_ATTEMPT_MS = 2000;
const LAST_ATTEMPT_SLEEP_MS = 10;

/** Whoever read it: a pipe or a socket was closed, a terminal hung up. */
const GONE: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET', 'EIO']);

/** A filter of system calls may refuse send(2) and let write(2) pass, which blocks. */
const FILTERED: ReadonlySet<string | undefined> = new Set(['EPERM', 'EACCES', 'ENOSYS']);

const { O_NONBLOCK, O_NOCTTY, O_RDWR, O_WRONLY } = fs.constants;

export class LogDestination {
  /** null: standard error. */
  readonly #file: string | null;
  /** Tells how many lines were lost, by a line of its own. */
  readonly #tellLost: (lines: number) => void;
  #fd: number;
  /** Written to by send(2), where that is permitted. */
  #isSocket: boolean;
  /** Lines that wait, oldest first. */
  readonly #kept: Buffer[] = [];
  /** How much of the first is written. */
  #begun = 0;
  #keptBytes = 0;
  /** Lost since it was last told. Until it is told again, all lines are: so it stands in the log where they are missing. */
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;

  /** Throws the system's error. */
  constructor(file: string | null, tellLost: (lines: number) => void) {
    this.#file = file;
    this.#tellLost = tellLost;
    this.#fd = file === null ? openStderr() : openFile(file);
    this.#isSocket = fs.fstatSync(this.#fd).isSocket();
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    const written = this.#kept.length === 0 && this.#lost === 0 ? this.#write(bytes) : 0;
    if (written < bytes.length) this.#keep(bytes, written);
  }

  /** Go on in a file of the same name. Throws the system's error; the old one then stays in use. */
  reopen(): void {
    if (this.#file === null) return;
    const fd = openFile(this.#file);
    const [before, after] = [fs.fstatSync(this.#fd), fs.fstatSync(fd)];
    fs.closeSync(this.#fd);
    this.#fd = fd;
    // Only another file has not got the beginning.
    if (before.dev !== after.dev || before.ino !== after.ino) this.#begun = 0;
    this.#writeKept();
  }

  /** How many of these bytes were written: all of them also when nobody will ever read them. */
  #write(bytes: Buffer): number {
    try {
      return this.#isSocket ? check('send', native.sendNow(this.#fd, bytes)) : fs.writeSync(this.#fd, bytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (this.#isSocket && FILTERED.has(code)) {
        this.#isSocket = false;
        return this.#write(bytes);
      }
      if (this.#file === null && GONE.has(code)) return bytes.length;
      // A FIFO may have a reader again, who has not seen how the line began.
      if (code === 'EPIPE') this.#begun = 0;
      return 0;
    }
  }

  /** `written`: how much of it; a line that is begun must not be lost. */
  #keep(bytes: Buffer, written: number): void {
    const hasRoom = (): boolean => this.#keptBytes + bytes.length <= LIMIT_BYTES;
    // Whoever reads may only have been slower than a burst of lines.
    if (written === 0 && this.#lost === 0 && !hasRoom()) this.#writeKept();
    if (written > 0 || (this.#lost === 0 && hasRoom())) {
      if (written > 0) this.#begun = written;
      this.#kept.push(bytes);
      this.#keptBytes += bytes.length;
    } else this.#lost += 1;
    if (this.#timer === undefined) this.#arm(FIRST_RETRY_MS);
  }

  #arm(ms: number): void {
    if (this.#timer === undefined) process.on('exit', this.#onExit);
    this.#retryMs = ms;
    this.#timer = setTimeout(this.#onTimer, ms).unref();
  }

  readonly #onTimer = (): void => {
    const before = this.#left();
    this.#writeKept();
    if (this.#kept.length > 0) return this.#arm(this.#left() < before ? FIRST_RETRY_MS : Math.min(this.#retryMs * 2, LAST_RETRY_MS));
    this.#timer = undefined;
    process.off('exit', this.#onExit);
  };

  #left(): number {
    return this.#keptBytes - this.#begun;
  }

  /** As far as it goes. */
  #writeKept(): void {
    for (let line = this.#kept[0]; line !== undefined; line = this.#kept[0]) {
      const written = this.#write(line.subarray(this.#begun));
      this.#begun += written;
      if (this.#begun < line.length) break;
      this.#begun = 0;
      this.#keptBytes -= line.length;
      this.#kept.shift();
    }
    // Not at each line that finds room again.
    if (this.#lost === 0 || this.#keptBytes > LIMIT_BYTES / 2) return;
    const lines = this.#lost;
    this.#lost = 0;
    this.#tellLost(lines);
  }

  readonly #onExit = (): void => {
    const until = performance.now() + LAST_ATTEMPT_MS;
    for (this.#writeKept(); this.#kept.length > 0 && performance.now() < until; this.#writeKept()) block(LAST_ATTEMPT_SLEEP_MS);
  };
}

function openStderr(): number {
  try {
    if (fs.fstatSync(2).isFIFO() || isatty(2)) return fs.openSync('/proc/self/fd/2', O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // Nobody reads it any more, it belongs to another user, or there is no /proc.
  }
  return 2;
}

function openFile(file: string): number {
  if (fs.statSync(file, { throwIfNoEntry: false })?.isFIFO() !== true) return fs.openSync(file, 'a');
  try {
    return fs.openSync(file, O_WRONLY | O_NONBLOCK);
  } catch (error) {
    // Nobody reads it yet. Open for reading as well it takes what there is room for.
    if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    return fs.openSync(file, O_RDWR | O_NONBLOCK);
  }
}

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
