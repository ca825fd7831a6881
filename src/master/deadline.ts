/**
 * How long the master waits for a worker. Policy: times in, decision out.
 *
 * A master that was itself stopped when a deadline ended (SIGSTOP, a frozen container, a starved machine) cannot hold it against the worker: what that
 * did meanwhile lies unread, it may have waited for the master's answer, or have been stopped as well.
 */
export interface Deadline {
  at: number;
  /** What happens when it is over. */
  then: 'boot-timeout' | 'grace' | 'quit' | 'abort';
}

/** A master that comes so much later than it had wanted to has been away. */
const AWAY_MS = 1000;

/** The deadline to put in place of one that ended while the master, which last ran at `ranAt`, was away: it has the time again that was left then. Else undefined. */
export function prolong({ at, then }: Deadline, ranAt: number, now: number): Deadline | undefined {
  return now - at > AWAY_MS ? { at: now + (at - ranAt), then } : undefined;
}
