/**
 * Reloads: from HUP to the last successor, or to the failure that leaves the old workers serving. Runs in the master.
 *
 * Read the config → onReload hook → successors boot beside the old workers, --reload-parallel at a time (pool.ts) → finished. A second HUP
 * meanwhile is remembered, once, and done after.
 */
import type { LoadedConfig } from '../config/load.js';
import { changedOptions, reloadable } from '../config/reload.js';
import { kebab } from '../config/options.js';
import { DroverError } from '../errors.js';
import { bootErrorCode, reloadRemedy } from './boot-failure.js';
import { warnOfExpiry } from './certificates.js';
import type { Context } from './context.js';
import type { MasterEvent } from './events.js';
import type { Pool } from './pool.js';
import type { Buried, Exit } from './reaper.js';
import { isFinished, targetAfter, whoServes } from './reload.js';
import type { Scale } from './scale.js';
import type { WorkerHandle } from './worker-handle.js';

/** A worker that has been ready for so long has shown that it can serve. */
const FRESH_MS = 10_000;

export class Rollouts {
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #scale: Scale;
  readonly #onReload: (next: LoadedConfig) => Promise<void>;
  readonly #reload: () => Promise<LoadedConfig>;
  readonly #post: (event: MasterEvent) => void;
  /** From HUP until it is finished or has failed. */
  #busy = false;
  /** A HUP came while busy. */
  #again = false;
  #next: LoadedConfig | undefined;
  #lastGeneration = 1;
  /** When addresses that the app of the last reload does without are closed. */
  #closeUnservedAt = Infinity;

  constructor(context: Context, pool: Pool, scale: Scale, onReload: (next: LoadedConfig) => Promise<void>, reload: () => Promise<LoadedConfig>, post: (event: MasterEvent) => void) {
    this.#context = context;
    this.#pool = pool;
    this.#scale = scale;
    this.#onReload = onReload;
    this.#reload = reload;
    this.#post = post;
  }

  /** What a HUP does now, where that is not to reload. */
  get says(): string | undefined {
    return this.#busy ? 'reload, when the one under way is over' : undefined;
  }

