/**
 * Where the lines of the access log go: a file that every worker opens for itself, or standard output. In the worker.
 *
 * Regular files: `O_APPEND`, so that whole writes of several processes never mix (Linux holds the inode's lock over a write; not so on NFS). Written from
 * libuv's threads, as a slow disk blocks who writes to it.
 * Pipes, FIFOs, terminals: through a description of our own that does not block (`O_NONBLOCK`; for standard output by way of /proc/self/fd, as its own
 * description is shared with the app, the siblings and the master), written straight from the loop, and in pieces of at most PIPE_BUF: these are
 * atomic, pipe(7). A FIFO is opened for reading as well: so there is no error while nobody reads.
 * Sockets, as systemd gives for standard output, cannot be opened anew: from libuv's threads, in the same small pieces.
 */
import fs from 'node:fs';

/** PIPE_BUF. */
const ATOMIC_BYTES = 4096;

export interface Destination {
  /** For people: the path, or `standard output`. */
  readonly name: string;
  /** Most that one write may take, or Infinity. */
  readonly atomicBytes: number;
  /** Write now, or answer 'later' and call `done` then. Throws, or hands on, the system's error. Answers the bytes written. */
  write(bytes: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): number | 'later';
  /** Throws the system's error; EAGAIN where it would block. */
  writeSync(bytes: Buffer): number;
  /** Open the file of that name anew, and go on in it; what is being written goes to the old one. Standard output stays. */
  reopen(done: (error: NodeJS.ErrnoException | null) => void): void;
}

/** A file that cannot be opened is tried again with each write. Of standard output throws the system's error. */
export function openDestination(file: string): Destination {
  return file === '-' ? openStdout() : new LogFile(file);
}

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDWR, O_WRONLY } = fs.constants;

function flagsFor(file: string): number {
  const isFifo = fs.statSync(file, { throwIfNoEntry: false })?.isFIFO() === true;
  return (isFifo ? O_RDWR : O_WRONLY | O_CREAT) | O_APPEND | O_NONBLOCK | O_NOCTTY;
}

class LogFile implements Destination {
  readonly name: string;
  /** undefined: it could not be opened yet, and is with the next write. */
  #fd: number | undefined;
  /** Whether a write is under way in another thread, and descriptors to be closed after it. */
  #busy = false;
  #stale: number[] = [];
  #regular = false;

  constructor(file: string) {
    this.name = file;
    try {
      this.#open();
    } catch {
      // A worker serves without: at start and on a reload the master has seen that the file can be written, and what has become of it since is told by who writes.
    }
  }

  get atomicBytes(): number {
    return this.#regular ? Infinity : ATOMIC_BYTES;
  }

  write(bytes: Buffer, done: (error: NodeJS.ErrnoException | null, written: number) => void): number | 'later' {
    const fd = this.#fd ?? this.#open();
    if (!this.#regular) return this.writeSync(bytes);
    this.#busy = true;
    fs.write(fd, bytes, (error, written) => {
      this.#busy = false;
      for (const stale of this.#stale.splice(0)) fs.closeSync(stale);
      done(error, written);
    });
    return 'later';
  }

  writeSync(bytes: Buffer): number {
    return fs.writeSync(this.#fd ?? this.#open(), bytes);
  }

  reopen(done: (error: NodeJS.ErrnoException | null) => void): void {
    let flags;
    try {
      flags = flagsFor(this.name);
    } catch (error) {
      return done(error as NodeJS.ErrnoException);
    }
    fs.open(this.name, flags, (error, fd) => {
      if (error !== null) return done(error);
      const old = this.#fd;
      this.#take(fd);
      if (old !== undefined) {
        if (this.#busy) this.#stale.push(old);
        else fs.closeSync(old);
      }
      done(null);
    });
  }

  /** Throws the system's error. */
  #open(): number {
    return this.#take(fs.openSync(this.name, flagsFor(this.name)));
  }

  #take(fd: number): number {
    this.#regular = fs.fstatSync(fd).isFile();
    return (this.#fd = fd);
  }
}

function openStdout(): Destination {
  const name = 'standard output';
  const stat = fs.fstatSync(1);
  let own: number | undefined;
  if (stat.isFIFO() || stat.isCharacterDevice()) {
    try {
      own = fs.openSync('/proc/self/fd/1', O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
    } catch {
      // It belongs to another user, or there is no /proc.
    }
  }
  const fd = own ?? 1;
  const writeSync = (bytes: Buffer): number => fs.writeSync(fd, bytes);
  return {
    name,
    atomicBytes: stat.isFile() ? Infinity : ATOMIC_BYTES,
    write(bytes, done) {
      if (own !== undefined) return writeSync(bytes);
      fs.write(fd, bytes, done);
      return 'later';
    },
    writeSync,
    reopen: (done) => done(null),
  };
}
