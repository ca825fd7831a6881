/**
 * --boot-timeout as a worker sees it: shortly before it is over the worker ends by itself. It knows what is waited for, while the master's KILL could only tell that it took too
 * long. In the worker.
 */
import { DroverError } from '../errors.js';

/** Who comes so much later than it had wanted to has been away. */
const AWAY_MS = 1_000;

export class BootTime {
  readonly #timeoutMs: number;
  readonly #fail: (error: DroverError) => void;

  /** Times are of performance.now(): since the process began. */
  constructor(timeoutMs: number, fail: (error: DroverError) => void) {
    this.#timeoutMs = timeoutMs;
    this.#fail = fail;
  }

  /** `why` is asked then; undefined: it goes on. Answers what calls it off. */
  shortlyBeforeEnd(why: () => DroverError | undefined): () => void {
    const leftMs = this.#timeoutMs - this.#momentMs - performance.now();
    let due = performance.now() + leftMs;
    const timer = setTimeout(() => {
      // Stopped meanwhile (SIGSTOP, a frozen container): what it waits for may be there, unread.
      if (performance.now() - due > AWAY_MS) {
        due = Infinity;
        timer.refresh();
        return;
      }
      const error = why();
      if (error !== undefined) this.#fail(error);
    }, leftMs).unref();
    return () => clearTimeout(timer);
  }

  /** Waits for `done`, which is no doing of the app's. `name`: what it is, for people. */
  async bound(done: Promise<void>, name: () => string | undefined): Promise<void> {
    // What begins so late shall not be blamed for it.
    if (performance.now() > this.#timeoutMs - 2 * this.#momentMs) return done;
    const stop = this.shortlyBeforeEnd(() => new DroverError('ERR_DROVER_BOOT_TIMEOUT', `${name()} was not done within ${this.#timeoutMs} ms (--boot-timeout)`, 'It is not the app: look for what that waits for in a worker, or raise --boot-timeout.'));
    try {
      await done;
    } finally {
      stop();
    }
  }

  /** So long before the end. */
  get #momentMs(): number {
    return Math.min(Math.max(this.#timeoutMs / 10, 250), 2_000);
  }
}
