/**
 * Accepting that fails, and that it works again, in words for the log: at a bounded rate, since out of descriptors it fails ten times a second. In the worker.
 *
 * Nobody tells that it works again. The acceptor tries every 100 ms while it is out of something (native/exhaustion.cc) and says each time that it was in vain: it is
 * over when nothing has been heard for a while.
 */
import { counted } from '../config/plural.js';
import type { EventName } from '../log/events.js';
import { MACHINE_OUT_OF_FILES, OPEN_FILES_LIMIT } from '../errors.js';

export interface AcceptErrorsOptions {
  log: (event: EventName, fields: Record<string, unknown>) => void;
  /** How many descriptors this process may have. */
  limit: () => number;
  /** Connections open now. */
  connections: () => number;
  /** Whether a socket is still accepted from: who drains is not told to accept again. */
  accepts: () => boolean;
  /** Closes what is kept open only to be quicker: the acceptor's next try finds it. */
  giveBack: () => void;
  now?: () => number;
  /** setTimeout, unreferenced. */
  after?: (ms: number, run: () => void) => void;
}

/** Between two lines of what goes on failing. */
const EVERY_MS = 10_000;
/** With so many times less connections than descriptors it is not they that need more than one each (a proxy's does, or one with a file). */
const LEAK = 8;
/** Several tries. */
const QUIET_MS = 1_000;

export class AcceptErrors {
  readonly #options: Required<AcceptErrorsOptions>;
  /** By error: one that is not tried again must be told once, whatever else fails. */
  readonly #toldAt = new Map<string, number>();
  /** It is out of something: since when, when it was last in vain, and whether that was told. */
  #outage: { since: number; last: number; told: boolean } | undefined;

  constructor(options: AcceptErrorsOptions) {
    this.#options = { now: () => performance.now(), after: afterUnref, ...options };
  }

  /** Accepting has failed. */
  failed(errno: number, error: string): void {
    const now = this.#options.now();
    const told = this.tell(errno, error);
    if (!PASSING.has(error)) return;
    if (this.#outage === undefined) this.#lookIn(QUIET_MS);
    this.#outage ??= { since: now, last: now, told };
    this.#outage.last = now;
    this.#outage.told ||= told;
  }

  /** Tell of an error that nothing is tried again for. Whether it was: not when one was told lately. */
  tell(errno: number, error: string): boolean {
    const { log, now, giveBack } = this.#options;
    if (OF_DESCRIPTORS.has(error)) giveBack();
    if (now() - (this.#toldAt.get(error) ?? -Infinity) < EVERY_MS) return false;
    this.#toldAt.set(error, now());
    log('worker.accept-error', { error, errno, ...this.#explain(error) });
    return true;
  }

  #explain(error: string): { why: string; remedy: string; limit?: number; connections?: number } {
    switch (error) {
      case 'EMFILE': {
        const limit = this.#options.limit();
        const connections = this.#options.connections();
        const why = `the ${limit} open files that this process may have are all in use, with ${counted(connections, 'connection')} open`;
        const remedy =
          connections < limit / LEAK
            ? `the app has opened most of the others, see ls -l /proc/${process.pid}/fd: let it close what it no longer uses, or raise the limit (${OPEN_FILES_LIMIT}); meanwhile HUP gets fresh workers`
            : `raise the limit (${OPEN_FILES_LIMIT}), or set --worker-connections below it`;
        return { why, remedy, limit, connections };
      }
      case 'ENFILE':
        return { why: MACHINE_OUT_OF_FILES.what, remedy: MACHINE_OUT_OF_FILES.remedy };
      case 'ENOBUFS':
      case 'ENOMEM':
        return { why: 'the kernel has no memory for one more socket', remedy: 'free memory, or raise the memory limit of the cgroup, or net.ipv4.tcp_mem where sockets have used that up' };
      default:
        return { why: 'it is not tried again at this socket', remedy: 'HUP gets a new worker; if that one fails too, restart drover' };
    }
  }

  #lookIn(ms: number): void {
    this.#options.after(ms, () => {
      const { since, last, told } = this.#outage!;
      const restMs = last + QUIET_MS - this.#options.now();
      if (restMs > 0) return this.#lookIn(restMs);
      this.#outage = undefined;
      if (told && this.#options.accepts()) this.#options.log('worker.accept-recovered', { outMs: Math.round(last - since) });
    });
  }
}

const OF_DESCRIPTORS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE']);
/** What the acceptor tries again by itself (native/accept_errno.cc). */
const PASSING: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

function afterUnref(ms: number, run: () => void): void {
  setTimeout(run, ms).unref();
}
