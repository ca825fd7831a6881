/**
 * Raw results: a JSON file per day and kind of host under bench/results/, kept in git, merged trial by trial. docs/benchmarks.md is
 * rendered from them and from nothing else.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Cell } from './claims.js';
import { RESULTS } from './paths.js';
import { significant } from './statistics.js';
import type { Mode } from './trial.js';

export interface Machine {
  cpu: string;
  cpus: number;
  memoryGb: number;
  arch: string;
  kernel: string;
  /** Load average of one minute when the run began: others on the machine. */
  loadBefore: number;
  node: string;
}

/** What was measured; how it is shown and what is claimed of it is the trial's (trials/*.ts), so that a claim can be judged anew. */
export interface TrialResult {
  name: string;
  mode: Mode;
  date: string;
  seconds: number;
  machine: Machine;
  /** Names, titles, versions and kinds of those that took part. */
  rivals: Record<string, { title: string; kind: string; version: string }>;
  /** Rivals that were not here or failed, with the reason. */
  absent: Record<string, string>;
  cells: Cell[];
}

export interface ResultFile {
  trials: Record<string, TrialResult>;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    arch: arch(),
    kernel: release(),
    loadBefore: Number(readFileSync('/proc/loadavg', 'utf8').split(' ', 1)[0]),
    node: process.version,
  };
}

/** For instance 2026-01-31-linux6.18-x64-2cpu.json: nothing that names the machine itself. */
export function resultPath(date: Date, host: Machine): string {
  const kernel = host.kernel.split('.', 2).join('.');
  return `${RESULTS}${date.toISOString().slice(0, 10)}-linux${kernel}-${host.arch}-${host.cpus}cpu.json`;
}

export function save(path: string, result: TrialResult): void {
  mkdirSync(dirname(path), { recursive: true });
  const file: ResultFile = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ResultFile) : { trials: {} };
  file.trials[result.name] = result;
  // Numbers in lines of their own would make a kilobyte of every cell.
  writeFileSync(path, `${JSON.stringify(file, (_key, value: unknown) => (typeof value === 'number' ? significant(value) : value), 1).replaceAll(/\[\s+([-\d.,\s]+?)\s+\]/g, (_, list: string) => `[${list.replaceAll(/\s+/g, ' ')}]`)}\n`);
}

/** The newest result of each trial over all files, with the name of its file. */
export function newest(folder = RESULTS): Map<string, { file: string; result: TrialResult }> {
  const found = new Map<string, { file: string; result: TrialResult }>();
  if (!existsSync(folder)) return found;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')).sort()) {
    // JSON has no NaN and writes null, which compares like 0: what was no number must not become a good one.
    const { trials } = JSON.parse(readFileSync(join(folder, file), 'utf8'), (_key, value: unknown) => (value === null ? NaN : value)) as ResultFile;
    for (const result of Object.values(trials)) {
      const known = found.get(result.name);
      if (known === undefined || result.date >= known.result.date) found.set(result.name, { file, result });
    }
  }
  return found;
}
