/**
 * The listening sockets. The master owns every one of them, for its whole life or, for an address that only the app has asked for,
 * until the app has closed it in every worker; workers get duplicates. So a queue outlives the worker it belongs to.
 *
 * What a listener is stands in listener-table.ts. With a strategy of one socket per slot, each address has a socket for every slot of which a worker has
 * listened, never one for a slot that nobody has served yet: what the kernel puts there would wait. The exception is the first socket of each --bind,
 * which reserves the address and is slot 0's.
 */
import { constants } from 'node:os';
import { DroverError } from '../errors.js';
import { formatAddress, type ListenAddress } from '../config/address.js';
import type { AcceptStrategyName } from '../config/options.js';
import type { BoundAddress, ListenQuestion, ListenRefusal, SocketGrant } from '../ipc/messages.js';
import { Announcer } from './announce.js';
import { Backlogs } from './backlogs.js';
import { formatAsked, formatBound } from './bound.js';
import { Coordination, type CoordinationOptions } from './coordination.js';
import { coveredBy } from './cover.js';
import { KeptFiles } from './kept-files.js';
import { BIND, ListenerTable, type Listener } from './listener-table.js';
import { closeBind, openSlot, openTcp, openUnix, type Bind } from './open.js';
import { openBind, resolveBinds } from './open-bind.js';
import { explain, isRefusal, refuse, toListenRefusal, type Refusal } from './refusal.js';
import { choose, type AddressKind, type Choice } from './choose.js';

export interface ListenersOptions extends CoordinationOptions {
  strategy: AcceptStrategyName;
  /** 0, or -errno of a kernel that refuses EPOLLEXCLUSIVE. */
  exclusiveWorks?: number;
  /** For listen(2), where the app does not say. */
  backlog: number;
  /** For unix sockets; null leaves the process's. */
  umask: number | null;
  /** How long a --bind that is in use is tried again. */
  retryMs?: number;
}

/** Sockets with their descriptors, index by index, as a message carries them. The descriptors stay ours. */
export interface Grants {
  sockets: SocketGrant[];
  fds: number[];
}

/** What a worker that asks is answered. */
export type GrantResult = ({ key: string } & Grants) | ListenRefusal;

/** A listening socket, to look at its queue. */
export interface Queue {
  address: string;
  /** -1: shared by all. */
  slot: number;
  /** Stays ours. */
  fd: number;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #table = new ListenerTable();
  readonly #coordination: Coordination;
  readonly #backlogs: Backlogs;
  readonly #announcer: Announcer;
  readonly #files: KeptFiles;
  /** Grants are given one after the other, so that two workers that ask for the same new address get the same sockets. */
  #lastGrant: Promise<unknown> = Promise.resolve();

  constructor(options: ListenersOptions) {
    this.#options = options;
    this.#coordination = new Coordination(options);
    this.#backlogs = new Backlogs(options.emit);
    this.#announcer = new Announcer(options.emit);
    this.#files = new KeptFiles(options.emit);
  }

  /** Opens the addresses of --bind, all or none. `handedOver`: they are the sockets of LISTEN_FDS. Throws ERR_DROVER_LISTEN. */
  async openBinds(addresses: readonly ListenAddress[], handedOver = false): Promise<void> {
    const binds: Bind[] = [];
    try {
      for (const [i, address] of (await resolveBinds(addresses)).entries()) {
        const text = formatAddress(addresses[i]!);
        const bind = await this.#openBind(address, text, handedOver);
        binds.push(bind);
        const errno = this.#coordination.conduct(bind);
        if (errno < 0) {
          const { reason, remedy } = explain(errno, bind.address);
          throw new DroverError('ERR_DROVER_LISTEN', `cannot listen at --bind ${text}: ${reason}`, remedy);
        }
      }
    } catch (error) {
      for (const bind of binds) closeBind(bind);
      throw error;
    }
    this.#table.addBinds(binds);
    this.#announcer.listening(binds);
  }

  /** Shows the sockets there are, and who serves, to what steers them. For the first time that takes a millisecond, which the first worker that listens need not wait for. */
  steer(): void {
    for (const listener of this.#table.all()) this.#steer(listener);
  }

  #steer({ binds, users }: Listener): void {
    const listening = new Set(users.values());
    for (const bind of binds) this.#coordination.steer(bind, listening);
  }

