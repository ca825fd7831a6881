/** Tells the log where drover listens, and why with another strategy than was asked for. In the master. */
import { formatBound } from './bound.js';
import type { CoordinationOptions } from './coordination.js';
import type { Bind } from './open.js';

export class Announcer {
  readonly #emit: CoordinationOptions['emit'];
  /** Choices of a strategy that the log has the reason of. */
  readonly #explained = new Set<string>();

  constructor(emit: CoordinationOptions['emit']) {
    this.#emit = emit;
  }

  listening(binds: readonly Bind[]): void {
    for (const { address: bound, strategy, reason, backlog } of binds) {
      const address = formatBound(bound);
      this.#emit('master.listening', { address, strategy: strategy.name, backlog });
      this.#explain(address, strategy.name, reason);
    }
  }

  /** Once: some programs listen at a new port for each session, for the same reason each time. The strategy of each address is in `master.listening`. */
  #explain(address: string, strategy: string, reason: string | undefined): void {
    const choice = `${strategy}: ${reason}`;
    if (reason === undefined || this.#explained.has(choice)) return;
    this.#explained.add(choice);
    this.#emit('listen.strategy', { address, strategy, reason });
  }
}
