/**
 * The keys of TLS session tickets: made here, shared by all workers, so that a client resumes its session at whichever worker it meets. In
 * the master, for its whole life; never in logs, arguments or the environment.
 *
 * Three at a time: the one that seals, the next one, and the one before. Workers know a key for a whole period before any of them seals with it, so a
 * change of keys, which reaches them one after the other, costs nobody a session.
 */
import { randomBytes } from 'node:crypto';

/** As Node wants them: 16 bytes name, 16 for the HMAC, 16 for AES. */
const KEY_BYTES = 48;

export class TicketKeys {
  #current = makeKey();
  #next = makeKey();
  #previous: string | undefined;

  /** In base64. Tickets are sealed with the first, and opened with any. */
  get keys(): string[] {
    return [this.#current, this.#next, ...(this.#previous === undefined ? [] : [this.#previous])];
  }

  rotate(): void {
    this.#previous = this.#current;
    this.#current = this.#next;
    this.#next = makeKey();
  }
}

function makeKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}