  /**
   * The sockets for a worker that listens: those of --bind for its first server, when --bind is given (`bindGiven`); else those of the
   * address it asks for, opened when they are not yet. Never tries again: an app has its own way to handle EADDRINUSE. `row`: which of the workers of the slot it is.
   */
  grant(question: ListenQuestion, slot: number, bindGiven: boolean, row: number = slot): Promise<GrantResult> {
    const granted = this.#lastGrant.then(() => this.#grant(question, slot, bindGiven, row));
    this.#lastGrant = granted.catch(() => undefined);
    return granted;
  }

  /** A worker's app has closed the server it had at `key`. The last one closes the sockets, so that others may have the address; those of --bind stay. */
  release(key: string, row: number): void {
    const listener = this.#table.get(key);
    if (listener === undefined) return;
    listener.users.delete(row);
    listener.released = true;
    if (!this.#closeUnused(listener)) this.#steer(listener);
  }

  /** What was granted has not reached the worker. */
  withdraw(key: string, row: number): void {
    const listener = this.#table.get(key);
    if (listener?.users.delete(row) === true) this.#steer(listener);
  }

  /** A worker drains: its servers take no connections any more. */
  leave(row: number): void {
    for (const listener of this.#table.all()) {
      const left = listener.users.delete(row);
      if (!this.#closeUnused(listener) && left) this.#steer(listener);
    }
  }

  /**
   * Where a worker listens and where others do, if they have no address in common. Clients know one of the two: it is no way to serve, but that of a program that
   * looks for a free port, and finds the one it wants taken by its other workers.
   */
  apart(row: number, others: readonly number[]): { address: string; other: string } | undefined {
    const all = this.#table.all();
    const here = all.filter(({ users }) => users.has(row));
    const there = all.filter(({ users }) => others.some((other) => users.has(other)));
    if (here.length === 0 || there.length === 0 || here.some((listener) => there.includes(listener))) return undefined;
    return { address: formatBound(here[0]!.binds[0]!.address), other: formatBound(there[0]!.binds[0]!.address) };
  }

  /** Closes the addresses that only the app has asked for and where no worker listens; answers which. */
  closeUnserved(): string[] {
    const unserved = this.#table.all().filter(({ key, users }) => key !== BIND && users.size === 0);
    this.close(unserved.map(({ key }) => key));
    return unserved.flatMap(({ binds }) => binds.map((bind) => formatBound(bind.address)));
  }

  /** A worker is gone, whose row another will have. */
  forget(row: number): void {
    for (const listener of this.#table.all()) if (listener.users.delete(row)) this.#steer(listener);
  }

  /** Whether it is closed. */
  #closeUnused({ key, users, released }: Listener): boolean {
    const unused = key !== BIND && released && users.size === 0;
    if (unused) this.close([key]);
    return unused;
  }

  /**
   * Sockets of other slots that the worker of `slot` is to watch behind their owners, at addresses where it listens itself: it can do nothing with others.
   * `row`: which of the workers of the slot it is. `serving`: the slots with a worker, when not those of setServing.
   */
  siblings(slot: number, row: number, serving: readonly number[] = this.#coordination.serving): Grants {
    const grants: Grants = { sockets: [], fds: [] };
    for (const { key, binds, users } of this.#table.all()) {
      if (!users.has(row)) continue;
      for (const [index, bind] of binds.entries()) {
        if (bind.strategy.sockets !== 'per-slot') continue;
        for (const other of coveredBy(slot, [...bind.sockets.keys()], serving)) addTo(grants, key, index, bind, other);
      }
    }
    return grants;
  }

  /** By listener: the slots that have sockets there and no worker that listens there; and the rows of the workers that do. */
  unattended(): { key: string; slots: number[]; rows: number[] }[] {
    return this.#table.all().map(({ key, binds, users }) => {
      const listening = new Set(users.values());
      const slots = new Set(binds.flatMap(({ sockets }) => [...sockets.keys()]).filter((slot) => slot >= 0 && !listening.has(slot)));
      return { key, slots: [...slots].sort((a, b) => a - b), rows: [...users.keys()] };
    });
  }

