/**
 * The bells by which the conductor and the workers wake each other: an eventfd per row of the board. Runs in the master.
 *
 * A bell belongs to the row, not to the process: it is made once and handed to every worker that ever has the row, so that its siblings need not be told when
 * one is replaced. A ring that was meant for the predecessor does no harm: a bell only says "look at the board".
 */
import { closeFd, native, type NativeConductor } from '../native.js';
import type { WorkerHandle } from './worker-handle.js';

/** A message carries a limited number of descriptors (SCM_MAX_FD is 253). */
const PER_MESSAGE = 128;

export class Bells {
  readonly #conductor: NativeConductor;
  /** Whether workers ring each other. */
  readonly #peers: boolean;
  readonly #bells = new Map<number, number>();

  constructor(conductor: NativeConductor, peers: boolean) {
    this.#conductor = conductor;
    this.#peers = peers;
  }

  /** What the worker of a row is started with, or -errno: out of descriptors. */
  forWorker(row: number): { bell: number; conductor: number } | number {
    const bell = this.#of(row);
    return bell < 0 ? bell : { bell, conductor: this.#conductor.wakeFd() };
  }

  /** Hands every ready worker the bells of ready workers that it does not have. */
  introduce(ready: readonly WorkerHandle[]): void {
    if (!this.#peers) return;
    for (const worker of ready) {
      const rows = ready.map(({ row }) => row).filter((row) => row !== worker.row && !worker.bells.has(row));
      for (let from = 0; from < rows.length; from += PER_MESSAGE) {
        const part = rows.slice(from, from + PER_MESSAGE);
        // Of what cannot be sent it hears at the next change, and until then from the conductor.
        if (worker.send({ type: 'bells', rows: part }, part.map((row) => this.#bells.get(row)!)) >= 0) for (const row of part) worker.bells.add(row);
      }
    }
  }

  #of(row: number): number {
    const known = this.#bells.get(row);
    if (known !== undefined) return known;
    const bell = native.createBell();
    if (bell < 0) return bell;
    const status = this.#conductor.setBell(row, bell);
    if (status < 0) {
      closeFd(bell);
      return status;
    }
    this.#bells.set(row, bell);
    return bell;
  }
}
