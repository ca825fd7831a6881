/**
 * Which workers the kernel has killed for memory: keeps their cgroups and counters in sight while they live, and has the evidence when one is dead. Runs in
 * the master, and in the process of --check-config.
 */
import { Cgroups, limitAt, limitsMet, memoryLimit, oomKills, OomLedger, type MemoryCgroup, type MemoryLimit } from './cgroup.js';
import type { Evidence } from './death.js';
import type { WorkerHandle } from './worker-handle.js';

type Located = Pick<WorkerHandle, 'pid' | 'cgroup' | 'killed'>;

export class MemoryKills {
  readonly #cgroups = new Cgroups();
  readonly #ledger = new OomLedger();

  /** Remember where a worker's memory is charged, and how often the kernel has killed there: when it is dead it is too late to ask. */
  locate(worker: Located, now: number): void {
    const cgroup = this.#cgroups.of(worker.pid);
    if (cgroup === undefined) return;
    worker.cgroup = cgroup;
    this.#count(worker, now);
  }

  /** Those there are; cgroups of no other are kept. */
  locateAll(workers: Iterable<Located>, now: number): void {
    const all = [...workers];
    for (const worker of all) if (worker.pid !== 0) this.locate(worker, now);
    this.#ledger.keep(new Set(all.flatMap((worker) => worker.cgroup?.dir ?? [])));
  }

  #count({ cgroup }: Located, now: number): boolean {
    const kills = cgroup === undefined ? undefined : oomKills(cgroup);
    if (cgroup === undefined || kills === undefined) return false;
    this.#ledger.note(cgroup.dir, kills, now);
    this.#ledger.met(limitsMet(cgroup), now);
    return true;
  }

  /** A worker's process has ended by this signal. */
  evidence(worker: Located, signal: NodeJS.Signals | null, now: number): Evidence['cgroup'] {
    if (signal !== 'SIGKILL' || worker.cgroup === undefined || !this.#count(worker, now)) return undefined;
    const oomKilled = worker.killed === undefined && this.#ledger.take(worker.cgroup.dir, now);
    return { dir: worker.cgroup.dir, oomKilled, limit: oomKilled ? this.#limitOf(worker.cgroup, now) : undefined };
  }

  /** The limit that the kernel has killed for: the one that was met, where that is counted. Undefined: none that is in sight. */
  #limitOf(cgroup: MemoryCgroup, now: number): MemoryLimit | undefined {
    const counts = limitsMet(cgroup);
    if (counts.size === 0) return memoryLimit(cgroup);
    const dir = this.#ledger.met(counts, now);
    const bytes = dir === undefined ? undefined : limitAt(cgroup.version, dir);
    return dir === undefined || bytes === undefined ? undefined : { dir, bytes };
  }
}
