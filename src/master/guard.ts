/**
 * The verb *kill the stuck*: deadlines (boot, grace, quit, abort) and event loops that stand still. Runs in the master.
 *
 * A worker that is stuck is first asked for its JavaScript stack, which takes a moment and must not hold the loop: the answer comes back as an
 * event, and then it is ABRT, a moment, KILL.
 */
import { inflightFields } from '../ipc/inflight.js';
import type { CallHook, Context } from './context.js';
import { prolong } from './deadline.js';
import { killLate } from './late-boot.js';
import type { Pool } from './pool.js';
import { isStopped, stackOf, type Stack } from './stack.js';
import { periodMs, Watchdog } from './watchdog.js';
import { ABORT_MS, QUIT_MS, type WorkerHandle } from './worker-handle.js';

/** A timer of node's is set by the time at which its loop's turn began, and so fires too early by what the turn has taken: near enough, or it would fire twice. */
const NEAR_MS = 20;

export class Guard {
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #hook: CallHook;
  readonly #interrogated: (worker: WorkerHandle, stuckMs: number, stack: Stack) => void;
  #lookedAt = 0;
  #ranAt = 0;

  constructor(context: Context, pool: Pool, hook: CallHook, interrogated: (worker: WorkerHandle, stuckMs: number, stack: Stack) => void) {
    this.#context = context;
    this.#pool = pool;
    this.#hook = hook;
    this.#interrogated = interrogated;
  }

  /** A worker has booted: from here on its loop is watched. */
  watch(worker: WorkerHandle, now: number): void {
    worker.deadline = undefined;
    const { timeoutMs } = worker.loaded.config;
    if (timeoutMs > 0) worker.watchdog = new Watchdog(timeoutMs, now);
  }

  killStuck(now: number): void {
    for (const worker of this.#pool.workers) {
      if (worker.deadline === undefined || worker.deadline.at > now) continue;
      const longer = prolong(worker.deadline, this.#ranAt, now);
      if (longer === undefined) this.#enforce(worker, now);
      else worker.deadline = longer;
    }
    this.#ranAt = now;
    if (now < this.#nextLook() - NEAR_MS) return;
    this.#lookedAt = now;
    for (const worker of this.#pool.workers) {
      this.#tellIfStopped(worker);
      this.#look(worker, now);
    }
    this.#context.heartbeats.read();
  }

  /** Whether the watchdog has looked in this very turn. */
  lookedAt(now: number): boolean {
    return this.#lookedAt === now;
  }

  #enforce(worker: WorkerHandle, now: number): void {
    const deadline = worker.deadline!;
    worker.deadline = undefined;
    // With a short grace it has not been looked at before.
    this.#tellIfStopped(worker);
    const { board, inflight, log } = this.#context;
    const { config } = this.#pool.loaded;
    switch (deadline.then) {
      case 'boot-timeout':
        return killLate(worker, board.hasBegun(worker.row));
      case 'grace':
        log.emit('worker.grace-exceeded', {
          slot: worker.slot,
          worker: worker.pid,
          graceMs: config.gracefulTimeoutMs,
          connections: board.get(worker.row, 'connections'),
          ...inflightFields(inflight, worker.row),
        });
        return worker.kill('SIGKILL', 'grace', `it had not finished within ${config.gracefulTimeoutMs} ms (--graceful-timeout)`);
      case 'quit':
        return worker.kill('SIGKILL', 'quick-stop', `it had not exited ${QUIT_MS} ms after it was told to quit`);
      case 'abort':
        worker.deadline = { at: now + ABORT_MS, then: 'abort' }; // a process in uninterruptible sleep dies when that ends
        return worker.kill('SIGKILL', 'stuck', worker.killed?.detail ?? '');
    }
  }

  /** It can neither serve nor go, and from nothing else in the log would one see why. */
  #tellIfStopped(worker: WorkerHandle): void {
    const stopped = worker.pid !== 0 && isStopped(worker.pid);
    if (stopped && !worker.stopped) this.#context.log.emit('worker.stopped', { slot: worker.slot, worker: worker.pid });
    worker.stopped = stopped;
  }

  #look(worker: WorkerHandle, now: number): void {
    const { watchdog, heartbeat } = worker;
    if (watchdog === undefined || worker.interrogated) return;
    const { board, heartbeats, log } = this.#context;
    const verdict = watchdog.look({ now, turns: board.get(worker.row, 'loopTurns'), beat: heartbeat?.beat });
    switch (verdict.is) {
      case 'ok':
        return;
      case 'disk-stalled':
        return log.emit('heartbeat.disk-stalled', { slot: worker.slot, worker: worker.pid, stalledMs: verdict.stalledMs, dir: heartbeats.dir });
      case 'disk-recovered':
        return log.emit('heartbeat.disk-recovered', { slot: worker.slot, worker: worker.pid });
      case 'stuck':
        worker.interrogated = true;
        void stackOf(worker.pid).then((stack) => this.#interrogated(worker, verdict.stuckMs, stack));
    }
  }

  /** The answer of stackOf has come: log it, then kill. */
  async abort(worker: WorkerHandle, stuckMs: number, answer: Stack, now: number): Promise<void> {
    if (worker.state === 'gone') return;
    this.#context.log.emit('worker.timeout', { slot: worker.slot, worker: worker.pid, stuckMs, ...answer });
    worker.deadline = { at: now + ABORT_MS, then: 'abort' };
    const hook = this.#hook('workerAbort', worker.info, { stack: 'stack' in answer ? answer.stack : null });
    worker.kill('SIGABRT', 'stuck', `its event loop had not turned for ${stuckMs} ms (--timeout)`);
    await hook;
  }

  #nextLook(): number {
    // Those that boot too: they may be stopped.
    const periods = [...this.#pool.workers].filter((worker) => worker.pid !== 0 && !worker.interrogated).map((worker) => periodMs(worker.loaded.config.timeoutMs));
    return periods.length === 0 ? Infinity : this.#lookedAt + Math.min(...periods);
  }

  /** When killStuck() will want to be called again without any event. */
  nextWake(): number {
    return Math.min(this.#nextLook(), ...[...this.#pool.workers].map((worker) => worker.deadline?.at ?? Infinity));
  }
}
