/**
 * Every listen() of the app, served by the master's sockets. In a worker, installed once, before the app is loaded.
 *
 * The place is `net.Server.prototype._listen2`, which net.js itself calls by that name so that it can be wrapped: http, https, http2 and
 * all frameworks end there, with arguments parsed and names resolved. A server that comes without a handle gets a Listener
 * (listener.ts); the rest of _listen2, and so address(), the `listening` event and errors, stays Node's. Not ours: listen(handle), listen({fd})
 * and listen({port: 0, exclusive: true}), with which a program says that it wants a port for itself. At a port that it names, `exclusive` would
 * leave it to the first worker alone, and means nothing to a program made for one process: srvx, which h3 and Nitro serve by, always says it.
 */
import net from 'node:net';
import { resolve } from 'node:path';
import { constants } from 'node:os';
import { closeFd } from '../native.js';
import { rowOffset } from '../ipc/board.js';
import type { ListenQuestion, ListenRefusal, Unattended } from '../ipc/messages.js';
import { Listener } from './listener.js';
import type { ProxyProtocol } from './proxy-protocol.js';
import { watchSentHandles, type SentHandles } from './sent-handles.js';
import type { HandedSocket } from './strategy.js';
import { watchNames, type NamedPlace } from './unresolved.js';

/** What the master answered: our own sockets, or why not. */
export type ListenAnswer = { key: string; sockets: HandedSocket[] } | ListenRefusal;

export interface InterceptOptions {
  /** Ask the master, blocking until it answers. */
  ask: (question: ListenQuestion) => ListenAnswer;
  boardBuffer: ArrayBuffer;
  /** Our row on the board: its number, as in the init message. */
  row: number;
  slot: number;
  /** A server is served by drover's sockets from now on; its `listening` event is still to come. */
  onListening: (server: net.Server, key: string) => void;
  /** Accepting failed: see NativeAcceptor's onError. */
  onAcceptError: (errno: number) => void;
  /** A server begins to listen for the first time, whoever's the sockets are. */
  onServer: (server: net.Server) => void;
  /** The app has closed the server that was served by this listener. */
  onClosed?: (key: string) => void;
  /** The app has sent a connection to a process of its own. */
  onSent?: SentHandles['onSent'];
  /** With --proxy-protocol; asked at each listen(). */
  proxy?: () => ProxyProtocol | undefined;
}

export interface Intercept {
  /** Sockets of other slots, to accept from when their owners cannot. Owned from here on; those nobody needs are closed. */
  siblings(sockets: readonly HandedSocket[]): void;
  /** The slots of which no worker listens at a listener. */
  setUnattended(key: string, unattended: Unattended): void;
  /** Take no more connections. The listeners in `close` accept what they have queued first: nobody else will. */
  drain(close: 'all' | readonly string[]): void;
  /** Servers at a port of the app's own choice that no other worker has (port 0, exclusive): as a rule only the app itself asks them, and drain() leaves them open. */
  ownServers(): net.Server[];
  /** Close their sockets. */
  closeOwn(): void;
  /** Look at all queues again: a worker that was woken for a connection has died before it took it. */
  recheck(): void;
  /** The worker is full: accept nothing more, until release(). In the very callback that hands over a connection, it is the last. */
  hold(): void;
  release(): void;
  /** Servers served by drover's sockets. */
  servers(): net.Server[];
  /** How many these are. */
  readonly listeners: number;
  /** Why the last listen() failed, if it did. An app may keep that to itself: Express 5 hands the error to the callback of listen(). */
  readonly refused: ListenRefusal | undefined;
  /** The name that a listen() of the app's waits for. */
  readonly awaitedName: NamedPlace | undefined;
}

/** net.Server as net.js knows it. */
interface Internals {
  _handle: { close(): void } | Refusal | Listener | null;
  _pipeName?: string;
  listen(...args: unknown[]): net.Server;
  _listen2(address: string | null | undefined, port: number | null, addressType: number | null, backlog: unknown, fd: unknown, flags: unknown): void;
}

