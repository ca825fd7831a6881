/**
 * The contract of an accept strategy: which sockets an address has, and how workers wait on them.
 *
 * A strategy is one small file with these verbs in this order. It decides; the native acceptor does. The master calls the first
 * two, a worker the rest. All state that outlives a call is in the acceptor, the board and the master's Listeners.
 *
 * Rank 4. Knows nothing of HTTP.
 */
import type { NativeAcceptor } from '../native.js';
import type { SocketGrant } from '../ipc/messages.js';
import type { AcceptStrategyName } from '../config/options.js';

/** Names as users give them; `auto` is a choice among the others (choose.ts). */
export type StrategyName = Exclude<AcceptStrategyName, 'auto'>;

/** A socket this worker was handed: what it is, and its descriptor (owned by the acceptor once armed). */
export interface HandedSocket {
  grant: SocketGrant;
  fd: number;
}

export interface Strategy {
  readonly name: StrategyName;
  /** Master: one socket per address for all (`shared`), or one per worker slot (`per-slot`). */
  readonly sockets: 'shared' | 'per-slot';
  /**
   * Master: what the conductor does with its sockets, if anything: give out their connections, or the permits to poll them, or see to it that none waits because
   * the one worker that was woken for it does not come.
   */
  readonly conducted?: 'grant' | 'permit' | 'rescue';
  /** Worker: begin to accept from our own sockets. 0 or the first -errno. */
  open(acceptor: NativeAcceptor, sockets: readonly HandedSocket[]): number;
  /** Worker: sockets of other slots, to accept from when their owners cannot. 0 or the first -errno. */
  join(acceptor: NativeAcceptor, sockets: readonly HandedSocket[]): number;
  /** Worker: stop accepting. With `drain`, accept what is queued first: nobody else will. */
  leave(acceptor: NativeAcceptor, drain: boolean): void;
}
