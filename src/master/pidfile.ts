/**
 * --pidfile: holds the master's process id while it runs. Runs in the master.
 *
 * Written beside its place and renamed, so that nobody reads half a number; a file left behind by a dead process is replaced, that of
 * a live one is refused; removed only while it still holds our own id. After a reboot, or where a container keeps the file from one run to the next, the id
 * in it is that of a process which came later and did not write it.
 */
import { accessSync, constants, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatHolder, nameOf } from '../accept/holder.js';
import { DroverError } from '../errors.js';

/** How the process title of a master begins (master/main.ts). */
const MASTER = 'drover: master';
const TICK_MS = 10;
const SLACK_MS = 1_000;

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
    if (holder !== undefined && holder !== this.#pid && isRunning(holder) && !isLater(holder, this.path)) {
      const isOther = isMaster(holder) === false;
      throw new DroverError(
        'ERR_DROVER_PIDFILE',
        `--pidfile ${this.path} names ${formatHolder({ pid: holder, name: nameOf(holder) })}, which is running${isOther ? ' and is no master of drover' : ''} (${this.#where})`,
        isOther ? 'Remove the file if it is stale; if it is that program\'s, give another --pidfile.' : 'Stop that drover first, or give this one another --pidfile.',
      );
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

/** Whether a process is a master of drover; undefined where it is hidden from us. */
function isMaster(pid: number): boolean | undefined {
  try {
    const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return title === '' ? undefined : title.startsWith(MASTER);
  } catch {
    return undefined;
  }
}

/**
 * Whether a process began after the file was written, and so did not write it. A master of drover counts in any case: where the clock was set meanwhile, its file
 * looks too old.
 */
function isLater(pid: number, path: string): boolean {
  try {
    if (isMaster(pid) === true) return false;
    const beganAt = Date.now() - process.uptime() * 1000 + (startTicks(pid) - startTicks('self')) * TICK_MS;
    return beganAt > statSync(path).mtimeMs + SLACK_MS;
  } catch {
    return false;
  }
}

/** Field 22 of /proc/PID/stat, USER_HZ since boot; the name before it may hold anything. */
function startTicks(pid: number | 'self'): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[20]);
}
