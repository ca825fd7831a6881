/**
 * The workers there are, and the verb *restore the count*: which slots lack a worker, which get a successor, who is one too many.
 * Runs in the master.
 *
 * A slot is served by its newest ready worker; older ready ones of the slot drain. Reloads and recycling need no more than that
 * (reload.ts says who gets a successor, and how many at a time).
 */
import type { LoadedConfig } from '../config/load.js';
import { MAX_ROWS, State } from '../ipc/board.js';
import { clearInflight } from '../ipc/inflight.js';
import { closeFd } from '../native.js';
import type { CallHook, Context } from './context.js';
import type { Heartbeat } from './heartbeat.js';
import { successors } from './reload.js';
import { Respawn } from './respawn.js';
import { WorkerHandle, type WorkerEvents } from './worker-handle.js';

/** A reload under way. */
export interface Rollout {
  generation: number;
  loaded: LoadedConfig;
  target: number;
  startedAt: number;
  /** The slots in which a worker of this generation has taken the place of another. */
  readonly replaced: Set<number>;
}

export class Pool {
  /** In order of spawning. */
  readonly workers = new Set<WorkerHandle>();
  /** Slots 0 … target-1 are to be served. */
  target: number;
  /** The configuration in force; a reload's takes its place when the reload has finished. */
  loaded: LoadedConfig;
  generation = 1;
  rollout: Rollout | undefined;
  /** The full number of workers has been ready once: from then on boots that fail are tried again. */
  started = false;
  readonly #context: Context;
  readonly #hook: CallHook;
  /** Tells the loop that a worker may be spawned now: its hook has run, its heartbeat file is open. */
  readonly #prepared: (worker: WorkerHandle, heartbeat: Heartbeat | undefined) => void;
  readonly #respawns = new Map<number, Respawn>();
  /** When restore() was called last. */
  #restoredAt = 0;

  constructor(context: Context, loaded: LoadedConfig, hook: CallHook, prepared: (worker: WorkerHandle, heartbeat: Heartbeat | undefined) => void) {
    this.#context = context;
    this.loaded = loaded;
    this.target = loaded.config.workers;
    this.#hook = hook;
    this.#prepared = prepared;
  }

  inState(...states: WorkerHandle['state'][]): WorkerHandle[] {
    return [...this.workers].filter((worker) => states.includes(worker.state));
  }

  /** Slots that a ready worker serves. */
  servingSlots(): number[] {
    return [...new Set(this.inState('ready').map((worker) => worker.slot))].sort((a, b) => a - b);
  }

  respawn(slot: number): Respawn {
    let respawn = this.#respawns.get(slot);
    if (respawn === undefined) this.#respawns.set(slot, (respawn = new Respawn()));
    return respawn;
  }

  /** Somebody asked for workers: slots that keep dying are tried at once. */
  forgive(): void {
    this.#respawns.clear();
  }

