/**
 * The heartbeat files: one per worker, in --worker-tmp-dir, unlinked as soon as it is open. Runs in the master.
 *
 * A worker's native thread does fchmod(2) on its file, which moves the change time; the master reads that here. A disk may hang, so no call
 * on one is synchronous, and there is never more than one call under way in all: a hung disk takes one thread of the pool, and the loop
 * none. What is in memory cannot hang and is read at once: a thread of the pool per worker and beat would be most of an idle server's wake-ups. Liveness is judged elsewhere (watchdog.ts), and by the board alone where there is no file.
 */
import { randomUUID } from 'node:crypto';
import { accessSync, close, constants, fstat, fstatSync, open, statfsSync, unlink } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Log } from '../log/logger.js';

/** f_type of statfs(2): what lives in memory only. */
const IN_MEMORY = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
]);
const ON_DISK = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0x65735546, 'fuse'],
  [0x2fc12fc1, 'zfs'],
]);

/** Longer than this, and a worker is started without its file. */
const OPEN_LIMIT_MS = 2000;

export interface Heartbeat {
  fd: number;
  /** Change time as last read, in nanoseconds; text, since it is only compared. */
  beat: string | undefined;
}

type StatType = (path: string) => number;
const statType: StatType = (path) => statfsSync(path).type;

const isOpenToUs = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const usualDirectories = (): string[] => [...new Set(['/dev/shm', '/run', tmpdir()])];

/** The first of the usual directories that is in memory and may be written to (/run is root's), else the system's temporary directory. */
export function defaultDirectory(typeOf: StatType = statType, isUsable = isOpenToUs): string {
  for (const dir of usualDirectories()) {
    try {
      if (isUsable(dir) && IN_MEMORY.has(typeOf(dir))) return dir;
    } catch {
      // Not on this system.
    }
  }
  return tmpdir();
}

/** Of each of the usual directories, why it was not taken. */
export function whyNone(dirs = usualDirectories(), typeOf: StatType = statType): string {
  return dirs.map((dir) => {
    try {
      accessSync(dir, constants.W_OK | constants.X_OK);
      const filesystem = diskOf(dir, typeOf);
      return `${dir}: ${filesystem === undefined ? 'it can be used by now' : `on a disk (${filesystem})`}`;
    } catch (error) {
      return `${dir}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`;
    }
  }).join(', ');
}

/** Name of the file system a directory is on when that is a disk; undefined when it is in memory. */
export function diskOf(dir: string, typeOf: StatType = statType): string | undefined {
  const type = typeOf(dir);
  return IN_MEMORY.has(type) ? undefined : (ON_DISK.get(type) ?? `type 0x${type.toString(16)}`);
}

const openFile = promisify(open);
const unlinkFile = promisify(unlink);

export class Heartbeats {
  readonly dir: string;
  readonly #log: Log;
  readonly #live = new Set<Heartbeat>();
  #queue: Promise<unknown> = Promise.resolve();
  #reading = false;
  #inMemory = false;
  #warned = false;

  /** Says once what is wrong with the directory, if anything is and it is `used`; drover serves all the same. */
  constructor(dir: string | null, log: Log, used = true) {
    this.dir = dir ?? defaultDirectory();
    this.#log = log;
    if (!used) return;
    try {
      accessSync(this.dir, constants.W_OK | constants.X_OK);
      const filesystem = diskOf(this.dir);
      this.#inMemory = filesystem === undefined;
      if (filesystem !== undefined) log.emit('heartbeat.on-disk', { dir: this.dir, filesystem });
    } catch (error) {
      this.#unavailable(dir === null ? new Error(whyNone()) : error);
    }
  }

  /** A new heartbeat file, or undefined when there is none to be had. Never rejects. */
  async open(): Promise<Heartbeat | undefined> {
    if (this.#warned) return undefined;
    // Masters of several containers may share the directory, and each be process 1.
    const path = join(this.dir, `drover-${randomUUID()}`);
    let late = false;
    const opened = this.#enqueue(async () => {
      const fd = await openFile(path, 'wx', 0o600);
      await unlinkFile(path).catch(() => undefined);
      if (late) close(fd, () => {});
      return fd;
    });
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        late = true;
        reject(new Error(`opening a file in ${this.dir} takes longer than ${OPEN_LIMIT_MS} ms`));
      }, OPEN_LIMIT_MS);
    });
    try {
      const heartbeat: Heartbeat = { fd: await Promise.race([opened, limit]), beat: undefined };
      this.#live.add(heartbeat);
      return heartbeat;
    } catch (error) {
      opened.catch(() => undefined);
      this.#unavailable(error);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Begin to read all change times, unless the last reading is still under way: the disk is slow then, which is what the watchdog will see. */
  read(): void {
    if (this.#reading || this.#live.size === 0) return;
    if (this.#inMemory) {
      for (const heartbeat of this.#live) heartbeat.beat = String(fstatSync(heartbeat.fd, { bigint: true }).ctimeNs);
      return;
    }
    this.#reading = true;
    void this.#enqueue(async () => {
      for (const heartbeat of [...this.#live]) {
        if (!this.#live.has(heartbeat)) continue;
        await new Promise<void>((done) => {
          fstat(heartbeat.fd, { bigint: true }, (error, stats) => {
            if (error === null) heartbeat.beat = String(stats.ctimeNs);
            done();
          });
        });
      }
    }).finally(() => {
      this.#reading = false;
    });
  }

  close(heartbeat: Heartbeat): void {
    if (!this.#live.delete(heartbeat)) return;
    void this.#enqueue(() => new Promise<void>((done) => close(heartbeat.fd, () => done())));
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #unavailable(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === undefined ? message : `${this.dir}: ${code}`;
    this.#log.emit('heartbeat.unavailable', { reason, dir: this.dir });
  }
}