/** A handle that only tells Node why it cannot listen: Node makes of it the error event of a plain server. */
interface Refusal {
  listen(): number;
  close(): void;
}

const UV_TCP_IPV6ONLY = 1;
let installed = false;

export function installIntercept(options: InterceptOptions): Intercept {
  if (installed) throw new Error('listen() is intercepted already');
  installed = true;

  const prototype = net.Server.prototype as unknown as Internals;
  const { listen: nodeListen, _listen2: nodeListen2 } = prototype;
  const open = new Map<Listener, net.Server>();
  /** Servers whose last listen() asked for a socket that is not shared. */
  const exclusive = new WeakSet<object>();
  const seen = new WeakSet<object>();
  /** Servers that listen by a handle of Node's own, and whether at port 0. */
  const plain = new Map<Internals, boolean>();
  let draining = false;
  let listened = false;
  let held = false;
  let refused: ListenRefusal | undefined;

  watchSentHandles({
    isOurs: (handle) => handle instanceof net.Server && (handle as unknown as Internals)._handle instanceof Listener,
    onSent: (...sent) => options.onSent?.(...sent),
  });

  const names = watchNames((refusal) => (refused = refusal));

  // To see `exclusive`, which net.js does not hand on to _listen2, and a name, which it may never hand on.
  prototype.listen = function listen(this: Internals, ...args: unknown[]): net.Server {
    const first = args[0] as { exclusive?: unknown; reusePort?: unknown } | null | undefined;
    if (typeof first === 'object' && first !== null && Boolean(first.exclusive) && first.reusePort !== true) exclusive.add(this);
    else exclusive.delete(this);
    const server = this as unknown as net.Server;
    names.listens(server, args);
    try {
      return nodeListen.apply(this, args);
    } catch (error) {
      names.threw(server);
      throw error;
    }
  };

  prototype._listen2 = function _listen2(this: Internals, address, port, addressType, backlog, fd, flags): void {
    const server = this as unknown as net.Server;
    names.resolved(server);
    if (!seen.has(this)) {
      seen.add(this);
      options.onServer(server);
    }
    if (this._handle !== null || (typeof fd === 'number' && fd >= 0) || (port === 0 && exclusive.has(this))) {
      nodeListen2.call(this, address, port, addressType, backlog, fd, flags);
      for (const closed of plain.keys()) if (closed._handle === null) plain.delete(closed);
      if (this._handle !== null) plain.set(this, port === 0);
      return;
    }

    const isPath = port === -1 && addressType === -1;
    // A lookup() of the app's own that answers with one address where Node has asked for all.
    address ??= null;
    const answer = acquire(server, {
      ordinal: freeOrdinal(),
      first: !listened,
      address: isPath ? null : address,
      port: isPath ? 0 : (port ?? 0),
      path: isPath ? masterPath(address!) : null,
      backlog: typeof backlog === 'number' ? backlog : 0,
      ipv6Only: (Number(flags) & UV_TCP_IPV6ONLY) !== 0,
    });
    if (answer instanceof Listener) {
      const bound = answer.address;
      this._handle = answer;
      open.set(answer, server);
      // address() of a server that --bind has put at another path, or at a path instead of a port.
      if (bound.family === 'unix' && !(isPath && masterPath(address!) === bound.path)) this._pipeName = bound.path;
      if (bound.family !== 'unix' && !isPath && address === null) [address, addressType] = [bound.address, bound.family === 'IPv6' ? 6 : 4];
      nodeListen2.call(this, address, port, addressType, backlog, fd, flags);
      // listen() of the handle may have failed, and then Node has dropped it.
      if (open.has(answer)) options.onListening(server, answer.key);
    } else {
      // Node names the address it tried last: 0.0.0.0 only when :: could not be bound at all.
      if (!isPath) address ??= answer === -constants.errno.EADDRINUSE ? '::' : '0.0.0.0';
      this._handle = { listen: () => answer, close() {} };
      nodeListen2.call(this, address, port, addressType, backlog, fd, flags);
    }
  };

  /** A listener, or -errno. */
  function acquire(server: net.Server, question: ListenQuestion): Listener | number {
    const answer = options.ask(question);
    if ('errno' in answer) {
      refused = answer;
      return answer.errno;
    }
    const { key, sockets } = answer;
    refused = undefined;
    listened = true;
    const listener = new Listener(sockets, {
      key,
      ordinal: question.ordinal,
      server,
      board: options.boardBuffer,
      rowOffset: rowOffset(options.row),
      onAcceptError: options.onAcceptError,
      proxy: options.proxy?.(),
      onClose(closed) {
        if (open.delete(closed) && !draining) options.onClosed?.(closed.key);
      },
    });
    if (held) listener.hold(true);
    if (draining) listener.leave(false);
    return listener;
  }

  /**
   * The smallest number no open listener has. So a server that was opened only to see whether a port is free, and closed (get-port and
   * its like), does not take the place of --bind, and listen(0) after close() gets the same socket again.
   */
  function freeOrdinal(): number {
    const taken = new Set([...open.keys()].map((listener) => listener.ordinal));
    let ordinal = 0;
    while (taken.has(ordinal)) ordinal++;
    return ordinal;
  }

  return {
    siblings(sockets) {
      for (const [key, members] of groupByKey(sockets)) {
        const listener = [...open.keys()].find((candidate) => candidate.key === key);
        if (listener === undefined) for (const { fd } of members) closeFd(fd);
        else listener.join(members);
      }
    },
    setUnattended(key, unattended) {
      for (const listener of [...open.keys()]) if (listener.key === key) listener.setUnattended(unattended);
    },
    drain(close) {
      draining = true;
      for (const listener of [...open.keys()]) listener.leave(close === 'all' || close.includes(listener.key));
      // Sockets of the app's own: nobody takes them over. server.close() would also cut idle keep-alive connections, so only the handle
      // is closed; closing it again later is harmless.
      for (const [server, isOwn] of plain) if (!isOwn) server._handle?.close();
    },
    ownServers: () => [...plain].filter(([, isOwn]) => isOwn).map(([server]) => server as unknown as net.Server),
    closeOwn() {
      for (const server of plain.keys()) server._handle?.close();
    },
    recheck() {
      for (const listener of [...open.keys()]) listener.recheck();
    },
    hold() {
      held = true;
      for (const listener of open.keys()) listener.hold(true);
    },
    release() {
      held = false;
      for (const listener of open.keys()) listener.hold(false);
    },
    servers: () => [...open.values()],
    get listeners() {
      return open.size;
    },
    get refused() {
      return refused;
    },
    get awaitedName() {
      return names.awaited;
    },
  };
}

/** Bytes of sun_path after the NUL that begins an abstract name. */
const ABSTRACT_BYTES = 107;
/** libuv before 1.47 (Node 20) fills abstract names up with NUL bytes, when it connects as when it binds. */
const padsAbstract = Number.parseInt(process.versions.node, 10) < 22;

/** The path as the master, whose working directory may be another, must read it; a NUL byte begins an abstract name. */
function masterPath(path: string): string {
  if (!path.startsWith('\0')) return resolve(path);
  const name = path.slice(1);
  return `@${padsAbstract ? name + '\0'.repeat(Math.max(0, ABSTRACT_BYTES - Buffer.byteLength(name))) : name}`;
}

function groupByKey(sockets: readonly HandedSocket[]): Map<string, HandedSocket[]> {
  const byKey = new Map<string, HandedSocket[]>();
  for (const socket of sockets) {
    const members = byKey.get(socket.grant.key);
    if (members === undefined) byKey.set(socket.grant.key, [socket]);
    else members.push(socket);
  }
  return byKey;
}
