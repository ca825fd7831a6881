/**
 * What coordinates the sockets of an address, in the master: the conductor, which is shown those that its duties have work with, and steering, which chooses
 * among those of the slots. The sockets themselves are their Bind's.
 */
import { getSystemErrorName } from 'node:util';
import type { EventName } from '../log/events.js';
import type { NativeConductor } from '../native.js';
import { formatBound } from './bound.js';
import type { Bind } from './open.js';
import { explainSteering, type SteeringChoice } from './steering/choose.js';
import { steerByHash } from './steering/hash.js';
import type { Steering } from './steering/steering.js';

export interface CoordinationOptions {
  /** For strategies that need it (isConducted). */
  conductor?: Pick<NativeConductor, 'grant' | 'ungrant' | 'permit' | 'unpermit' | 'rescue' | 'unrescue'> | undefined;
  /** For strategies of one socket per slot; the kernel's hash without. */
  steering?: SteeringChoice | undefined;
  emit: (event: EventName, fields: Record<string, unknown>) => void;
}

interface Steered {
  steering: Steering;
  /** How many of the address's sockets it has. */
  sockets: number;
}

export class Coordination {
  readonly #options: CoordinationOptions;
  /** What steers the sockets of an address. */
  readonly #steered = new Map<Bind, Steered>();
  /** What the conductor knows the sockets of an address by: slot to id. */
  readonly #conducted = new Map<Bind, Map<number, number>>();
  #steeringSaid = false;
  /** Addresses of one socket for all. */
  readonly #unsteered = new WeakSet<Bind>();
  /** The slots that take connections now. */
  serving: readonly number[] = [];

  constructor(options: CoordinationOptions) {
    this.#options = options;
  }

  /** Whether that is news; who steers is to be told then. */
  setServing(slots: readonly number[]): boolean {
    const serving = [...new Set(slots)].sort((a, b) => a - b);
    if (serving.length === this.serving.length && serving.every((slot, index) => slot === this.serving[index])) return false;
    this.serving = serving;
    return true;
  }

  /** Shows new sockets to the conductor, where the strategy has work for it. 0, or -errno where it cannot do without. */
  conduct(bind: Bind): number {
    const { conducted } = bind.strategy;
    const { conductor } = this.#options;
    if (conducted === undefined) return 0;
    if (conductor === undefined) {
      if (conducted === 'rescue') return 0;
      throw new Error(`strategy ${bind.strategy.name} needs a conductor`);
    }
    let ids = this.#conducted.get(bind);
    if (ids === undefined) {
      const known = (ids = new Map<number, number>());
      this.#conducted.set(bind, known);
      bind.release = () => {
        for (const id of known.values()) conductor[`un${conducted}`](id);
        this.#conducted.delete(bind);
      };
    }
    for (const [slot, fd] of bind.sockets) {
      if (ids.has(slot)) continue;
      const id = conductor[conducted](fd);
      if (id >= 0) ids.set(slot, id);
      else if (conducted !== 'rescue') return id;
      else this.#options.emit('listen.unwatched', { address: formatBound(bind.address), error: getSystemErrorName(id) });
    }
    return 0;
  }

  /** Shows new sockets, and who serves, to what steers them. `listening`: slots with a worker that listens there. */
  steer(bind: Bind, listening: ReadonlySet<number>): void {
    const { emit, steering: choice } = this.#options;
    if (bind.strategy.sockets !== 'per-slot') {
      if (choice?.name === 'source' && !this.#unsteered.has(bind)) emit('listen.unsteered', { address: formatBound(bind.address), strategy: bind.strategy.name });
      this.#unsteered.add(bind);
      return;
    }
    let steered = this.#steered.get(bind);
    if (steered === undefined) {
      steered = { steering: this.#openSteering(bind), sockets: 0 };
      this.#steered.set(bind, steered);
      if (choice !== undefined && !this.#steeringSaid) emit('listen.steering', { steering: choice.name, reason: choice.reason });
      this.#steeringSaid = true;
    }
    const errno = this.#addTo(steered, bind, listening);
    if (errno >= 0) return;
    this.#steerFailed(bind, steered.steering.name, errno);
    if (steered.steering.name === 'hash') return;
    // A socket that is missing in the group would make it count wrongly.
    steered.steering.close();
    Object.assign(steered, { steering: steerByHash(), sockets: 0 });
    this.#addTo(steered, bind, listening);
  }

  /** Sockets that are new, and who serves. 0 or -errno. */
  #addTo(steered: Steered, bind: Bind, listening: ReadonlySet<number>): number {
    for (const [slot, fd] of [...bind.sockets].slice(steered.sockets)) {
      const errno = steered.steering.add(slot, fd);
      if (errno < 0) return errno;
      steered.sockets += 1;
    }
    return steered.steering.serving(this.serving.filter((slot) => listening.has(slot)));
  }

  #openSteering(bind: Bind): Steering {
    const choice = this.#options.steering;
    if (choice === undefined) return steerByHash();
    try {
      return choice.open();
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      if (errno === undefined) throw error;
      this.#steerFailed(bind, choice.name, errno);
      return steerByHash();
    }
  }

  #steerFailed(bind: Bind, steering: Steering['name'], errno: number): void {
    this.#options.emit('listen.steer-failed', { address: formatBound(bind.address), ...explainSteering(steering, errno) });
  }

  /** The conductor lets go of a bind's sockets as that is closed. */
  close(bind: Bind): void {
    this.#steered.get(bind)?.steering.close();
    this.#steered.delete(bind);
  }
}
