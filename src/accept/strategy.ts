/**
 * The contract of an accept strategy: which sockets an address has, and how workers wait on them.
 *
 * A strategy is one small file with these verbs in this order. It decides; the native acceptor does. The master calls the first
 * two, a worker the rest. All state that outlives a call is in the acceptor, the board and the master's Listeners.
 *
 * Rank 4. Knows nothing of HTTP.
 */
import type { NativeAcceptor } from '../native.js';
import type { BoundAddress, SocketGrant } from '../ipc/messages.js';
import type { AcceptStrategyName } from '../config/options.js';

/** A socket this worker was handed: what it is, and its descriptor (owned by the acceptor once armed). */
export interface HandedSocket {
  grant: SocketGrant;
  fd: number;
}

export interface Strategy {
  readonly name: AcceptStrategyName;
  /** Master: one socket per address for all (`shared`), or one per worker slot (`per-slot`). */
  readonly sockets: 'shared' | 'per-slot';
  /** Master: why this strategy can't serve an address here, or undefined when it can. */
  unavailable(address: BoundAddress): string | undefined;
  /**
   * Master: the slots that take connections have changed (a worker is ready, died, retires). `sockets` are the descriptors by slot, in
   * order of listen(). Steers new connections to the slots in `serving`.
   */
  steer(sockets: ReadonlyMap<number, number>, serving: readonly number[]): void;
  /** Worker: begin to accept from our own sockets. */
  open(acceptor: NativeAcceptor, sockets: readonly HandedSocket[]): void;
  /** Worker: sockets of other slots, to accept from when their owners cannot. */
  join(acceptor: NativeAcceptor, sockets: readonly HandedSocket[]): void;
  /** Worker: stop accepting. With `drain`, accept what is queued first: nobody else will. */
  leave(acceptor: NativeAcceptor, drain: boolean): void;
}
