/**
 * A range of a file as a response's body by reading and writing: under TLS and HTTP/2, with --no-sendfile, and where sendfile(2) fails. In the worker.
 *
 * One buffer per transfer, taken from a few that are kept; the next piece is read when the last one has left node's hands, so a slow client costs one buffer.
 * It must be the response's turn.
 */
import { read } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { FileRange, Outcome } from './on-socket.js';

const BUFFER_BYTES = 128 * 1024;
const KEPT = 16;
const kept: Buffer[] = [];

/** `done` is called once; the response is then still to be ended. */
export function copyBody(response: ServerResponse, file: FileRange, done: (outcome: Outcome) => void): void {
  if (response.destroyed || response.socket?.destroyed === true) return done({ how: 'gone' });
  // What is read for a small range needs no large buffer.
  const buffer = file.length < BUFFER_BYTES ? Buffer.allocUnsafeSlow(file.length) : (kept.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES));
  let { offset, length } = file;
  let busy = false;
  let gone = false;
  let ended = false;

  const end = (how: 'sent' | 'gone' | 'truncated'): void => {
    if (ended) return;
    ended = true;
    response.off('close', onClose);
    // What went wrong may have left it with node still.
    if (how === 'sent' && buffer.length === BUFFER_BYTES && kept.length < KEPT) kept.push(buffer);
    if (how === 'truncated') response.destroy();
    done({ how });
  };
  const onClose = (): void => {
    gone = true;
    // The descriptor is in use until the read is back.
    if (!busy) end('gone');
  };
  const next = (): void => {
    if (ended) return;
    if (gone) return end('gone');
    if (length === 0) return end('sent');
    busy = true;
    read(file.fd, buffer, 0, Math.min(length, buffer.length), offset, (error, bytes) => {
      busy = false;
      if (gone) return end('gone');
      if (error !== null || bytes === 0) return end('truncated');
      offset += bytes;
      length -= bytes;
      try {
        response.write(buffer.subarray(0, bytes), (failed) => (failed === undefined || failed === null ? next() : end('gone')));
      } catch {
        // Node refuses a body that the app's server does not allow (rejectNonStandardBodyWrites) or that is longer than promised, or the app's own write does: nobody is there to catch it.
        response.destroy();
        end('gone');
      }
    });
  };

  response.on('close', onClose);
  next();
}
