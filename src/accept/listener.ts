/**
 * The listening handle that a net.Server of the app gets in place of Node's own (`server._handle`): the same few methods, over
 * native acceptors that poll the sockets the master owns. In a worker.
 *
 * Node puts its own `onconnection` on it and a symbol for the server; we call that with the handle of each accepted connection, so everything
 * from maxConnections to diagnostics is Node's own code (in Node 20 it is that of hand-over.ts, which says why). What net.js calls on a listening handle (20, 22, 24, 26): listen, close, ref,
 * unref, getsockname (TCP only: without it address() is the path), fchmod (unix only), getAsyncId.
 */
import { AsyncResource } from 'node:async_hooks';
import type { Server } from 'node:net';
import { native, closeFd, type NativeAcceptor, type ProxyHeader } from '../native.js';
import type { BoundAddress, Unattended } from '../ipc/messages.js';
import { chmodSocket } from './chmod-socket.js';
import { handOver, type OnConnection } from './hand-over.js';
import { STRATEGIES } from './strategies.js';
import { nameByProxy } from './peer.js';
import type { ProxyProtocol } from './proxy-protocol.js';
import type { HandedSocket, Strategy } from './strategy.js';
import { wrapConnection, type ConnectionHandle, type ConnectionKind } from './wrap.js';

export interface ListenerOptions {
  /** The listener as the master knows it. */
  key: string;
  /** Which of the worker's listeners this is: see ListenRequest. */
  ordinal: number;
  /** That listens. */
  server: Server;
  board: ArrayBuffer;
  /** Byte offset of our row on the board. */
  rowOffset: number;
  onAcceptError: (errno: number) => void;
  onClose: (listener: Listener) => void;
  /** With --proxy-protocol: reads the header first. */
  proxy: ProxyProtocol | undefined;
}

/** The sockets of one strategy and one kind of connection: the acceptor does not tell which socket a connection came from. */
interface Group {
  strategy: Strategy;
  kind: ConnectionKind;
  acceptor: NativeAcceptor;
}

/** Ours, whatever an app puts in its place (fake timers). */
const nextTurn = setImmediate;

/** Made before the app is loaded: no context at all. */
const OUTSIDE = new AsyncResource('DROVERACCEPTOR', { requireManualDestroy: true });

export class Listener {
  readonly key: string;
  readonly ordinal: number;
  /** Set by Node before it calls listen(). */
  onconnection: OnConnection<Listener> | undefined;
  getsockname?: (out: Partial<{ address: string; family: string; port: number }>) => number;
  fchmod?: (mode: number) => number;

  readonly #options: ListenerOptions;
  /** What `onconnection` was when the server in #options called listen(). */
  #nodes: OnConnection<Listener> | undefined;
  readonly #sockets: readonly HandedSocket[];
  readonly #groups: Group[] = [];
  /** bind and slot of every socket we have: the master may send a sibling's again. */
  readonly #held = new Set<string>();
  /**
   * A server hears of its connections in the context of listen(): an AsyncLocalStorage entered around it is there in the handler. The connection itself is made outside of it (OUTSIDE), and so
   * are its events, as with a handle of Node's own (but for the ids that async hooks are told: of the trigger, and of what the handler runs in, which is an acceptor that was made in this context).
   */
  readonly #context = new AsyncResource('DROVERLISTENER', { requireManualDestroy: true });
  /** Whether every TCP connection that is accepted has TCP_NODELAY: of sockets of drover's own it has, of those that drover inherits it may not. */
  #noDelay = true;
  #state: 'new' | 'open' | 'drained' | 'closing' | 'closed' = 'new';
  #referenced = true;
  #isHeld = false;
  #unattended: Unattended = { slots: [], owners: [] };
  /** In the turn of listen(). */
  #isNew = false;
  /** While we call an acceptor, which then may accept: connections are not of our caller's context. */
  #calls = false;