  restore(now: number): void {
    const { rollout } = this;
    this.#restoredAt = now;
    const occupied = new Set(this.inState('starting', 'ready').map((worker) => worker.slot));
    const delayed = new Set([...this.#respawns].filter(([, respawn]) => respawn.notBefore > now).map(([slot]) => slot));

    for (let slot = 0; slot < this.target; slot += 1) if (!occupied.has(slot) && !delayed.has(slot)) this.#spawn(slot);

    const slots = Math.max(this.target, rollout?.target ?? 0);
    for (const slot of successors({
      places: [...this.workers].filter((worker) => worker.state !== 'gone') as (WorkerHandle & { state: 'starting' | 'ready' | 'draining' })[],
      // Of those that the reload takes away, none.
      target: rollout?.target ?? this.target,
      generation: rollout?.generation ?? 0,
      parallel: (rollout?.loaded ?? this.loaded).config.reloadParallel,
      delayed,
    })) this.#spawn(slot);

    for (const worker of this.workers) {
      const successor = worker.state === 'ready' ? this.#successorOf(worker) : undefined;
      if (worker.slot >= slots) this.retire(worker, slots === 0 ? 'all workers are retired' : 'there are fewer workers now', now);
      else if (successor !== undefined) {
        if (successor.generation === rollout?.generation) rollout.replaced.add(worker.slot);
        this.retire(worker, worker.recycle ? 'its successor is ready' : 'reloaded', now, this.#context.listeners.notTakenOver(worker.row));
      }
    }
  }

  #successorOf(worker: WorkerHandle): WorkerHandle | undefined {
    const newest = this.inState('ready').filter((other) => other.slot === worker.slot).at(-1);
    return newest === worker ? undefined : newest;
  }

  /** Let a worker go that is not needed any more. `close`: where nobody of its slot listens after it; `all`: nobody serves at all. */
  retire(worker: WorkerHandle, reason: string, now: number, close: 'all' | string[] = []): void {
    if (worker.killed !== undefined) return;
    if (worker.asked) return close === 'all' ? worker.drainAlone(reason, now) : undefined;
    // It may have accepted connections as soon as it listens.
    if (worker.state === 'starting' && worker.listensAt === undefined) return this.dismiss(worker, reason, now);
    const graceMs = this.loaded.config.gracefulTimeoutMs;
    worker.drain({ graceMs, close, reason }, now);
    this.#context.log.emit('worker.draining', { slot: worker.slot, worker: worker.pid, reason });
  }

  /** Let a worker go at once, without finishing anything. One whose process does not exist yet never gets one. */
  dismiss(worker: WorkerHandle, reason: string, now: number): void {
    if (worker.pid === 0 && worker.spawnedAt === 0) this.remove(worker);
    else worker.quit(reason, now);
  }

  #spawn(slot: number): void {
    const row = this.#freeRow();
    if (row === undefined) return; // tried again when a worker that drains is gone
    const { generation, loaded } = this.rollout ?? this;
    const worker = new WorkerHandle({ slot, row, generation }, loaded);
    this.workers.add(worker);
    const { board, inflight, heartbeats } = this.#context;
    board.clear(row);
    clearInflight(inflight, row);
    board.set(row, 'generation', generation);
    board.set(row, 'slot', slot);
    board.set(row, 'state', State.starting);
    // Both may take time (an async hook, a slow disk), and the loop waits for neither.
    void this.#hook('preSpawn', worker.info)
      .then(() => (loaded.config.timeoutMs === 0 ? undefined : heartbeats.open()))
      .then((heartbeat) => this.#prepared(worker, heartbeat));
  }

  /** The second half of spawning. */
  start(worker: WorkerHandle, heartbeat: Heartbeat | undefined, events: WorkerEvents, now: number): void {
    const { log, board, boardFd, inflightFd, heartbeats, reports, bells, ticketKeys, compiledCode } = this.#context;
    if (!this.workers.has(worker)) {
      if (heartbeat !== undefined) heartbeats.close(heartbeat);
      return;
    }
    worker.spawn({ loaded: worker.loaded, reportFd: reports.open(), reportDir: reports.dir, boardFd, inflightFd, heartbeat, ticketKeys: ticketKeys.keys, compiledCode, wake: bells?.forWorker(worker.row) }, events, now);
    worker.deadline = { at: now + worker.loaded.config.bootTimeoutMs, then: 'boot-timeout' };
    // It could not be started: its exit follows, and says why.
    if (worker.pid === 0) return;
    board.set(worker.row, 'pid', worker.pid);
    log.emit('worker.spawned', { slot: worker.slot, worker: worker.pid, generation: worker.generation });
  }

  #freeRow(): number | undefined {
    const taken = new Set([...this.workers].map((worker) => worker.row));
    // The last one stays free: steering could not tell its owner from nobody (native/steer_least.cc).
    for (let row = 0; row < MAX_ROWS - 1; row += 1) if (!taken.has(row)) return row;
    return undefined;
  }

  /** The worker is gone, and its row is free. */
  remove(worker: WorkerHandle): void {
    this.workers.delete(worker);
    this.#context.listeners.forget(worker.row);
    worker.state = 'gone';
    this.#context.board.clear(worker.row);
    if (worker.heartbeat !== undefined) this.#context.heartbeats.close(worker.heartbeat);
    if (worker.reportFd !== undefined) closeFd(worker.reportFd);
  }

  /** When restore() will want to be called again without any event: a pause between deaths ends, or has ended since it was called. */
  nextWake(): number {
    const waits = [...this.#respawns.values()].map((respawn) => respawn.notBefore).filter((at) => at > this.#restoredAt);
    return Math.min(...waits);
  }
}
