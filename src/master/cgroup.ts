/**
 * The memory cgroup of a process: where it is, how often the kernel has killed for memory in it, and its limit. Runs in the master.
 *
 * Both versions: v1 (`memory.oom_control`, `memory.limit_in_bytes`, in /sys/fs/cgroup/memory or wherever mountinfo says) and v2 (`memory.events`,
 * `memory.max`). A kill is counted in the cgroup of the *victim*, whichever ancestor's limit was hit; in v2 it is counted in all
 * ancestors too, so there `memory.events.local` (Linux 5.2) is read where it exists.
 *
 * A counter names no process. OomLedger keeps what it has counted apart from what was already explained: an old kill, or one of
 * another process in the cgroup, does not become the cause of a death of today.
 *
 * v2 counts as well how often each cgroup has met its own limit (`oom`), so there the limit that was met is known; when none was, the machine's
 * memory was exhausted, or the limit of a cgroup that a container does not see.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export interface MemoryCgroup {
  version: 1 | 2;
  /** Its directory in the file system. */
  dir: string;
  /** Mount point of the hierarchy: where a walk up ends. */
  mount: string;
}

export interface MemoryLimit {
  bytes: number;
  /** Directory of the cgroup that has it: the process's own or an ancestor. */
  dir: string;
}

interface Mount {
  version: 1 | 2;
  /** The cgroup that is mounted: '/' unless in a container. */
  root: string;
  point: string;
}

/** Mounts of hierarchies that can hold the memory controller, from the text of /proc/self/mountinfo. */
export function parseMounts(mountinfo: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of mountinfo.split('\n')) {
    // 36 35 98:0 /root /point rw,noatime master:1 - cgroup cgroup rw,memory
    const [before, after] = line.split(' - ', 2);
    if (before === undefined || after === undefined) continue;
    const [, , , root, point] = before.split(' ');
    const [type, , options] = after.split(' ');
    if (root === undefined || point === undefined) continue;
    if (type === 'cgroup2') mounts.push({ version: 2, root: unescape(root), point: unescape(point) });
    else if (type === 'cgroup' && options?.split(',').includes('memory') === true) mounts.push({ version: 1, root: unescape(root), point: unescape(point) });
  }
  return mounts;
}

