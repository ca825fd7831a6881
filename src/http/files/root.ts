/**
 * A directory whose files may be served, and nothing outside it: openat2(2) keeps to it. In the worker.
 *
 * Held by its descriptor, so that a path is resolved against one and the same directory. Where the path of the root has come to name another directory (a
 * build that makes it anew, a `current` link) that one is taken: looked at once a second at most.
 */
import { closeSync, constants, openSync, statSync } from 'node:fs';
import { FILE_STAT_NUMBERS, native } from '../../native.js';
import { OpenFile } from './open-file.js';

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

function identityOf(path: string): string {
  const { dev, ino } = statSync(path);
  return `${dev}:${ino}`;
}
