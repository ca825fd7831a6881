/** A FIFO, and what is in it, for tests of who writes to one that nobody reads. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { scratch } from './drover.js';

export function makeFifo(t: ExecutionContext): string {
  const path = join(scratch(t), 'fifo');
  spawnSync('mkfifo', [path]);
  return path;
}

/** The end that reads; whoever writes need not wait for it to be opened. */
export function openReader(t: ExecutionContext, path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.teardown(() => closeSync(fd));
  return fd;
}

/** What is in it at the moment. */
export function readAll(reader: number): string {
  const bytes = Buffer.alloc(64 * 1024);
  let text = '';
  untilBlocked(() => {
    const read = readSync(reader, bytes);
    text += bytes.toString('latin1', 0, read);
    return read > 0;
  });
  return text;
}

/** Writes a line until no more has room. */
export function fill(path: string, line: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  untilBlocked(() => writeSync(fd, line) > 0);
  closeSync(fd);
}

/** Again and again, until it would block or answers false. */
function untilBlocked(act: () => boolean): void {
  try {
    while (act());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}
