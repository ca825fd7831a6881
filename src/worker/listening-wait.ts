/** Waiting for the app to listen, or for the loop to have nothing left that could make it. In the worker, while it boots. */

/** How long an app that has loaded may take to listen before that is worth a word. */
const LONG_MS = 5_000;

/** Runs something later; answers what cancels it. */
type After = (ms: number, run: () => void) => () => void;

export class ListeningWait {
  readonly now: () => boolean;
  readonly #onLong: (why: string) => void;
  readonly #after: After;
  #saidLong = false;
  #wake: ((why: 'listening' | 'idle') => void) | undefined;

  /** `now`: whether a server of the app listens. `onLong`: to say so, when an app that something keeps alive would else be a minute of silence. */
  constructor(now: () => boolean, onLong: (why: string) => void, after: After = afterUnref) {
    this.now = now;
    this.#onLong = onLong;
    this.#after = after;
  }

  /** A server may listen by now, or the loop has run empty. Whether anybody waits for it. */
  wake(why: 'listening' | 'idle'): boolean {
    if (this.#wake === undefined) return false;
    this.#wake(why);
    return true;
  }

  /** True once a server listens; false when the loop has run empty, and so none ever will by itself. `why`: for `onLong`. */
  async untilListensOrIdle(why: string): Promise<boolean> {
    const cancel = this.#after(LONG_MS, () => {
      // An app may be waited for twice: whether it listens by itself, and then for what it exports.
      if (!this.#saidLong) this.#onLong(why);
      this.#saidLong = true;
    });
    let isIdle = false;
    while (!this.now() && !isIdle) {
      isIdle = (await new Promise<'listening' | 'idle'>((resolve) => (this.#wake = resolve))) === 'idle';
      this.#wake = undefined;
    }
    cancel();
    return this.now();
  }
}

function afterUnref(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