/** The kernel writes blanks in paths as octal escapes. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** A process's memory cgroup, from the text of its /proc/PID/cgroup. */
export function findCgroup(cgroups: string, mounts: readonly Mount[]): MemoryCgroup | undefined {
  const paths = new Map<1 | 2, string>();
  for (const line of cgroups.split('\n')) {
    const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (id === '0' && controllers === '') paths.set(2, path);
    else if (controllers?.split(',').includes('memory') === true) paths.set(1, path);
  }
  // The memory controller is in one hierarchy only: with v1 when v1 names it, else in v2.
  const version = paths.has(1) ? 1 : 2;
  const path = paths.get(version);
  const mount = mounts.find((candidate) => candidate.version === version);
  if (path === undefined || mount === undefined) return undefined;
  const inside = relative(mount.root, path);
  // A path outside of what is mounted (a container without a cgroup namespace of its own): its root is the best there is.
  return { version, dir: inside.startsWith('..') ? mount.point : join(mount.point, inside), mount: mount.point };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function* upwards(cgroup: MemoryCgroup): Generator<string> {
  for (let dir = cgroup.dir; ; dir = dirname(dir)) {
    yield dir;
    if (dir === cgroup.mount || dir.length <= cgroup.mount.length) return;
  }
}

/** How often the kernel has killed for memory in the cgroup, or undefined when that can't be read. */
export function oomKills(cgroup: MemoryCgroup): number | undefined {
  for (const dir of upwards(cgroup)) {
    // In v2 the controller may be off here: memory is then charged to, and kills are counted in, the nearest ancestor that has it.
    const text = cgroup.version === 1 ? readText(join(dir, 'memory.oom_control')) : (readText(join(dir, 'memory.events.local')) ?? readText(join(dir, 'memory.events')));
    const count = text === undefined ? undefined : /^oom_kill (\d+)$/m.exec(text)?.[1];
    if (count !== undefined) return Number(count);
    if (cgroup.version === 1) return undefined; // kernels before 4.13 have no such line
  }
  return undefined;
}

/** The tightest memory limit of the cgroup and its ancestors, which all bind; the nearest where two are equal. */
export function memoryLimit(cgroup: MemoryCgroup): MemoryLimit | undefined {
  let tightest: MemoryLimit | undefined;
  for (const dir of upwards(cgroup)) {
    const bytes = limitAt(cgroup.version, dir);
    if (bytes !== undefined && bytes < (tightest?.bytes ?? Infinity)) tightest = { bytes, dir };
  }
  return tightest;
}

/** The limit of this one cgroup. */
export function limitAt(version: 1 | 2, dir: string): number | undefined {
  const text = readText(join(dir, version === 1 ? 'memory.limit_in_bytes' : 'memory.max'))?.trim();
  const bytes = Number(text ?? 'max');
  // v1 writes "no limit" as the largest multiple of the page size.
  return text !== undefined && text !== '' && Number.isFinite(bytes) && bytes < 2 ** 60 ? bytes : undefined;
}

/** How often the cgroup and each of its ancestors has met its limit and could free nothing, nearest first. Empty in v1, which does not count that. */
export function limitsMet(cgroup: MemoryCgroup): Map<string, number> {
  const met = new Map<string, number>();
  if (cgroup.version === 1) return met;
  for (const dir of upwards(cgroup)) {
    // Without the local file (before Linux 5.2) descendants' are counted too: the nearest whose count moves is still the one.
    const count = /^oom (\d+)$/m.exec(readText(join(dir, 'memory.events.local')) ?? readText(join(dir, 'memory.events')) ?? '')?.[1];
    if (count !== undefined) met.set(dir, Number(count));
  }
  return met;
}

/** Finds cgroups of processes; `proc` is /proc but in tests. */
export class Cgroups {
  readonly #proc: string;
  #mounts: Mount[] | undefined;

  constructor(proc = '/proc') {
    this.#proc = proc;
  }

  of(pid: number): MemoryCgroup | undefined {
    this.#mounts ??= parseMounts(readText(join(this.#proc, 'self/mountinfo')) ?? '');
    const text = readText(join(this.#proc, String(pid), 'cgroup'));
    const cgroup = text === undefined ? undefined : findCgroup(text, this.#mounts);
    return cgroup !== undefined && existsSync(cgroup.dir) ? cgroup : undefined;
  }
}

/** A kill seen longer ago than this belongs to some other process: a worker's death is noticed within moments. */
export const CREDIT_MS = 10_000;

/** Kills by cgroup that no death has explained yet. Policy: counts and times in, an answer out. */
export class OomLedger {
  readonly #seen = new Map<string, number>();
  readonly #credits = new Map<string, number[]>();
  readonly #met = new Map<string, { count: number; at: number }>();

  /** The counter of `dir` stands at `count`. The first time is the baseline. */
  note(dir: string, count: number, now: number): void {
    const before = this.#seen.get(dir);
    this.#seen.set(dir, count);
    if (before === undefined || count <= before) return;
    const credits = this.#credits.get(dir) ?? [];
    for (let n = before; n < count; n += 1) credits.push(now);
    this.#credits.set(dir, credits.slice(-1024));
  }

  /** A process of `dir` was killed by SIGKILL: whether a kill for memory is there to explain it. It explains one death only. */
  take(dir: string, now: number): boolean {
    const credits = (this.#credits.get(dir) ?? []).filter((at) => now - at <= CREDIT_MS);
    const taken = credits.shift() !== undefined;
    if (credits.length === 0) this.#credits.delete(dir);
    else this.#credits.set(dir, credits);
    return taken;
  }

  /** How often limits have been met, nearest first: answers the one that was met last, if that was lately; the nearest of several. */
  met(counts: ReadonlyMap<string, number>, now: number): string | undefined {
    let last: { dir: string; at: number } | undefined;
    for (const [dir, count] of counts) {
      const before = this.#met.get(dir);
      const at = before === undefined ? -Infinity : count > before.count ? now : before.at;
      this.#met.set(dir, { count, at });
      if (now - at <= CREDIT_MS && at > (last?.at ?? -Infinity)) last = { dir, at };
    }
    return last?.dir;
  }

  /** Forget cgroups that no worker is in any more, nor in one below. */
  keep(dirs: ReadonlySet<string>): void {
    for (const dir of this.#met.keys()) if (![...dirs].some((kept) => kept === dir || kept.startsWith(`${dir}/`))) this.#met.delete(dir);
    for (const dir of this.#seen.keys()) {
      if (dirs.has(dir)) continue;
      this.#seen.delete(dir);
      this.#credits.delete(dir);
    }
  }
}
