/**
 * An open file that several responses may be sending from: its descriptor, and what its headers are made from. In the worker.
 *
 * Counted: whoever has it `use`s it and `drop`s it, and the last one closes the descriptor. So a file that leaves the cache is not closed under a response.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { FILE_STAT, native } from '../../native.js';

export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;

export class OpenFile {
  /** -1 once its bytes are in `content`. */
  fd: number;
  /** All of it, where it was loaded. */
  content: Buffer | undefined;
  readonly size: number;
  /** As HTTP tells it: whole seconds. */
  readonly lastModifiedMs: number;
  readonly lastModified: string;
  /** Of exact modification time and size; not of the inode, so that servers with copies of the same files agree. */
  readonly etag: string;
  /** When it was last modified, in exact milliseconds. */
  readonly modifiedMs: number;
  readonly #stat: Float64Array;
  #memory = -1;
  #users = 1;

  /** Owns the descriptor. `stat`: as openBeneath fills it in; copied. */
  constructor(fd: number, stat: Float64Array) {
    this.fd = fd;
    this.#stat = stat.slice();
    this.size = stat[FILE_STAT.size]!;
    const [seconds, nanoseconds] = [stat[FILE_STAT.mtimeSec]!, stat[FILE_STAT.mtimeNsec]!];
    this.lastModifiedMs = seconds * 1000;
    this.modifiedMs = seconds * 1000 + nanoseconds / 1e6;
    this.lastModified = new Date(this.lastModifiedMs).toUTCString();
    this.etag = `"${this.size.toString(36)}-${seconds.toString(36)}.${nanoseconds.toString(36)}"`;
  }

  get isFile(): boolean {
    return (this.#stat[FILE_STAT.mode]! & S_IFMT) === S_IFREG;
  }

  get isDirectory(): boolean {
    return (this.#stat[FILE_STAT.mode]! & S_IFMT) === S_IFDIR;
  }

  /** Whether somebody else than who opened it has it: to close it is up to him, too. */
  get isShared(): boolean {
    return this.#users > 1;
  }

  get holdsDescriptor(): boolean {
    return this.fd >= 0 || this.#memory >= 0;
  }

  /** Whether this is what `stat` tells of, unchanged. */
  matches(stat: Float64Array): boolean {
    return this.#stat.every((value, i) => value === stat[i]);
  }

  /** Take its bytes into memory and close the descriptor, which nobody may be using. Not if it has changed meanwhile. */
  load(): void {
    const content = Buffer.allocUnsafeSlow(this.size);
    if (readSync(this.fd, content, 0, this.size, 0) !== this.size) return;
    this.content = content;
    closeSync(this.fd);
    this.fd = -1;
  }

  /** The bytes that were loaded once more, as a file in memory, which sendfile(2) can take: its descriptor, this file's to close; undefined where it cannot be had. */
  memory(): number | undefined {
    if (this.#memory < 0) this.#memory = toMemory(this.content!);
    return this.#memory < 0 ? undefined : this.#memory;
  }

  use(): this {
    this.#users++;
    return this;
  }

  drop(): void {
    if (--this.#users > 0) return;
    if (this.fd >= 0) closeSync(this.fd);
    if (this.#memory >= 0) closeSync(this.#memory);
  }
}

/** -1: no descriptor, or no memory, is left, or a filter of system calls refuses it. */
function toMemory(content: Buffer): number {
  const fd = native.createMemory('drover-file', 0);
  if (fd < 0) return -1;
  try {
    if (writeSync(fd, content) === content.length) return fd;
  } catch {
    // As good as a short write.
  }
  closeSync(fd);
  return -1;
}
