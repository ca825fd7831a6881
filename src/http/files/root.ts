/**
 * A directory whose files may be served, and nothing outside it: openat2(2) keeps to it. In the worker.
 *
 * Held by its descriptor, so that a path is resolved against one and the same directory. Where the path of the root has come to name another directory (a
 * build that makes it anew, a `current` link) that one is taken: looked at once a second at most.
 */
import { closeSync, constants, openSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FILE_STAT, FILE_STAT_NUMBERS, native } from '../../native.js';
import { OpenFile, S_IFDIR, S_IFMT, S_IFREG } from './open-file.js';

/** Filled by native calls; read before the next one. */
export const stat = new Float64Array(FILE_STAT_NUMBERS);

const LOOK_EVERY_MS = 1_000;

export class Root {
  readonly directory: string;
  readonly #links: boolean;
  #fd = -1;
  #identity = '';
  #lookedAt = -Infinity;

  /** `links`: symbolic links that stay inside are followed. Throws if the directory is not there. */
  constructor(directory: string, links: boolean) {
    this.directory = directory;
    this.#links = links;
    this.#open();
  }

  /** The file or directory, or -errno. `path` is relative. */
  open(path: string): OpenFile | number {
    this.#look();
    if (this.#fd < 0) return ENOENT;
    const fd = native.openBeneath(this.#fd, path, this.#links, stat);
    return fd < 0 ? fd : new OpenFile(fd, stat);
  }

  /** Whether the path still names that file, unchanged. */
  isStill(path: string, file: OpenFile): boolean {
    this.#look();
    return this.#fd >= 0 && native.statBeneath(this.#fd, path, stat) === 0 && file.matches(stat);
  }

  /** Whether there is anything of that name. */
  has(path: string): boolean {
    return this.#fd >= 0 && native.statBeneath(this.#fd, path, stat) === 0;
  }

  /** What there is of that name, told without a descriptor. Nothing, where a symbolic link leads out. */
  kind(path: string): 'file' | 'directory' | undefined {
    if (!this.has(path) || !this.#isInside(path)) return undefined;
    const type = stat[FILE_STAT.mode]! & S_IFMT;
    return type === S_IFREG ? 'file' : type === S_IFDIR ? 'directory' : undefined;
  }

  /** fstatat(2), unlike openat2(2), follows links out. */
  #isInside(path: string): boolean {
    try {
      const directory = realpathSync(this.directory);
      return `${realpathSync(join(directory, path))}/`.startsWith(directory === '/' ? '/' : `${directory}/`);
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    let identity: string;
    try {
      identity = identityOf(this.directory);
    } catch {
      identity = '';
    }
    if (identity === this.#identity) return;
    this.close();
    this.#identity = '';
    try {
      this.#open();
    } catch {
      // It is gone, for now.
    }
  }

  #open(): void {
    this.#fd = openSync(this.directory, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#identity = identityOf(this.directory);
  }
}

export const ENOENT = -2;
export const ENFILE = -23;
const EMFILE = -24;

/** Of what `open` answers. The kernel takes a descriptor before it looks for the file: so it answers of names that are not there, too. */
export function isOutOfDescriptors(errno: unknown): boolean {
  return errno === EMFILE || errno === ENFILE;
}

function identityOf(path: string): string {
  const { dev, ino } = statSync(path);
  return `${dev}:${ino}`;
}
