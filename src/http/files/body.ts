/** A range of a file as a response's body, whichever way this response allows. In the worker. */
import type { ServerResponse } from 'node:http';
import { copyBody } from './copy.js';
import { endUnseen, isPlain, promises, sendOnSocket, takeHead, type FileRange } from './on-socket.js';
import { whenTurn } from './turn.js';

export type BodyOutcome = 'sent' | 'gone' | 'truncated';

/**
 * Send the head, which must have been made (writeHead) for exactly this body, and the body; then end the response. `done` is called once, perhaps at once, when the
 * descriptor is no longer needed.
 */
export function sendBody(response: ServerResponse, file: FileRange, done: (outcome: BodyOutcome) => void): void {
  const copy = (left: FileRange): void => copyRest(response, left, done);
  if (!isPlain(response) || !promises(response, file.length)) return copy(file);
  const plain = response;
  whenTurn(
    plain,
    () =>
      sendOnSocket(plain, takeHead(plain), file, (outcome) => {
        if (outcome.how === 'unable') return copy(outcome.left);
        if (outcome.how === 'sent') endUnseen(plain);
        done(outcome.how);
      }),
    () => done('gone'),
  );
}

/** The same by reading and writing alone. */
export function copyRest(response: ServerResponse, left: FileRange, done: (outcome: BodyOutcome) => void): void {
  copyBody(response, left, ({ how }) => {
    done(how === 'sent' && !end(response) ? 'gone' : (how as BodyOutcome));
  });
}

/** An app's own `end` may throw, where nobody is there to catch it. */
function end(response: ServerResponse): boolean {
  try {
    response.end();
    return true;
  } catch {
    response.destroy();
    return false;
  }
}
