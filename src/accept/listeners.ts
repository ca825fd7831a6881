/**
 * The table of listening sockets. The master owns every one of them, for its whole life or, for an address that only the app has asked for,
 * until the app has closed it in every worker; workers get duplicates. So a queue outlives the worker it belongs to.
 *
 * A listener is a key and one address, or several: those of --bind together are the listener `bind`. With a strategy of one socket per slot, each
 * address has a socket for every slot of which a worker has listened, never one for a slot that nobody has served yet:
 * what the kernel puts there would wait. The exception is the first socket of each --bind, which reserves the address and is slot 0's.
 */
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import { DroverError } from '../errors.js';
import { formatAddress, type ListenAddress } from '../config/address.js';
import type { AcceptStrategyName } from '../config/options.js';
import type { BoundAddress, ListenRequest, SocketGrant } from '../ipc/messages.js';
import type { EventName } from '../log/events.js';
import { check, type NativeConductor } from '../native.js';
import { formatBound, formatHostPort } from './bound.js';
import { coveredBy } from './cover.js';
import { findHolder, formatHolder } from './holder.js';
import { closeBind, openInherited, openSlot, openTcp, openUnix, type Bind } from './open.js';
import { explain, isRefusal, type Refusal } from './refusal.js';
import { choose, type AddressKind, type Choice } from './choose.js';
import type { SteeringChoice } from './steering/choose.js';
import { steerByHash } from './steering/hash.js';
import type { Steering } from './steering/steering.js';

export interface ListenersOptions {
  strategy: AcceptStrategyName;
  /** 0, or -errno of a kernel that refuses EPOLLEXCLUSIVE. */
  exclusiveWorks?: number;
  /** For strategies that need it (isConducted). */
  conductor?: Pick<NativeConductor, 'grant' | 'ungrant' | 'permit' | 'unpermit'> | undefined;
  /** For strategies of one socket per slot; the kernel's hash without. */
  steering?: SteeringChoice | undefined;
  /** For listen(2), where the app does not say. */
  backlog: number;
  /** For unix sockets; null leaves the process's. */
  umask: number | null;
  emit: (event: EventName, fields: Record<string, unknown>) => void;
  /** How long a --bind that is in use is tried again. */
  retryMs?: number;
}

/** Sockets with their descriptors, index by index, as a message carries them. The descriptors stay ours. */
export interface Grants {
  sockets: SocketGrant[];
  fds: number[];
}

/** A listening socket, to look at its queue. */
export interface Queue {
  address: string;
  /** -1: shared by all. */
  slot: number;
  /** Stays ours. */
  fd: number;
}

interface Listener {
  readonly key: string;
  readonly binds: readonly Bind[];
  /** How many servers of the app listen here, by slot. Not counted down when a worker dies: its successor will want the address. */
  readonly users: Map<number, number>;
}