  /** Where the worker of `row` listens, and nobody after it: at sockets of its slot no other of that, at those that all share nobody else. */
  notTakenOver(row: number): string[] {
    return this.#table.all()
      .filter(({ binds, users }) => {
        const isShared = binds.every(({ strategy }) => strategy.sockets === 'shared');
        return users.has(row) && ![...users].some(([other, slot]) => other !== row && (isShared || slot === users.get(row)));
      })
      .map(({ key }) => key);
  }

  /** The slots that take connections now. */
  setServing(slots: readonly number[]): void {
    if (this.#coordination.setServing(slots)) this.steer();
  }

  /** Every listening socket there is. */
  queues(): Queue[] {
    return this.#table.all().flatMap(({ binds }) => binds.flatMap((bind) => [...bind.sockets].map(([slot, fd]) => ({ address: formatBound(bind.address), slot, fd }))));
  }

  /** Where drover listens, --bind first. */
  addresses(): BoundAddress[] {
    return this.#table.all().flatMap(({ binds }) => binds.map((bind) => bind.address));
  }

  close(keys: readonly string[]): void {
    for (const key of keys) {
      for (const bind of this.#table.get(key)?.binds ?? []) {
        this.#coordination.close(bind);
        closeBind(bind);
      }
      this.#table.delete(key);
    }
  }

  closeAll(): void {
    this.close(this.#table.all().map(({ key }) => key));
  }

  async #grant(question: ListenQuestion, slot: number, bindGiven: boolean, row: number): Promise<GrantResult> {
    const listener = question.ordinal === 0 && bindGiven ? this.#table.get(BIND)! : await this.#find(question, slot);
    if (isRefusal(listener)) return toListenRefusal(formatAsked(question), listener, question.ordinal);
    // Two servers of one process at one address: what the kernel would say if the sockets were their own.
    if (listener.users.has(row)) return toListenRefusal(formatAsked(question), refuse(-constants.errno.EADDRINUSE, 'another server of the app listens there'), question.ordinal);
    const grants: Grants = { sockets: [], fds: [] };
    for (const [index, bind] of listener.binds.entries()) {
      const owner = bind.strategy.sockets === 'per-slot' ? slot : -1;
      if (!bind.sockets.has(owner)) {
        const errno = openSlot(bind, slot);
        if (errno < 0) {
          // What the addresses before it have got is in their groups.
          this.#steer(listener);
          return toListenRefusal(formatBound(bind.address), explain(errno, bind.address), question.ordinal);
        }
        this.#coordination.conduct(bind);
      }
      this.#files.keep(bind);
      addTo(grants, listener.key, index, bind, owner);
    }
    listener.users.set(row, slot);
    listener.released = false;
    this.#steer(listener);
    this.#table.granted(question, listener);
    return { key: listener.key, ...grants };
  }

  /** The listener that serves what a worker asks for; opened if it is not yet. */
  async #find(question: ListenQuestion, slot: number): Promise<Listener | Refusal> {
    const known = this.#table.serving(question);
    if (known !== undefined) return known;
    const backlog = this.#backlogs.cut(question.backlog > 0 ? question.backlog : this.#options.backlog);
    const { address: host, port, ipv6Only, path } = question;
    const bind =
      path === null
        ? openTcp({ host, port, ipv6Only }, backlog, this.#choose('tcp'), slot)
        : await openUnix(path, backlog, this.#options.umask, this.#choose('unix'));
    if (isRefusal(bind)) return this.#table.explainByOurs(question, bind);
    const errno = this.#coordination.conduct(bind);
    if (errno < 0) {
      closeBind(bind);
      return explain(errno, bind.address);
    }
    this.#announcer.listening([bind]);
    return this.#table.addFor(question, bind);
  }

  #openBind(address: ListenAddress, text: string, handedOver: boolean): Promise<Bind> {
    const { emit, retryMs, umask, backlog } = this.#options;
    return openBind(address, text, { backlog: this.#backlogs.cut(backlog), umask, retryMs, handedOver, choose: (kind) => this.#choose(kind), emit });
  }

  #choose(kind: AddressKind): Choice {
    return choose(this.#options.strategy, kind, this.#options.exclusiveWorks ?? 0);
  }
}

function addTo(grants: Grants, key: string, index: number, bind: Bind, slot: number): void {
  grants.sockets.push({ key, bind: index, slot, address: bind.address, strategy: bind.strategy.name });
  grants.fds.push(bind.sockets.get(slot)!);
}
