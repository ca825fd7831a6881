/**
 * An open file that several responses may be sending from: its descriptor, and what its headers are made from. In the worker.
 *
 * Counted: whoever has it `use`s it and `drop`s it, and the last one closes the descriptor. So a file that leaves the cache is not closed under a response.
 */
import { closeSync, readSync } from 'node:fs';
import { FILE_STAT } from '../../native.js';

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;

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

  use(): this {
    this.#users++;
    return this;
  }

  drop(): void {
    if (--this.#users === 0 && this.fd >= 0) closeSync(this.fd);
  }
}
