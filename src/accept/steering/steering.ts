/**
 * The contract of steering: to which slot of one SO_REUSEPORT group (the sockets of one address) the kernel gives a new connection. One small file
 * per way, with the same verbs. In the master; choose.ts says which one is used. Siblings take what a steered connection's slot cannot (with source.ts: only what
 * comes to a slot of which no worker listens there), so no way of steering loses a connection, and none has to be right always.
 */
import type { SteeringName } from '../../config/options.js';

export interface Steering {
  readonly name: Exclude<SteeringName, 'auto'>;
  /** A socket has joined the group; in order of listen(). The descriptor stays the caller's. 0 or -errno. */
  add(slot: number, fd: number): number;
  /** The slots that take connections have changed, or the sockets have; the board says the same. 0 or -errno. */
  serving(slots: readonly number[]): number;
  /** Before the sockets are closed. */
  close(): void;
}