const BIND = 'bind';
const RETRY_MS = 5_000;
const RETRY_EVERY_MS = 100;
const { EACCES, ENOENT } = constants.errno;

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #listeners = new Map<string, Listener>();
  /** What workers have asked for (see nameOf) to the key they got. */
  readonly #names = new Map<string, string>();
  /** How many times each key has been wanted. */
  readonly #opened = new Map<string, number>();
  /** Key of what the first server of the app got, the first time one listened. */
  #first: string | undefined;
  /** What steers the sockets of an address, and how many of them it has. */
  readonly #steered = new Map<Bind, { steering: Steering; sockets: number }>();
  #serving: readonly number[] = [];
  #backlogChecked = false;
  #steeringSaid = false;
  /** Grants are given one after the other, so that two workers that ask for the same new address get the same sockets. */
  #lastGrant: Promise<unknown> = Promise.resolve();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Opens the addresses of --bind, all or none. Throws ERR_DROVER_LISTEN. */
  async openBinds(addresses: readonly ListenAddress[]): Promise<void> {
    const binds: Bind[] = [];
    try {
      for (const address of addresses) binds.push(await this.#openBind(address));
    } catch (error) {
      for (const bind of binds) closeBind(bind);
      throw error;
    }
    const listener = { key: BIND, binds, users: new Map() };
    this.#listeners.set(BIND, listener);
    this.#announce(listener);
  }

  /**
   * The sockets for a worker that listens: those of --bind for its first server, when --bind is given (`bindGiven`); else those of the
   * address it asks for, opened when they are not yet. Never tries again: an app has its own way to handle EADDRINUSE.
   */
  grant(request: Omit<ListenRequest, 'type' | 'id'>, slot: number, bindGiven: boolean): Promise<({ key: string } & Grants) | { errno: number; message: string }> {
    const granted = this.#lastGrant.then(() => this.#grant(request, slot, bindGiven));
    this.#lastGrant = granted.catch(() => undefined);
    return granted;
  }

  /** A worker's app has closed the server it had at `key`. The last one closes the sockets, so that others may have the address; those of --bind stay. */
  release(key: string, slot: number): void {
    const listener = this.#listeners.get(key);
    if (listener === undefined || key === BIND) return;
    const users = (listener.users.get(slot) ?? 1) - 1;
    if (users > 0) listener.users.set(slot, users);
    else listener.users.delete(slot);
    if (listener.users.size === 0) this.close([key]);
  }

  /** Sockets of other slots that the worker of `slot` is to watch behind their owners. `serving`: the slots with a worker, when not those of setServing. */
  siblings(slot: number, serving: readonly number[] = this.#serving): Grants {
    const grants: Grants = { sockets: [], fds: [] };
    for (const { key, binds } of this.#listeners.values()) {
      for (const [index, bind] of binds.entries()) {
        if (bind.strategy.sockets !== 'per-slot') continue;
        for (const other of coveredBy(slot, [...bind.sockets.keys()], serving)) addTo(grants, key, index, bind, other);
      }
    }
    return grants;
  }

  /** The slots that take connections now. */
  setServing(slots: readonly number[]): void {
    const serving = [...new Set(slots)].sort((a, b) => a - b);
    if (serving.length === this.#serving.length && serving.every((slot, index) => slot === this.#serving[index])) return;
    this.#serving = serving;
    for (const { binds } of this.#listeners.values()) for (const bind of binds) this.#steer(bind);
  }

  /** Every listening socket there is. */
  queues(): Queue[] {
    return [...this.#listeners.values()].flatMap(({ binds }) => binds.flatMap((bind) => [...bind.sockets].map(([slot, fd]) => ({ address: formatBound(bind.address), slot, fd }))));
  }

  /** Where drover listens, --bind first. */
  addresses(): BoundAddress[] {
    return [...this.#listeners.values()].flatMap(({ binds }) => binds.map((bind) => bind.address));
  }

  close(keys: readonly string[]): void {
    for (const key of keys) {
      for (const bind of this.#listeners.get(key)?.binds ?? []) {
        this.#steered.get(bind)?.steering.close();
        this.#steered.delete(bind);
        closeBind(bind);
      }
      this.#listeners.delete(key);
      for (const [name, named] of this.#names) if (named === key) this.#names.delete(name);
    }
  }

  closeAll(): void {
    this.close([...this.#listeners.keys()]);
  }

  async #grant(request: Omit<ListenRequest, 'type' | 'id'>, slot: number, bindGiven: boolean): Promise<({ key: string } & Grants) | { errno: number; message: string }> {
    const listener = request.ordinal === 0 && bindGiven ? this.#listeners.get(BIND)! : await this.#find(request, slot);
    // A missing directory is EACCES to apps, as libuv has it.
    if (isRefusal(listener)) return { errno: listener.errno === -ENOENT ? -EACCES : listener.errno, message: messageOf(describe(request), listener) };
    const grants: Grants = { sockets: [], fds: [] };
    for (const [index, bind] of listener.binds.entries()) {
      const owner = bind.strategy.sockets === 'per-slot' ? slot : -1;
      if (!bind.sockets.has(owner)) {
        const errno = openSlot(bind, slot);
        if (errno < 0) return { errno, message: messageOf(formatBound(bind.address), explain(errno, bind.address)) };
      }
      this.#steer(bind);
      addTo(grants, listener.key, index, bind, owner);
    }
    listener.users.set(slot, (listener.users.get(slot) ?? 0) + 1);
    if (request.ordinal === 0 && request.path === null && !this.#listeners.has(this.#first ?? '')) this.#first = listener.key;
    return { key: listener.key, ...grants };
  }

  /** The listener that serves what a worker asks for; opened if it is not yet. */
  async #find(request: Omit<ListenRequest, 'type' | 'id'>, slot: number): Promise<Listener | Refusal> {
    const name = nameOf(request);
    const known = this.#listeners.get(this.#names.get(name) ?? '') ?? this.#boundAt(request) ?? this.#insteadOfAny(request);
    if (known !== undefined) {
      this.#names.set(name, known.key);
      return known;
    }
    const backlog = this.#checkBacklog(request.backlog > 0 ? request.backlog : this.#options.backlog);
    const { address: host, port, ipv6Only, path } = request;
    const bind =
      path === null
        ? openTcp({ host, port, ipv6Only }, backlog, this.#choose('tcp'), slot)
        : await openUnix(path, backlog, this.#options.umask, this.#choose('unix'));
    if (isRefusal(bind)) return bind;
    const listener = { key: this.#freshKey(port === 0 && path === null ? name : keyOf(bind.address)), binds: [bind], users: new Map() };
    this.#listeners.set(listener.key, listener);
    this.#names.set(name, listener.key);
    this.#announce(listener);
    return listener;
  }

  /** A key is never used again: a message about sockets that were closed may still be on its way when the address is opened anew. */
  #freshKey(wanted: string): string {
    const times = (this.#opened.get(wanted) ?? 0) + 1;
    this.#opened.set(wanted, times);
    return times === 1 ? wanted : `${wanted} (${times})`;
  }

  /**
   * A listener that is bound at just the address asked for, under another name: a port that listen(0) got and the app then asks for by its
   * number; `::` for null.
   */
  #boundAt({ address, port, path }: Omit<ListenRequest, 'type' | 'id'>): Listener | undefined {
    if (path === null && port === 0) return undefined;
    const wanted = path === null ? formatHostPort(address ?? '::', port) : `unix:${path}`;
    for (const listener of this.#listeners.values()) {
      if (listener.key !== BIND && formatBound(listener.binds[0]!.address) === wanted) return listener;
    }
    return undefined;
  }

  /**
   * A program that finds its port taken and takes any (`serve` does) has found it taken by itself in another worker: as the first server
   * of its process it gets what the first server of that worker got.
   */
  #insteadOfAny({ first, port, path }: Omit<ListenRequest, 'type' | 'id'>): Listener | undefined {
    return first && port === 0 && path === null ? this.#listeners.get(this.#first ?? '') : undefined;
  }

  /** Opens one --bind, for as long as it is in use trying again. */
  async #openBind(address: ListenAddress): Promise<Bind> {
    const { emit, retryMs = RETRY_MS } = this.#options;
    const text = formatAddress(address);
    const backlog = this.#checkBacklog(this.#options.backlog);
    const host = address.kind === 'tcp' ? await resolve(address.host, text) : '';
    const deadline = performance.now() + retryMs;
    let told = false;
    for (;;) {
      const bind =
        address.kind === 'tcp'
          ? openTcp({ host, port: address.port, ipv6Only: false }, backlog, this.#choose('tcp'), 0)
          : address.kind === 'unix'
            ? await openUnix(address.path, backlog, this.#options.umask, this.#choose('unix'))
            : openInherited(address.fd, backlog, this.#choose('fd'));
      if (!isRefusal(bind)) return bind;
      const remainingMs = Math.round(deadline - performance.now());
      if (!bind.retry || remainingMs <= 0) throw new DroverError('ERR_DROVER_LISTEN', `cannot listen at --bind ${text}: ${bind.reason}`, bind.remedy);
      if (!told) emit('listen.retrying', { address: text, holder: holderOf(address, host), remainingMs });
      told = true;
      // Uneven, so that two drovers that step aside for each other do not for ever.
      await sleep(Math.min(remainingMs, RETRY_EVERY_MS * (0.5 + Math.random())));
    }
  }

  #steer(bind: Bind): void {
    if (bind.strategy.sockets !== 'per-slot') return;
    const { emit, steering: choice } = this.#options;
    let steered = this.#steered.get(bind);
    if (steered === undefined) {
      steered = { steering: choice === undefined ? steerByHash() : choice.open(), sockets: 0 };
      this.#steered.set(bind, steered);
      if (choice !== undefined && !this.#steeringSaid) emit('listen.steering', { steering: choice.name, reason: choice.reason });
      this.#steeringSaid = true;
    }
    let errno = 0;
    for (const [slot, fd] of [...bind.sockets].slice(steered.sockets)) {
      errno ||= steered.steering.add(slot, fd);
      steered.sockets += 1;
    }
    errno ||= steered.steering.serving(this.#serving);
    if (errno < 0) this.#options.emit('listen.steer-failed', { address: formatBound(bind.address), error: getSystemErrorName(errno) });
  }

  #choose(kind: AddressKind): Choice {
    return choose(this.#options.strategy, kind, this.#options.exclusiveWorks ?? 0);
  }

  /** Shows a new socket to the conductor, where the strategy needs it to. */
  #conduct(bind: Bind): void {
    const { conducted } = bind.strategy;
    const { conductor } = this.#options;
    const fd = bind.sockets.get(-1);
    if (conducted === undefined || fd === undefined) return;
    if (conductor === undefined) throw new Error(`strategy ${bind.strategy.name} needs a conductor`);
    const id = check('epoll_ctl', conductor[conducted](fd));
    bind.release = () => void (conducted === 'grant' ? conductor.ungrant(id) : conductor.unpermit(id));
  }

  #announce({ binds }: Listener): void {
    for (const bind of binds) {
      this.#conduct(bind);
      const { address: bound, strategy, reason, backlog } = bind;
      const address = formatBound(bound);
      this.#options.emit('master.listening', { address, strategy: strategy.name, backlog });
      if (reason !== undefined) this.#options.emit('listen.strategy', { address, strategy: strategy.name, reason });
    }
  }

  /** The backlog as the kernel will take it; says once when it is less than asked for. */
  #checkBacklog(backlog: number): number {
    const somaxconn = readSomaxconn();
    if (somaxconn === undefined || backlog <= somaxconn) return backlog;
    if (!this.#backlogChecked) this.#options.emit('listen.backlog-cut', { backlog, somaxconn });
    this.#backlogChecked = true;
    return somaxconn;
  }
}

function addTo(grants: Grants, key: string, index: number, bind: Bind, slot: number): void {
  grants.sockets.push({ key, bind: index, slot, address: bind.address, strategy: bind.strategy.name });
  grants.fds.push(bind.sockets.get(slot)!);
}

/** What a worker asks for, so that the same listen() in another worker, or after a reload, gets the same sockets. */
function nameOf({ ordinal, address, port, path, ipv6Only }: Omit<ListenRequest, 'type' | 'id'>): string {
  if (path !== null) return `unix:${path}`;
  return `tcp:${address ?? '*'}:${port === 0 ? `0#${ordinal}` : port}${ipv6Only ? ':ipv6only' : ''}`;
}

function keyOf(address: BoundAddress): string {
  return address.family === 'unix' ? formatBound(address) : `tcp:${formatBound(address)}`;
}

function describe({ address, port, path }: Omit<ListenRequest, 'type' | 'id'>): string {
  return path === null ? formatHostPort(address ?? '::', port) : `unix:${path}`;
}

function messageOf(address: string, refusal: Refusal): string {
  return `cannot listen at ${address}: ${refusal.reason}`;
}

/** The address of a --bind: a name may stand for many, the first of them counts, as with Node's listen(). */
async function resolve(host: string, text: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DroverError(
      'ERR_DROVER_LISTEN',
      `cannot listen at --bind ${text}: the name ${host} does not resolve (${code})`,
      'Give an address of this machine, 0.0.0.0 or [::] for all of them, or put the name into /etc/hosts.',
    );
  }
}

/** For the sentence of listen.retrying: ` by …`, or nothing. */
function holderOf(address: ListenAddress, host: string): string {
  if (address.kind === 'fd') return '';
  const holder = findHolder(
    address.kind === 'unix' ? { family: 'unix', path: address.path } : { family: host.includes(':') ? 'IPv6' : 'IPv4', address: host, port: address.port },
  );
  return holder === undefined ? '' : ` by ${formatHolder(holder)}`;
}

function readSomaxconn(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  } catch {
    return undefined;
  }
}
