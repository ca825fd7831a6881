/**
 * Lets something be told once per key and period: what comes in between is counted, and told together when the period is over. For log events that
 * clients can cause. Without a clock of its own: a timer is handed in. In the worker.
 *
 * Rank 2.
 */
export interface RateLimitOptions<Fields> {
  /** `count`: how often it has happened since it was last told for this key. */
  tell: (fields: Fields, count: number) => void;
  /** Ten seconds. */
  periodMs?: number;
  /** Keys that are kept apart at a time, 100; the rest share one. */
  keys?: number;
  /** setTimeout, unreferenced. */
  after?: (ms: number, run: () => void) => void;
}

export class RateLimit<Fields> {
  readonly #options: Required<RateLimitOptions<Fields>>;
  /** Keys whose period runs, with what is still to be told. */
  readonly #running = new Map<string, { count: number; fields: Fields }>();

  constructor(options: RateLimitOptions<Fields>) {
    this.#options = { periodMs: 10_000, keys: 100, after: afterUnref, ...options };
  }

  note(key: string, fields: Fields): void {
    const place = this.#running.has(key) || this.#running.size < this.#options.keys ? key : OTHERS;
    const running = this.#running.get(place);
    if (running !== undefined) {
      running.count++;
      running.fields = fields;
      return;
    }
    this.#options.tell(fields, 1);
    this.#begin(place, fields);
  }

  /** Tells what has not been told: the process is about to end. */
  flush(): void {
    for (const running of this.#running.values()) {
      if (running.count > 0) this.#options.tell(running.fields, running.count);
      running.count = 0;
    }
  }

  #begin(key: string, fields: Fields): void {
    this.#running.set(key, { count: 0, fields });
    this.#options.after(this.#options.periodMs, () => {
      const { count, fields: last } = this.#running.get(key)!;
      this.#running.delete(key);
      if (count === 0) return;
      this.#options.tell(last, count);
      this.#begin(key, last);
    });
  }
}

const OTHERS = '\0';

function afterUnref(ms: number, run: () => void): void {
  setTimeout(run, ms).unref();
}
