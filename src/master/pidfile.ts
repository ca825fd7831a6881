/**
 * --pidfile: holds the master's process id while it runs. Runs in the master.
 *
 * Written beside its place and renamed, so that nobody reads half a number; a file left behind by a dead process is replaced, that of
 * a live one is refused, and so is one that is no pid file: a slip shall cost nobody a file. Removed only while it still holds our own id. After a reboot, or where a container keeps the file from one run to the next, the id
 * in it is that of a process which came later and did not write it. Anybody may read it, whatever the umask: a process id is no secret, and another user who finds a stale file has to see that it is.
 */
import { accessSync, closeSync, constants, fchmodSync, openSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { formatHolder, nameOf } from '../accept/holder.js';
import { describeErrno, DroverError, isKept, unwritable } from '../errors.js';

/** How the process title of a master begins (master/main.ts). */
const MASTER = 'drover: master';
const TICK_MS = 10;
const SLACK_MS = 1_000;
/** A process id with white space around it is shorter. */
const MOST_BYTES = 64;

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

  /** Whether it could be written, as far as can be told without doing so: for --check-config and the doctor, which may be asked beside the master that has it. Throws DroverError. */
  check(): void {
    this.#holder();
    try {
      accessSync(`${dirname(this.#place)}/.`, constants.W_OK | constants.X_OK);
    } catch (error) {
      throw this.#unwritable(codeOf(error));
    }
    if (isKept(this.#place)) throw this.#kept();
  }

  /** Why it is refused if another process runs that has it. `byMaster`: that is a drover, as far as can be seen. Throws DroverError where it is no pid file. */
  taken(): { error: DroverError; byMaster: boolean } | undefined {
    const holder = this.#holder();
    if (holder === undefined || holder === this.#pid || !isRunning(holder) || isLater(holder, this.path)) return undefined;
    const byMaster = isMaster(holder) !== false;
    const error = new DroverError(
      'ERR_DROVER_PIDFILE',
      `--pidfile ${this.path} names ${formatHolder({ pid: holder, name: nameOf(holder) })}, which is running${byMaster ? '' : ' and is no master of drover'} (${this.#where})`,
      byMaster ? 'Stop that drover first, or give this one another --pidfile.' : 'Remove the file if it is stale; if it is that program\'s, give another --pidfile.',
    );
    return { error, byMaster };
  }

  write(): void {
    const taken = this.taken();
    if (taken !== undefined) throw taken.error;
    const place = this.#place;
    let temporary: string | undefined;
    try {
      temporary = makeBeside(place, `${this.#pid}\n`);
      renameSync(temporary, place);
    } catch (error) {
      if (temporary !== undefined) removeIfThere(temporary);
      throw codeOf(error) === 'EPERM' && isKept(place) ? this.#kept() : this.#unwritable(codeOf(error));
    }
  }

  remove(): void {
    try {
      if (this.#holder() === this.#pid) removeIfThere(this.#place);
    } catch {
      // By now another's file is there, or it is out of reach.
    }
  }

  /** Where the file itself is: a link to it stays. */
  get #place(): string {
    try {
      return realpathSync(this.path);
    } catch {
      return this.path;
    }
  }

  /** The id that the file holds, if any. Throws DroverError for what may not be replaced, since it is no pid file. */
  #holder(): number | undefined {
    let there;
    try {
      there = statSync(this.path, { throwIfNoEntry: false });
    } catch (error) {
      throw this.#unwritable(codeOf(error));
    }
    if (there?.isDirectory() === true) throw this.#unwritable('EISDIR');
    // Of root's, a device would be replaced as well: /dev/null for the whole machine.
    if (there?.isFile() === false || isOpenFile(this.path)) throw this.#error('is no regular file', 'Give the path of a file; without --pidfile none is written.');
    if (there === undefined || there.size === 0) return undefined;
    // After a loss of power a file may hold zeros.
    const text = there.size > MOST_BYTES ? undefined : this.#read().replaceAll('\0', '').trim();
    if (text === undefined || !/^\d*$/.test(text)) throw this.#error('is no pid file: it holds something else', 'Give another path, or remove the file if nobody needs it.');
    return text.length <= 10 && Number(text) > 0 ? Number(text) : undefined;
  }

  #read(): string {
    try {
      return readFileSync(this.path, 'latin1');
    } catch (error) {
      throw this.#error(`is there and cannot be read: ${describeErrno(codeOf(error))}`, 'Give another path, or remove the file if nobody needs it.');
    }
  }

  #kept(): DroverError {
    return this.#error(`is another user's, in a directory where only its owner may replace it`, 'Remove it as that user or as root, or give another path.');
  }

  #unwritable(code: string): DroverError {
    const { why, remedy } = unwritable(this.path, code);
    return this.#error(`cannot be written: ${why}`, remedy);
  }

  #error(what: string, remedy: string): DroverError {
    return new DroverError('ERR_DROVER_PIDFILE', `--pidfile ${this.path} ${what} (${this.#where})`, remedy);
  }
}

/**
 * A file that anybody may read, made here and now: in a directory where others may write too, a link of theirs in its place would have another file written, so nothing that is there
 * is opened (O_EXCL), and no name is known beforehand.
 */
function makeBeside(place: string, text: string): string {
  // A name has at most 255 bytes, and a character at most 3 for each unit of its length.
  const path = `${join(dirname(place), basename(place).slice(0, 64))}.${Math.random().toString(36).slice(2)}`;
  const fd = openSync(path, 'wx');
  try {
    writeSync(fd, text);
    fchmodSync(fd, 0o644);
  } catch (error) {
    removeIfThere(path);
    throw error;
  } finally {
    closeSync(fd);
  }
  return path;
}

/** A link to what a process has open, as /dev/stdout is, whatever that is now. */
function isOpenFile(path: string): boolean {
  try {
    for (let at = path; ; ) {
      at = resolve(dirname(at), readlinkSync(at));
      if (at.startsWith('/proc/')) return true;
    }
  } catch {
    return false;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** With `force`, rmSync still throws where the directory cannot be entered or written. */
function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A pid file that stays is recognized as stale at the next start.
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
