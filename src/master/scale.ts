/**
 * How many workers there shall be: TTIN, TTOU, WINCH and what a reload makes of --workers. Runs in the master; pool.ts does the rest.
 */
import { MAX_WORKERS } from '../config/options.js';
import type { CallHook, Context } from './context.js';
import type { Pool } from './pool.js';

export class Scale {
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #hook: CallHook;
  /** The count to come back to after WINCH. */
  #retired: number | undefined;

  constructor(context: Context, pool: Pool, hook: CallHook) {
    this.#context = context;
    this.#pool = pool;
    this.#hook = hook;
  }

  /** Why there is nothing to do; undefined: there is. */
  refuses(action: 'more' | 'fewer' | 'retire'): string | undefined {
    const count = this.#pool.rollout?.target ?? this.#pool.target;
    if (action === 'retire') return this.#retired === undefined ? undefined : 'ignored: the workers are retired already';
    if (action === 'more') return this.#retired === undefined && count >= MAX_WORKERS ? `ignored: more than ${MAX_WORKERS} workers there can't be` : undefined;
    if (this.#retired !== undefined) return 'ignored: the workers are retired';
    return count <= 1 ? 'ignored: the last worker stays' : undefined;
  }

  /** What `more` does where it is not one more. */
  get saysMore(): string | undefined {
    return this.#retired === undefined ? undefined : 'bring all workers back';
  }

  more(): void {
    this.#pool.forgive();
    if (!this.back()) this.#change((count) => Math.min(count + 1, MAX_WORKERS));
  }

  fewer(): void {
    this.#change((count) => Math.max(count - 1, 1));
  }

  /** WINCH: no workers, but the sockets stay. */
  retire(): void {
    this.#retired = this.#pool.rollout?.target ?? this.#pool.target;
    this.#change(() => 0);
  }

  /** Undo retire(). False when there was nothing to undo. */
  back(): boolean {
    if (this.#retired === undefined) return false;
    const count = this.#retired;
    this.#retired = undefined;
    this.#change(() => count);
    return true;
  }

  /** A reload has finished with this count. */
  settle(target: number): void {
    const from = this.#pool.target;
    this.#pool.target = target;
    if (from !== target) this.announce(from);
  }

  /** Tell that the count asked for is another now; null at start. */
  announce(from: number | null): void {
    const to = this.#pool.target;
    if (from !== null) this.#context.log.emit('workers.changed', { from, to });
    void this.#hook('nworkersChanged', to, from);
  }

  #change(next: (count: number) => number): void {
    const { rollout, target } = this.#pool;
    if (rollout !== undefined) rollout.target = next(rollout.target);
    this.#pool.target = next(target);
    if (this.#pool.target !== target) this.announce(target);
  }
}