  /** `sockets`: our own, one per bind; owned from here on. */
  constructor(sockets: readonly HandedSocket[], options: ListenerOptions) {
    this.key = options.key;
    this.ordinal = options.ordinal;
    this.#options = options;
    this.#sockets = sockets;
    const address = this.address;
    if (address.family === 'unix') {
      this.fchmod = (mode) => chmodSocket(address.path, mode);
    } else {
      this.getsockname = (out) => {
        Object.assign(out, { address: address.address, family: address.family, port: address.port });
        return 0;
      };
    }
  }

  /** What server.address() says: the first of the addresses served. */
  get address(): BoundAddress {
    return this.#sockets[0]!.grant.address;
  }

  /** Descriptor of the first socket, as handles of Node's have it; -1 once closed. */
  get fd(): number {
    return this.#state === 'open' ? this.#sockets[0]!.fd : -1;
  }

  /**
   * Called by Node once `onconnection` is set. The backlog has gone to the master with the request. 0 or -errno.
   *
   * Connections are taken from the next turn on. Some may wait at a socket that the master has had open before, and as a rule a worker is ready at the end of this turn: it
   * shall not be so only when the first of them has been through code that is still to be compiled.
   */
  listen(_backlog: number): number {
    if (this.#state !== 'new') {
      // Another server has been given this handle, and Node says which.
      this.#nodes = undefined;
      return 0;
    }
    this.#state = 'open';
    this.#isNew = true;
    this.#nodes = this.onconnection;
    const result = this.#arm(this.#sockets, 'open');
    if (result < 0) this.close();
    else nextTurn(() => this.#begin());
    return result;
  }

  #begin(): void {
    this.#isNew = false;
    if (!this.#isHeld) for (const { acceptor } of this.#groups) acceptor.release();
  }

  /** Sockets of other slots, to accept from when their owners cannot; owned from here on. */
  join(sockets: readonly HandedSocket[]): void {
    const fresh: HandedSocket[] = [];
    for (const socket of sockets) {
      if (this.#state === 'open' && !this.#held.has(nameOf(socket))) fresh.push(socket);
      else closeFd(socket.fd);
    }
    // A socket that cannot be armed is still served by its owner and its other siblings.
    const result = this.#arm(fresh, 'join');
    if (result < 0) this.#options.onAcceptError(result);
  }

  /**
   * Take no more connections, while the server stays `listening` for the app: close() is its own to call. With `drain`, what is queued is
   * accepted first. Before listen(): never take any.
   */
  leave(drain: boolean): void {
    if (this.#state === 'new') {
      for (const { fd } of this.#sockets) closeFd(fd);
      this.#state = 'drained';
    }
    if (this.#state !== 'open') return;
    // With `drain` connections are handed over in here.
    this.#call(({ strategy, acceptor }) => strategy.leave(acceptor, drain));
    this.#groups.length = 0;
    if (this.#isOpen()) this.#state = 'drained';
  }

  /** The slots of which no worker listens here. */
  setUnattended(unattended: Unattended): void {
    this.#unattended = unattended;
    for (const { acceptor } of this.#groups) acceptor.setUnattended(unattended.slots, unattended.owners);
  }

  /** Look at the queues again: a sibling that was woken for a connection may have died before it took it. */
  recheck(): void {
    this.#call(({ acceptor }) => acceptor.recheck());
  }

  /** Accept nothing more while the worker is full. */
  hold(on: boolean): void {
    this.#isHeld = on;
    for (const { acceptor } of this.#groups) {
      if (on) acceptor.hold();
      else if (!this.#isNew) acceptor.release();
    }
  }

  /** Called by Node for server.close(), and after a listen() that failed. What is queued is for the siblings, whom the master tells that nobody is here now, or for the next worker. */
  close(callback?: () => void): void {
    if (callback !== undefined) setImmediate(callback);
    if (this.#state === 'closing' || this.#state === 'closed') return;
    if (this.#state === 'new') for (const { fd } of this.#sockets) closeFd(fd);
    this.#state = 'closing';
    // The acceptors still hand over what the kernel has woken us, and nobody else, for; the server counts and serves it like the connections
    // that came before.
    this.#call(({ strategy, acceptor }) => strategy.leave(acceptor, false));
    this.#groups.length = 0;
    this.#state = 'closed';
    this.#context.emitDestroy();
    this.#options.onClose(this);
  }

  ref(): void {
    this.#referenced = true;
    for (const { acceptor } of this.#groups) acceptor.ref();
  }

  unref(): void {
    this.#referenced = false;
    for (const { acceptor } of this.#groups) acceptor.unref();
  }

  hasRef(): boolean {
    return this.#referenced && this.#state === 'open';
  }

  getAsyncId(): number {
    return this.#context.asyncId();
  }

  /** A call may have changed the state under a caller that has looked at it: TypeScript would not believe it. */
  #isOpen(): boolean {
    return this.#state === 'open';
  }

  /** All acceptors, in what may hand connections over. */
  #call(use: (group: Group) => void): void {
    const nested = this.#calls;
    this.#calls = true;
    for (const group of [...this.#groups]) use(group);
    this.#calls = nested;
  }

  #arm(sockets: readonly HandedSocket[], verb: 'open' | 'join'): number {
    const byGroup = new Map<Group, HandedSocket[]>();
    for (const socket of sockets) {
      this.#held.add(nameOf(socket));
      if (socket.grant.address.family !== 'unix') this.#noDelay &&= native.noDelay(socket.fd) === 1;
      const group = this.#groupOf(socket);
      const members = byGroup.get(group);
      if (members === undefined) byGroup.set(group, [socket]);
      else members.push(socket);
    }
    let failed = 0;
    for (const [{ strategy, acceptor }, members] of byGroup) {
      const result = strategy[verb](acceptor, members);
      if (result < 0 && failed === 0) failed = result;
    }
    return failed;
  }

  #groupOf({ grant }: HandedSocket): Group {
    const strategy = STRATEGIES[grant.strategy];
    const kind: ConnectionKind = grant.address.family === 'unix' ? 'unix' : 'tcp';
    const known = this.#groups.find((group) => group.strategy === strategy && group.kind === kind);
    if (known !== undefined) return known;
    const { board, rowOffset, onAcceptError, proxy } = this.#options;
    const onError = (errno: number): void => OUTSIDE.runInAsyncScope(onAcceptError, undefined, errno);
    const acceptor =
      proxy === undefined
        ? this.#context.runInAsyncScope(() => new native.Acceptor<ConnectionHandle>(board, rowOffset, (connection) => this.#handOver(connection), onError, (fd) => this.#wrap(kind, fd)))
        : OUTSIDE.runInAsyncScope(() => new native.Acceptor(board, rowOffset, (fd) => proxy.take(kind, fd, (header) => this.#handOn(kind, fd, header)), onError));
    if (!this.#referenced) acceptor.unref();
    acceptor.setUnattended(this.#unattended.slots, this.#unattended.owners);
    if (this.#isHeld || this.#isNew) acceptor.hold();
    const group = { strategy, kind, acceptor };
    this.#groups.push(group);
    return group;
  }

  /** Also when we have left meanwhile: what was accepted is served, unless the app itself has closed its server. */
  #wrap(kind: ConnectionKind, fd: number): ConnectionHandle | null {
    if (this.#state === 'closed') {
      closeFd(fd);
      return null;
    }
    const noDelay = kind === 'tcp' && this.#noDelay;
    return this.#calls ? OUTSIDE.runInAsyncScope(wrapConnection, undefined, kind, fd, noDelay) : wrapConnection(kind, fd, noDelay);
  }

  /** At once or later, when a PROXY header has been read. */
  #handOn(kind: ConnectionKind, fd: number, header: ProxyHeader): void {
    const connection = this.#wrap(kind, fd);
    if (connection === null) return;
    nameByProxy(connection, header);
    this.#context.runInAsyncScope(this.#handOver, this, connection);
  }

  #handOver(connection: ConnectionHandle): void {
    handOver<Listener>(this, this.#nodes, this.#options.server, connection);
  }
}

function nameOf({ grant }: HandedSocket): string {
  return `${grant.bind} ${grant.slot}`;
}
