/**
 * The report Node writes when V8 runs out of heap: the one witness that tells it from any other SIGABRT. Runs in the master.
 *
 * Workers write `worker-<pid>.json` into a private directory of the master's (process.report, see worker/main.ts); the master reads it when
 * it reaps the worker, and removes it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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
  /** null when no directory could be made: heap limits are then not told from other aborts. */
  readonly dir: string | null;

  constructor(parent = tmpdir()) {
    let dir: string | null = null;
    try {
      dir = mkdtempSync(join(parent, 'drover-report-')); // 0700: a report holds the environment
    } catch {
      // A read-only system: everything else works.
    }
    this.dir = dir;
  }

  /** The report of a worker that is gone, once. */
  take(pid: number): HeapReport | undefined {
    if (this.dir === null) return undefined;
    const path = join(this.dir, `worker-${pid}.json`);
    try {
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
