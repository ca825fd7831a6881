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

/** Names as users give them, and `exclusive`, which serves the addresses that a strategy of one socket per slot cannot. */
export type StrategyName = AcceptStrategyName | 'exclusive';

/** A socket this worker was handed: what it is, and its descriptor (owned by the acceptor once armed). */
export interface HandedSocket {
  grant: SocketGrant;
  fd: number;
}

export interface Strategy {
  readonly name: StrategyName;
  /** Master: one socket per address for all (`shared`), or one per worker slot (`per-slot`). */
  readonly sockets: 'shared' | 'per-slot';
  /** Master: why this strategy can't serve an address here, or undefined when it can. */
  unavailable(address: BoundAddress): string | undefined;
  /**
   * Master: the slots that take connections have changed (a worker is ready, died, retires), or the sockets have. `sockets` are the
   * descriptors by slot (-1: all), in order of listen(). Steers new connections to the slots in `serving`. 0 or -errno; not being
   * steered loses no connection, since siblings take what their slot does not.
   */
  steer(sockets: ReadonlyMap<number, number>, serving: readonly number[]): number;
  /** Worker: begin to accept from our own sockets. 0 or the first -errno. */
  open(acceptor: NativeAcceptor, sockets: readonly HandedSocket[]): number;
  /** Worker: sockets of other slots, to accept from when their owners cannot. 0 or the first -errno. */
  join(acceptor: NativeAcceptor, sockets: readonly HandedSocket[]): number;
  /** Worker: stop accepting. With `drain`, accept what is queued first: nobody else will. */
  leave(acceptor: NativeAcceptor, drain: boolean): void;
}
