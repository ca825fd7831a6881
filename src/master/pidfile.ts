/**
 * --pidfile: holds the master's process id while it runs. Runs in the master.
 *
 * Written beside its place and renamed, so that nobody reads half a number; a file left behind by a dead master is replaced, that of
 * a live one is refused; removed only while it still holds our own id.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { DroverError } from '../errors.js';

export class Pidfile {
  readonly path: string;
  readonly #pid: number;

  constructor(path: string, pid = process.pid) {
    this.path = path;
    this.#pid = pid;
  }

  write(): void {
    const holder = readPid(this.path);
    if (holder !== undefined && holder !== this.#pid && isRunning(holder)) {
      throw new DroverError('ERR_DROVER_PIDFILE', `--pidfile ${this.path} names process ${holder}, which is running`, 'Stop that drover first, or give this one another --pidfile.');
    }
    const temporary = `${this.path}.${this.#pid}`;
    try {
      writeFileSync(temporary, `${this.#pid}\n`, { mode: 0o644 });
      renameSync(temporary, this.path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw new DroverError('ERR_DROVER_PIDFILE', `--pidfile ${this.path} cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, 'Give a path in a directory that exists and is writable.');
    }
  }

  remove(): void {
    try {
      if (readPid(this.path) === this.#pid) rmSync(this.path, { force: true });
    } catch {
      // Its directory may have become read-only: a stale file is recognized at the next start.
    }
  }
}

function readPid(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return /^\d{1,10}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
