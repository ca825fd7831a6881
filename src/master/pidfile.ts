/**
 * --pidfile: holds the master's process id while it runs. Runs in the master.
 *
 * Written beside its place and renamed, so that nobody reads half a number; a file left behind by a dead master is replaced, that of
 * a live one is refused; removed only while it still holds our own id.
 */
import { accessSync, constants, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DroverError } from '../errors.js';

export class Pidfile {
  readonly path: string;
  readonly #pid: number;
  readonly #where: string;

  /** `where`: where the path came from, for people. */
  constructor(path: string, where: string, pid = process.pid) {
    this.path = path;
    this.#where = where;
    this.#pid = pid;
  }

  /** Whether it could be written, as far as can be told without doing so: for --check-config, which may be asked beside the master that has it. Throws DroverError. */
  check(): void {
    try {
      accessSync(`${dirname(this.path)}/.`, constants.W_OK | constants.X_OK);
      if (statSync(this.path, { throwIfNoEntry: false })?.isDirectory() === true) throw this.#unwritable('EISDIR');
    } catch (error) {
      throw error instanceof DroverError ? error : this.#unwritable((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }

  write(): void {
    const holder = readPid(this.path);
    if (holder !== undefined && holder !== this.#pid && isRunning(holder)) {
      throw new DroverError('ERR_DROVER_PIDFILE', `--pidfile ${this.path} names process ${holder}, which is running (${this.#where})`, 'Stop that drover first, or give this one another --pidfile.');
    }
    const temporary = `${this.path}.${this.#pid}`;
    try {
      writeFileSync(temporary, `${this.#pid}\n`, { mode: 0o644 });
      renameSync(temporary, this.path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw this.#unwritable((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }

  remove(): void {
    try {
      if (readPid(this.path) === this.#pid) rmSync(this.path, { force: true });
    } catch {
      // Its directory may have become read-only: a stale file is recognized at the next start.
    }
  }

  #unwritable(why: string): DroverError {
    return new DroverError('ERR_DROVER_PIDFILE', `--pidfile ${this.path} cannot be written: ${why} (${this.#where})`, 'Give a path in a directory that exists and is writable.');
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
