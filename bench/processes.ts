/**
 * What the kernel has counted for a set of processes: CPU, context switches, memory. Reads /proc; keeps nothing.
 *
 * CPU is the scheduler's own sum of run time in nanoseconds (/proc/<pid>/task/<tid>/schedstat), user and system together: utime and
 * stime of /proc/<pid>/stat count in ticks of 10 ms, too coarse for a short round. It is exact for threads that are asleep.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** A process and all that descend from it, itself first. Gone processes are left out. */
export function treeOf(root: number): number[] {
  const found: number[] = [];
  const visit = (pid: number): void => {
    let threads: string[];
    try {
      threads = readdirSync(`/proc/${pid}/task`);
    } catch {
      return;
    }
    found.push(pid);
    for (const thread of threads) {
      const children = read(`/proc/${pid}/task/${thread}/children`);
      for (const child of children.split(' ')) if (child !== '') visit(Number(child));
    }
  };
  visit(root);
  return found;
}

export interface Usage {
  cpuNs: number;
  /** Voluntary context switches: each is one sleep, so one wake-up. */
  wakeups: number;
}

export function usageOf(pids: readonly number[]): Usage {
  const usage = { cpuNs: 0, wakeups: 0 };
  for (const pid of pids) {
    for (const thread of threadsOf(pid)) {
      usage.cpuNs += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ', 1)[0] ?? 0);
      usage.wakeups += wakeupsOf(pid, thread);
    }
  }
  return usage;
}

/** Wake-ups so far of each thread that accepts, or decides who does: the main threads, and drover's conductor. V8's, which collect and compile when they please, are left out. */
export function servingWakeups(pids: readonly number[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of pids) {
    for (const thread of threadsOf(pid)) {
      const serves = thread === String(pid) || read(`/proc/${pid}/task/${thread}/comm`) === 'drover:conduct\n';
      if (serves) found.set(thread, wakeupsOf(pid, thread));
    }
  }
  return found;
}

export interface Memory {
  /** Proportional set size: shared pages divided by those who share them. */
  pssMb: number;
  /** Pages of this process alone. */
  privateMb: number;
  rssMb: number;
}

export function memoryOf(pid: number): Memory {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? NaN);
  return { pssMb: kb('Pss') / 1024, privateMb: (kb('Private_Clean') + kb('Private_Dirty')) / 1024, rssMb: kb('Rss') / 1024 };
}

function wakeupsOf(pid: number, thread: string): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/task/${thread}/status`))?.[1] ?? 0);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** '' when the process or thread has gone meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
