/**
 * Keeps the files of unix sockets where they are. In the master.
 *
 * Programs remove a unix socket's file before they listen there, so as not to stumble over one that a crash has left. In the second worker that is the file of
 * the master's socket.
 */
import { formatBound } from './bound.js';
import type { CoordinationOptions } from './coordination.js';
import { keepFile, type Bind } from './open.js';

export class KeptFiles {
  readonly #emit: CoordinationOptions['emit'];
  /** Addresses whose file was found missing. */
  readonly #missed = new Set<Bind>();

  constructor(emit: CoordinationOptions['emit']) {
    this.#emit = emit;
  }

  /** A worker is about to listen there. */
  keep(bind: Bind): void {
    const kept = keepFile(bind);
    if (kept === 'there' || this.#missed.has(bind)) return;
    this.#missed.add(bind);
    const address = formatBound(bind.address);
    if (kept === 'restored') this.#emit('listen.file-restored', { address });
    else this.#emit('listen.file-lost', { address, reason: kept.reason });
  }
}
