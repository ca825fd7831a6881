/**
 * The verb *publish the state*: which slots serve goes to the listeners (steering) and to the workers (siblings' sockets), that all are
 * ready goes to the log. Runs in the master. Does nothing where nothing has changed.
 */
import { constants } from 'node:os';
import type { SocketGrant } from '../ipc/messages.js';
import { formatBound } from '../accept/bound.js';
import type { CallHook, Context } from './context.js';
import type { Pool } from './pool.js';
import type { WorkerHandle } from './worker-handle.js';

/**
 * For so long the first worker of a slot has the row of waiters at its socket to itself, since owners are to stand first there. Not for longer: while nobody is
 * ready, or all are stalled, the kernel puts connections there, and the worker may take long or never get so far.
 */
const FIRST_IN_ROW_MS = 500;

export class Publisher {
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #hook: CallHook;
  /** Slots that have been served. */
  readonly #registered = new Set<number>();
  /** By slot. */
  #owners: ReadonlyMap<number, WorkerHandle> = new Map();
  #serving = '';
  /** When sockets that are held back from siblings shall be handed to them. */
  #heldUntil = Infinity;

  constructor(context: Context, pool: Pool, hook: CallHook) {
    this.#context = context;
    this.#pool = pool;
    this.#hook = hook;
  }

  /** There may be sockets that are new: who is ready shall have them too. */
  socketsChanged(): void {
    this.#serving = '';
  }

  /** The app of a worker has closed a listener, and with it its siblings' sockets: it wants them again when it listens there again. */
  forget(worker: WorkerHandle, key: string): void {
    for (const name of worker.introduced) if (name.startsWith(`${key} `)) worker.introduced.delete(name);
    worker.unattended.delete(key);
  }

  /** When publish() will want to be called again without any event. */
  nextWake(): number {
    return this.#heldUntil;
  }

  publish(now: number): void {
    // By worker, not by slot: a successor has to be introduced to its siblings although the slots are the same.
    const ready = this.#pool.inState('ready');
    const serving = ready.map((worker) => worker.pid).join(' ');
    const changed = serving !== this.#serving;
    if (changed) this.#setOwners(ready);
    this.#tellUnattended(ready);
    if (!changed && now < this.#heldUntil) return;
    this.#serving = serving;
    const slots = this.#pool.servingSlots();
    this.#context.listeners.setServing(slots);
    // Also where the slots are the same, and a successor serves one of them.
    this.#context.conductor?.boardChanged();
    this.#introduce(slots, now);
    this.#context.bells?.introduce(ready);
    this.#announce();
  }

  /**
   * Who serves a slot, for steering: its newest ready worker. One that is new to the group is charged what the others carry, or it would be the least loaded
   * for every connection until it has caught up; the conductor takes the charge back.
   */
  #setOwners(ready: readonly WorkerHandle[]): void {
    const { board } = this.#context;
    const owners = new Map(ready.map((worker) => [worker.slot, worker]));
    for (const slot of this.#owners.keys()) if (!owners.has(slot)) board.setOwner(slot, null);
    for (const [slot, worker] of owners) {
      if (this.#owners.get(slot) === worker) continue;
      const others = ready.filter((other) => other !== worker && this.#owners.get(other.slot) === other);
      const loads = others.map(({ row }) => board.get(row, 'connections') + board.get(row, 'requestsInFlight'));
      board.set(worker.row, 'handicap', loads.length === 0 ? 0 : Math.round(loads.reduce((sum, load) => sum + load, 0) / loads.length));
      board.setOwner(slot, worker.row);
    }
    this.#owners = owners;
  }

  /** Hand every ready worker the sockets of slots it does not watch yet. */
  #introduce(slots: readonly number[], now: number): void {
    for (const slot of slots) this.#registered.add(slot);
    /** Until when, by slot. */
    const held = new Map<number, number>();
    for (const { slot, listensAt = -Infinity } of this.#pool.inState('starting')) {
      const until = listensAt + FIRST_IN_ROW_MS;
      if (now < until && !this.#registered.has(slot)) held.set(slot, until);
    }
    this.#heldUntil = Math.min(...held.values());
    for (const worker of this.#pool.inState('ready')) {
      const { sockets, fds } = this.#context.listeners.siblings(worker.slot, worker.row, slots);
      const fresh = sockets.flatMap((grant, index) => (worker.introduced.has(nameOf(grant)) || held.has(grant.slot) ? [] : [{ grant, fd: fds[index]! }]));
      // A message carries a limited number of descriptors (SCM_MAX_FD is 253).
      for (let from = 0; from < fresh.length; from += 128) {
        const part = fresh.slice(from, from + 128);
        const status = worker.send({ type: 'siblings', sockets: part.map(({ grant }) => grant) }, part.map(({ fd }) => fd));
        if (status >= 0) for (const { grant } of part) worker.introduced.add(nameOf(grant));
        // Too much is under way: at the next turn of the loop again. A worker that is gone is told nothing.
        else if (status !== EPIPE) this.#serving = '';
      }
    }
  }

  /**
   * What waits at a socket where nobody of its slot listens (the worker has died, has closed that server, or does not open it, as its predecessor did) is for
   * whoever does: with `--steer source` nobody else would take it.
   */
  #tellUnattended(ready: readonly WorkerHandle[]): void {
    const byRow = new Map(ready.map((worker) => [worker.row, worker]));
    for (const { key, slots, rows } of this.#context.listeners.unattended()) {
      const owners = slots.map((slot) => this.#owners.get(slot)?.row ?? -1);
      const news = slots.map((slot, i) => `${slot}:${owners[i]!}`).join(' ');
      for (const row of rows) {
        const worker = byRow.get(row);
        if (worker === undefined || (worker.unattended.get(key) ?? '') === news) continue;
        if (worker.send({ type: 'unattended', key, slots, owners }) >= 0) worker.unattended.set(key, news);
      }
    }
  }

  #announce(): void {
    const { target } = this.#pool;
    if (this.#pool.started || target === 0 || this.#pool.servingSlots().length < target) return;
    this.#pool.started = true;
    void this.#hook('whenReady'); // called before the line is written: whoever reads it may count on that
    this.#context.log.emit('master.ready', { workers: target, addresses: this.#context.listeners.addresses().map(formatBound).join(', ') });
  }
}

const EPIPE = -constants.errno.EPIPE;

function nameOf({ key, bind, slot }: SocketGrant): string {
  return `${key} ${bind} ${slot}`;
}