  /** HUP. */
  request(): void {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.#reload().then(
      (config) => this.#post({ type: 'config', config }),
      (error: unknown) => this.#post({ type: 'config', config: error instanceof Error ? error : new Error(String(error)) }),
    );
  }

  /** The config has been read again. */
  configured(config: LoadedConfig | Error): void {
    if (config instanceof Error) {
      const { message } = config;
      const why = config instanceof DroverError ? { code: config.code, remedy: reloadRemedy(config), stack: config.appStack } : { stack: config.stack };
      this.#context.log.emit('reload.failed', { stage: 'config', replaced: 0, serving: whoServes(0, this.#pool.inState('ready').length, 0), message, ...why });
      return this.#end();
    }
    for (const { name, reload } of changedOptions(this.#pool.loaded, config)) {
      if (reload === 'restart') this.#context.log.emit('reload.restart-needed', { option: `--${kebab(name)}` });
    }
    const next = reloadable(this.#pool.loaded, config);
    this.#next = next;
    warnOfExpiry(next, this.#context.log);
    void this.#onReload(next).then(() => this.#post({ type: 'roll' }));
  }

  begin(now: number): void {
    const loaded = this.#next!;
    this.#pool.forgive();
    this.#scale.back();
    const generation = (this.#lastGeneration += 1);
    const target = targetAfter(this.#pool.target, this.#pool.loaded.config.workers, loaded.config.workers);
    this.#pool.rollout = { generation, loaded, target, startedAt: now, replaced: new Set() };
    this.#context.log.emit('reload.started', { generation });
    this.#pool.restore(now);
  }

  /** After every turn: whether the reload under way is finished. */
  settle(now: number): void {
    const { rollout } = this.#pool;
    if (rollout === undefined || !isFinished(this.#pool.inState('ready') as (WorkerHandle & { state: 'ready' })[], rollout.target, rollout.generation)) return;
    // Slots that the new --workers has not are still served by old workers: they are too many from now on.
    for (const worker of this.#pool.workers) if (worker.slot >= rollout.target) this.#pool.retire(worker, 'there are fewer workers now', now);
    // "Finished" is a promise: whoever connects from now on is served by the new code.
    if (this.#pool.inState('ready', 'draining').some((worker) => worker.generation < rollout.generation && !worker.left)) return;
    this.#pool.rollout = undefined;
    this.#pool.loaded = rollout.loaded;
    this.#pool.generation = rollout.generation;
    this.#context.log.level = rollout.loaded.config.logLevel;
    this.#scale.settle(rollout.target);
    this.#pool.restore(now); // the last predecessors, and workers that are too many now
    this.#closeUnservedAt = now + rollout.loaded.config.bootTimeoutMs;
    this.#context.log.emit('reload.finished', { generation: rollout.generation, workers: rollout.target, ms: Math.round(now - rollout.startedAt) });
    this.#end();
  }

  /**
   * Closes the addresses that the old app has listened at and the new one does not: clients would connect, and wait in a queue that nobody empties. Not before --boot-timeout has
   * passed since the last worker was ready, as an app may open a second address after that, nor while a slot lacks its worker.
   */
  closeUnserved(now: number): void {
    if (now < this.nextWake()) return;
    const { target, generation, loaded, rollout } = this.#pool;
    const { bootTimeoutMs } = loaded.config;
    const ready = this.#pool.inState('ready') as (WorkerHandle & { state: 'ready' })[];
    const isWhole = rollout === undefined && isFinished(ready, target, generation);
    // One that has died meanwhile has a successor, which gets its time as well.
    const dueAt = isWhole ? Math.max(...ready.map(({ readyAt }) => readyAt!)) + bootTimeoutMs : now + bootTimeoutMs;
    if (now < dueAt) {
      this.#closeUnservedAt = dueAt;
      return;
    }
    this.#closeUnservedAt = Infinity;
    for (const address of this.#context.listeners.closeUnserved()) this.#context.log.emit('listen.closed', { address });
  }

  /** When closeUnserved() will want to be called: not while all workers are retired. */
  nextWake(): number {
    return this.#pool.target === 0 ? Infinity : this.#closeUnservedAt;
  }

  /** A successor could not boot: that ends its reload, unless another has ended it already. */
  failed(worker: WorkerHandle, death: Buried, now: number): void {
    // Its stack, and what to do about the cause, are in worker.boot-failed, just before.
    this.#fail(worker, { stage: 'boot', message: death.cause, code: bootErrorCode(worker), remedy: reloadRemedy(worker.spawnFailure) }, now);
  }

  /**
   * A successor died unasked, so many ms after it was ready. A program may listen first and find out then that it cannot run: its reload is not to go on and put the same in the
   * place of every worker. What somebody else has killed speaks for nothing, and nor does what was well for a while.
   */
  died(worker: WorkerHandle, { kind, cause }: Buried, signal: Exit['signal'], readyMs: number, now: number): void {
    if (readyMs >= FRESH_MS || (kind === 'signal' && signal === 'SIGKILL')) return;
    this.#fail(worker, { stage: 'serve', message: `worker ${worker.slot} died ${Math.round(readyMs)} ms after it was ready, ${cause}`, remedy: 'Mend that, then send HUP again.' }, now);
  }

  #fail(worker: WorkerHandle, why: { stage: 'boot' | 'serve'; message: string; code?: string; remedy?: string | undefined }, now: number): void {
    const { rollout } = this.#pool;
    if (rollout === undefined || worker.generation !== rollout.generation) return;
    this.#pool.rollout = undefined;
    const ready = this.#pool.inState('ready');
    const fresh = ready.filter((other) => other.generation === rollout.generation).length;
    const replaced = rollout.replaced.size;
    const serving = whoServes(replaced, ready.length - fresh, fresh);
    for (const other of this.#pool.inState('starting')) {
      if (other.generation === rollout.generation) this.#pool.retire(other, 'the reload it was spawned for has failed', now);
    }
    this.#context.log.emit('reload.failed', { replaced, serving, ...why });
    this.#end();
  }

  #end(): void {
    this.#busy = false;
    this.#next = undefined;
    if (!this.#again) return;
    this.#again = false;
    this.request();
  }
}
