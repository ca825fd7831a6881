/** Runs the load generator (bench/native/load.c) and reads its answer. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from './compile.js';
import type { Histogram } from './histogram.js';
import { which } from './install.js';

export interface LoadOptions {
  mode: 'open' | 'closed' | 'hold';
  /** HOST:PORT or unix:PATH. */
  address: string;
  path?: string;
  /** open: arrivals per second. */
  rate?: number;
  seconds?: number;
  /** closed, hold: connections at a time. */
  connections?: number;
  /** closed: requests in all. */
  requests?: number;
  /** open: size of the pool of connections; closed: 1. Without it each request has a connection of its own. */
  keepalive?: number;
  pattern?: 'paced' | 'burst' | 'churn';
  turns?: number;
  /** closed, hold: mean pause between starts. */
  gapUs?: number;
  timeoutMs?: number;
  seed?: number;
  /** Header fields beside Host: what a browser sends; with what a proxy adds. */
  fields?: 'browser' | 'proxied';
  /** Count answers by body. */
  collect?: boolean;
}

export interface LoadErrors {
  refused: number;
  reset: number;
  /** Closed by the server before the answer was complete. */
  eof: number;
  timeout: number;
  /** Answered, but not with 2xx. */
  status: number;
  other: number;
  /** A keep-alive connection was closed just as it was used again. */
  stale: number;
}

export interface LoadResult {
  seconds: number;
  planned: number;
  ok: number;
  errors: LoadErrors;
  /** Of ok, those answered later than 50 ms after they were due. */
  stuck: number;
  maxUs: number;
  sumUs: number;
  /** The generator's own greatest lateness. */
  lagUs: number;
  histogram: Histogram;
  bodies: Record<string, number>;
}

export function lost(result: LoadResult): number {
  return Object.values(result.errors as unknown as Record<string, number>).reduce((total, count) => total + count, 0);
}

/** Applies the load and tells what came of it, also when that is nothing but errors. */
export async function attempt(options: LoadOptions): Promise<LoadResult> {
  return JSON.parse(await run(compile('load'), loadArgs(options))) as LoadResult;
}

/** The same for a measurement: throws when no request at all was answered, as there is nothing to divide by. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  return answered(await attempt(options));
}

/**
 * The same while `perf` counts the instructions of `pids` (user and kernel, all threads): unlike time, that number hardly depends on
 * what else the machine does. NaN where there is no perf or no counter, as in most containers.
 */
export async function loadCounted(options: LoadOptions, pids: readonly number[]): Promise<LoadResult & { instructions: number }> {
  if (!countable()) return { ...(await load(options)), instructions: NaN };
  const dir = mkdtempSync(join(tmpdir(), 'drover-bench-perf-'));
  try {
    const counts = join(dir, 'counts');
    const stdout = await run('perf', ['stat', '-x,', '-e', 'instructions', '-o', counts, '-p', pids.join(','), '--', compile('load'), ...loadArgs(options)]);
    return { ...answered(JSON.parse(stdout) as LoadResult), instructions: instructionsIn(readFileSync(counts, 'utf8')) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function answered(result: LoadResult): LoadResult {
  if (result.ok === 0) throw new Error(`load: no request was answered: ${JSON.stringify(result.errors)}`);
  return result;
}

function instructionsIn(csv: string): number {
  return Number(/^(\d+),[^,]*,instructions/m.exec(csv)?.[1] ?? NaN);
}

let counts: boolean | undefined;

function countable(): boolean {
  if (counts === undefined) {
    counts = false;
    if (which('perf') !== undefined) {
      const result = spawnSync('perf', ['stat', '-x,', '-e', 'instructions', 'true'], { encoding: 'utf8' });
      counts = instructionsIn(result.stderr) > 0;
    }
  }
  return counts;
}

function loadArgs(options: LoadOptions): string[] {
  const args: string[] = [options.mode, '--address', options.address];
  const add = (flag: string, value: string | number | undefined): void => {
    if (value !== undefined) args.push(flag, String(value));
  };
  add('--path', options.path);
  add('--rate', options.rate);
  add('--seconds', options.seconds);
  add('--connections', options.connections);
  add('--requests', options.requests);
  add('--keepalive', options.keepalive);
  add('--pattern', options.pattern);
  add('--turns', options.turns);
  add('--gap-us', options.gapUs);
  add('--timeout-ms', options.timeoutMs);
  add('--seed', options.seed);
  add('--fields', options.fields);
  if (options.collect === true) add('--collect', 1);
  return args;
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`load ${args.join(' ')}: ${stderr.trim() || error.message}`));
      else resolve(stdout);
    });
  });
}
