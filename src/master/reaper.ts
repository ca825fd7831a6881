/**
 * The verb *reap the dead*: finds out what a worker died of, logs it once, and frees its place; reaps adopted processes. Runs in the master.
 *
 * Processes that drover spawned are reaped by libuv, and taking them away from it would lose their exit. So what PID 1 (or a subreaper) adopts
 * is reaped by id, and only when it is still a zombie a moment after libuv has had its turn.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { inflightFields } from '../ipc/inflight.js';
import { native } from '../native.js';
import { bootErrorCode, bootFailure } from './boot-failure.js';
import type { Context } from './context.js';
import { explainDeath, type Death, type Evidence } from './death.js';
import { MemoryKills } from './memory-kills.js';
import type { Pool } from './pool.js';
import type { WorkerHandle } from './worker-handle.js';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export type Buried = Death & { phase: Evidence['phase'] };

/** Zombies that are still there after this long are not libuv's. */
export const ADOPTED_MS = 200;

export class Reaper {
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #memory = new MemoryKills();
  #zombies = new Set<number>();

  constructor(context: Context, pool: Pool) {
    this.#context = context;
    this.#pool = pool;
  }

  /** See MemoryKills. */
  locate(worker: WorkerHandle, now: number): void {
    this.#memory.locate(worker, now);
  }

  locateAll(now: number): void {
    this.#memory.locateAll(this.#pool.workers, now);
  }

  /** A worker's process has ended: explain it, log it, free its row. */
  bury(worker: WorkerHandle, exit: Exit, now: number): Buried {
    const phase = worker.state === 'gone' ? 'draining' : worker.state;
    const death = explainDeath({
      code: exit.code,
      signal: exit.signal,
      phase,
      asked: worker.asked,
      killed: worker.killed,
      spawnFailure: worker.spawnFailure,
      begun: this.#context.board.hasBegun(worker.row),
      nodeArgs: worker.loaded.config.nodeArgs,
      nodeOptions: worker.nodeOptions,
      bootFailed: worker.bootFailed,
      fatal: worker.fatal,
      heap: worker.pid === 0 ? undefined : this.#context.reports.take(worker.pid, worker.reportFd),
      cgroup: this.#memory.evidence(worker, exit.signal, now),
    });
    const fields = {
      slot: worker.slot,
      worker: worker.pid,
      generation: worker.generation,
      kind: death.kind,
      cause: death.cause,
      code: exit.code,
      signal: exit.signal,
      ...(death.stack === undefined ? {} : { stack: death.stack }),
      ...inflightFields(this.#context.inflight, worker.row),
    };
    if (death.expected) this.#context.log.emit('worker.exited', fields);
    else if (phase !== 'starting') this.#context.log.emit('worker.died', fields);
    else if (this.#pool.started || worker.generation > this.#pool.generation) this.#context.log.emit('worker.boot-failed', { ...fields, code: bootErrorCode(worker), exitCode: exit.code, ...whyNoBoot(worker, death) });
    this.#pool.remove(worker);
    return { ...death, phase };
  }

  /** Reap the zombies that were there ADOPTED_MS ago too. Answers whether to look again after that time. */
  reapAdopted(): boolean {
    const spawned = new Set([...this.#pool.workers].map((worker) => worker.pid));
    const now = new Set(zombieChildren().filter((pid) => !spawned.has(pid)));
    for (const pid of now) {
      if (!this.#zombies.has(pid)) continue;
      now.delete(pid);
      if (native.reap(pid) > 0) this.#context.log.emit('child.reaped', { pid });
    }
    this.#zombies = now;
    return now.size > 0;
  }
}

/** The remedy is what a first start would end with. That of a process that cannot be started is a part of the sentence. */
function whyNoBoot(worker: WorkerHandle, death: Death): { message: string; remedy?: string } {
  const { remedy } = worker.spawnFailure ?? bootFailure(worker, death);
  const { cause: message } = death;
  if (remedy === undefined) return { message };
  return worker.spawnFailure === undefined ? { message, remedy } : { message: `${message}: ${remedy}` };
}

/** Our children that are zombies. */
function zombieChildren(): number[] {
  const children = listChildren() ?? (process.pid === 1 ? listProcesses() : []);
  return children.filter((pid) => {
    const [state, parent] = stateOf(pid);
    return state === 'Z' && parent === process.pid;
  });
}

/** From the kernel's own list (CONFIG_PROC_CHILDREN, as distributions have it); undefined without it. */
function listChildren(): number[] | undefined {
  try {
    return readdirSync('/proc/self/task').flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
  } catch {
    return undefined;
  }
}

function listProcesses(): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
}

function stateOf(pid: number): [state: string, parent: number] {
  try {
    // pid (comm) state ppid …; comm may hold anything, so count from its last parenthesis.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [state, Number(parent)];
  } catch {
    return ['', 0];
  }
}
