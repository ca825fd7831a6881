/**
 * The report Node writes when V8 runs out of heap: the one witness that tells it from any other SIGABRT. Runs in the master.
 *
 * Each worker has a file in memory for it (process.report, see worker/process.ts), which the master reads when it reaps the worker: it is gone with the last of the two,
 * however they end. Node opens a path, so that takes /proc; without it workers write `worker-<pid>.json` into a private directory of the master's.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeFd, native } from '../native.js';

export interface HeapReport {
  limitBytes: number | undefined;
  stack: string | undefined;
}

/** What a report says of the heap; undefined when it was written for another reason. */
export function parseReport(text: string): HeapReport | undefined {
  let report: { header?: { event?: unknown; trigger?: unknown }; javascriptHeap?: { memoryLimit?: unknown }; javascriptStack?: { message?: unknown; stack?: unknown } };
  try {
    report = JSON.parse(text) as typeof report;
  } catch {
    return undefined;
  }
  const { event, trigger } = report.header ?? {};
  const heapIsFull = trigger === 'OOMError' || (typeof event === 'string' && /heap out of memory|heap limit/i.test(event));
  if (!heapIsFull) return undefined;
  const limit = report.javascriptHeap?.memoryLimit;
  const { message, stack } = report.javascriptStack ?? {};
  const frames = Array.isArray(stack) ? stack.filter((line): line is string => typeof line === 'string' && line.startsWith('at ')) : [];
  return {
    limitBytes: typeof limit === 'number' && limit > 0 ? limit : undefined,
    stack: frames.length === 0 ? undefined : [typeof message === 'string' ? message : 'heap limit', ...frames.map((line) => `    ${line}`)].join('\n'),
  };
}

export class Reports {
  /** null when it is not needed, or could not be made: heap limits are then not told from other aborts. */
  readonly dir: string | null;
  readonly #inMemory: boolean;

  /** `descriptors`: where a process finds its own as files. */
  constructor(parent = tmpdir(), descriptors = '/proc/self/fd') {
    this.#inMemory = canBeNamed(descriptors);
    this.dir = this.#inMemory ? null : makeDirectory(parent);
  }

  /** A file for one worker, the caller's to close; undefined: there is `dir`, or no descriptor to be had. */
  open(): number | undefined {
    const fd = this.#inMemory ? createFile() : -1;
    return fd < 0 ? undefined : fd;
  }

  /** The report of a worker that is gone, once. `fd`: its file. */
  take(pid: number, fd: number | undefined): HeapReport | undefined {
    try {
      if (fd !== undefined) return parseReport(readFileSync(fd, 'utf8'));
      if (this.dir === null) return undefined;
      const path = join(this.dir, `worker-${pid}.json`);
      const text = readFileSync(path, 'utf8');
      rmSync(path, { force: true });
      return parseReport(text);
    } catch {
      return undefined;
    }
  }

  close(): void {
    if (this.dir === null) return;
    try {
      rmSync(this.dir, { recursive: true, force: true });
    } catch {
      // Out of descriptors, for instance, which is what ends us then: it stays.
    }
  }
}

/** Descriptor or -errno. */
function createFile(): number {
  return native.createMemory('drover-report', 0);
}

/** Whether a file in memory can be opened by the name that its descriptor has. */
function canBeNamed(descriptors: string): boolean {
  const fd = createFile();
  if (fd < 0) return false;
  try {
    closeSync(openSync(`${descriptors}/${fd}`, 'w'));
    return true;
  } catch {
    return false;
  } finally {
    closeFd(fd);
  }
}

function makeDirectory(parent: string): string | null {
  try {
    return mkdtempSync(join(parent, 'drover-report-')); // 0700: a report holds the environment
  } catch {
    // A read-only system: everything else works.
    return null;
  }
}
