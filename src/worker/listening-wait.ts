/** Waiting for the app to listen, or for the loop to have nothing left that could make it. In the worker, while it boots. */

/** How long an app that has loaded may take to listen before that is worth a word. */
const LONG_MS = 5_000;

export class ListeningWait {
  readonly now: () => boolean;
  readonly #onLong: (why: string) => void;
  #wake: ((why: 'listening' | 'idle') => void) | undefined;

  /** `now`: whether a server of the app listens. `onLong`: to say so, when an app that something keeps alive would else be a minute of silence. */
  constructor(now: () => boolean, onLong: (why: string) => void) {
    this.now = now;
    this.#onLong = onLong;
  }

  /** A server may listen by now, or the loop has run empty. Whether anybody waits for it. */
  wake(why: 'listening' | 'idle'): boolean {
    if (this.#wake === undefined) return false;
    this.#wake(why);
    return true;
  }

  /** True once a server listens; false when the loop has run empty, and so none ever will by itself. `why`: for `onLong`. */
  async untilListensOrIdle(why: string): Promise<boolean> {
    const timer = setTimeout(() => this.#onLong(why), LONG_MS);
    timer.unref();
    let isIdle = false;
    while (!this.now() && !isIdle) {
      isIdle = (await new Promise<'listening' | 'idle'>((resolve) => (this.#wake = resolve))) === 'idle';
      this.#wake = undefined;
    }
    clearTimeout(timer);
    return this.now();
  }
}
