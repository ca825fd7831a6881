/**
 * The only file that loads the addon: finds it, types it, and turns `-errno` into errors of Node's own shape.
 *
 * Rank 1. Every native function answers `>= 0` or `-errno`; "nothing now" (EAGAIN) is a value, not an error. A function
 * whose kernel feature is absent is still there and answers `-ENOSYS`, so no caller asks for the platform.
 * Descriptors cross this border as plain integers: the receiver owns them and closes them with `closeFd`.
 */
import { closeSync, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { DroverError, RAISE_OPEN_FILES } from './errors.js';

export interface TcpListenOptions {
  /** A literal IPv4 or IPv6 address; names are resolved before. */
  host: string;
  /** 0 to 65535; 0 lets the kernel choose. */
  port: number;
  backlog: number;
  /** SO_REUSEPORT: several sockets of this address, one per worker slot. */
  reusePort: boolean;
  /** IPV6_V6ONLY; ignored for IPv4. */
  ipv6Only: boolean;
}

/** A bound address as getsockname(2) tells it. */
export type SocketAddress =
  | { family: 'IPv4' | 'IPv6'; address: string; port: number }
  | { family: 'unix'; path: string };

/** Accept queue of a listening TCP socket, from TCP_INFO: connections waiting, and the backlog in force. */
export interface QueueLength {
  length: number;
  limit: number;
}

/**
 * A message channel over a SOCK_SEQPACKET socket, with descriptors attached to messages (SCM_RIGHTS).
 * Polls through libuv; does not keep the event loop alive unless `ref()`ed.
 */
export interface NativeChannel {
  /**
   * Start polling. `onMessage(text, fds)` per message; the receiver owns `fds`, which is empty when this process may not open so many
   * descriptors. `onClose(errno)` once, when the peer is gone (0) or the socket broke (-errno); nothing is called after it, and the channel is closed. 0 or -errno (-EBADF: closed, or never was a SOCK_SEQPACKET socket; -EALREADY).
   */
  start(onMessage: (text: string, fds: number[]) => void, onClose: (errno: number) => void): number;
  /**
   * Send one message, at once or queued until the socket takes it (order is kept). Returns 0 or -errno (-EPIPE: peer gone,
   * -EMSGSIZE: over MAX_MESSAGE_BYTES, -ENOBUFS: over 1,024 messages queued). `fds` are duplicated by the kernel: the sender still owns its own.
   */
  send(text: string, fds?: number[]): number;
  /**
   * Send now, blocking up to `timeoutMs` for room: for the last words of a dying process. 0 or -errno (-ETIMEDOUT).
   */
  sendSync(text: string, timeoutMs: number): number;
  /**
   * Block up to `timeoutMs` for the next message, not calling `onMessage`: {text, fds}, 0 on time-out, -errno (-EPIPE: peer gone).
   */
  receiveSync(timeoutMs: number): { text: string; fds: number[] } | number;
  ref(): void;
  unref(): void;
  /** Stop and close the descriptor. Idempotent. */
  close(): void;
}

/** How one listening socket takes part in an Acceptor. */
export interface ArmOptions {
  /** EPOLLEXCLUSIVE: one connection wakes one worker. Falls back to plain level-triggered where the kernel refuses. */
  exclusive: boolean;
  /** Slot that owns the socket; accepted connections count as stolen on the board when it is not the acceptor's own slot. */
  slot: number;
  /** After an accept here, go to the end of the row of waiters (delete and add the registration). */
  rotate: boolean;
  /** Leave the row of waiters while this worker has more connections than the average of those who could take one. */
  gate?: boolean;
  /** Not polled: accepted from when the conductor has granted a connection and rung the bell (startWake). */
  granted?: boolean;
  /** Polled only while this worker has a permit (startWake). */
  permitted?: boolean;
}

/**
 * Accepts connections for one server from any number of listening sockets, one per loop turn and socket while a sibling is idle.
 * Keeps the event loop alive while `ref()`ed (the default), like a listening handle.
 */
export interface NativeAcceptor {
  /** Poll `fd` and own it (closed on `disarm` and `close`). 0 or -errno (-EEXIST: already armed). */
  arm(fd: number, options: ArmOptions): number;
  /** Stop polling `fd` and close it. With `drain`, first accepts all that is queued. 0 or -errno. */
  disarm(fd: number, drain: boolean): number;
  /** Stop accepting everywhere, keeping the sockets. Connections wait in the kernel's queue, or go to siblings. */
  pause(): void;
  resume(): void;
  /**
   * Accept nothing more, from within a connection's callback on: this worker is full. Cheap, and undone by `release`; what waits is then seen at
   * once. Beside pause(), not instead of it: it takes both resume() and release() to accept again.
   */
  hold(): void;
  release(): void;
  /**
   * Look at every socket once without having been woken. A process that dies between its wake-up and its accept takes the wake-up with
   * it, and the connection waits for the next one to come: siblings recheck when a worker has died.
   */
  recheck(): void;
  /**
   * The slots at whose sockets no worker listens, and the row of each one's owner (-1: nobody), who may serve elsewhere. What waits there is anybody's, until
   * told otherwise or until the slot has another owner. 0 or -errno.
   */
  setUnattended(slots: readonly number[], owners: readonly number[]): number;
  /** With `drain`, accepts all that is queued first. Closes every armed descriptor. Idempotent. */
  close(drain: boolean): void;
  /** Descriptors armed now. */
  fds(): number[];
  ref(): void;
  unref(): void;
}

/**
 * The conductor: a thread that places connections and permits without waiting for JavaScript. In the master. Owns duplicates of what it is given.
 */
export interface NativeConductor {
  /** 0 or -errno. */
  start(): number;
  /** Ends the thread and closes all it has. Idempotent. */
  stop(): void;
  /** The eventfd that wakes it, for the workers; the conductor's own. -1 before start(). */
  wakeFd(): number;
  /** The bell (createBell) of the worker of a row; -1: none. 0 or -errno. */
  setBell(row: number, fd: number): number;
  /** Grant the connections of a listening socket. An id for `ungrant`, which must come before the socket is closed, or -errno. */
  grant(fd: number): number;
  ungrant(id: number): number;
  /** Look after the permits to poll a listening socket. An id for `unpermit`, likewise, or -errno. */
  permit(fd: number): number;
  unpermit(id: number): number;
  /** Ring a worker when a connection at a listening socket waits and nobody comes for it. An id for `unrescue`, likewise, or -errno. */
  rescue(fd: number): number;
  unrescue(id: number): number;
  /** A SO_REUSEPORT group steered by load; `board`: descriptor of createBoardMap. An id, or -errno (-EPERM: no CAP_BPF). */
  openLeastGroup(board: number): number;
  /** A SO_REUSEPORT group steered by weights, which it keeps up to date by itself. An id, or -errno. */
  openWeightedGroup(): number;
  /** Add a socket, in order of listen(); a duplicate is kept until closeGroup(). 0 or -errno. */
  addToGroup(group: number, slot: number, fd: number): number;
  /** Make the kernel go by the sockets added (`least`; `weighted` does by itself). 0 or -errno. */
  attachGroup(group: number): number;
  /** Must come before the sockets are closed: a duplicate that is kept goes on listening. */
  closeGroup(group: number): void;
  /** Look at the board now: owners or states have changed. */
  boardChanged(): void;
  /** Times it has looked so far: for the test that an idle server does nothing. */
  ticks(): number;
}

/** A PROXY header. `family` null (UNKNOWN, LOCAL, UNSPEC): the connection's own addresses stay. Of `unix` the addresses are paths, '' for none. */
export interface ProxyHeader {
  family: 'IPv4' | 'IPv6' | 'unix' | null;
  /** Who connected to the proxy. */
  address: string;
  port: number;
  /** Where to. */
  localAddress: string;
  localPort: number;
}

/** Why a connection was closed; with `malformed`, what is wrong with its header. `empty`: its peer has closed it before the first byte. */
export interface ProxyRefusal {
  refusal: 'missing' | 'other-version' | 'malformed' | 'broken-off' | 'empty' | 'late' | 'crowded';
  fault: string | null;
}

/** As the addon has them. */
export const PROXY_VERSIONS = { v1: 1, v2: 2, auto: 3 } as const;

export interface ProxyReaderOptions {
  /** One of PROXY_VERSIONS. */
  version: number;
  /** How long a header may take. */
  timeoutMs: number;
  /** How many may wait at a time; beyond that, the one that has waited longest is refused. */
  waiting: number;
}

/** Reads PROXY headers off connections that were just accepted, and not one byte of what follows. */
export interface NativeProxyReader {
  /**
   * Takes a connection: its header when it is there already, and then the descriptor stays the caller's; why it was closed; or null: the reader owns it now,
   * and calls onHeader, and then it is the caller's again, or onRefused. Keeps the loop alive while one waits.
   */
  take(fd: number): ProxyHeader | ProxyRefusal | null;
  /** Closes what waits, without a word. Idempotent. */
  close(): void;
}

/**
 * The rest of a file to a connected socket, as the socket takes it. Keeps duplicates of both descriptors: whoever closes the connection must
 * cancel the transfer, else the connection stays open until it has ended.
 */
export interface NativeFileTransfer {
  /**
   * `head`, then `length` bytes of `file` from `offset` on. 0 or -errno (-EALREADY: begun before; -EINVAL: also when cancelled before it began). `onProgress(sent)` whenever some were taken, then `onEnd(errno, sent)` once: 0, or -errno
   * (-ENODATA: the file has become shorter; -EINVAL, -ENOSYS, -EPERM: this file cannot be sent so; else the connection is gone). `sent` counts those of the head in. Neither is called before the next
   * turn of the loop.
   */
  start(socket: number, head: Uint8Array | undefined, file: number, offset: number, length: number): number;
  /** Stop; nothing is called any more. Idempotent. */
  cancel(): void;
  sent(): number;
}

export interface Addon {
  /**
   * `head`, then `length` bytes of `file` from `offset` on, to a connected, non-blocking socket: as much as it takes now, at most 1 MiB of the file. Bytes taken, those of the
   * head counted in; or -errno when there were none (-EAGAIN: the socket is full; -EBUSY: what comes next is not in memory; -ENODATA: the file has
   * become shorter; -EINVAL, -ENOSYS, -EPERM: this file cannot be sent so). With `length` 0 any `file` will do. `inMemory`: the file is known to be, and -EBUSY is never answered.
   */
  sendFile(socket: number, head: Uint8Array | undefined, file: number, offset: number, length: number, inMemory: boolean): number;
  FileTransfer: new (onProgress: (sent: number) => void, onEnd: (errno: number, sent: number) => void) => NativeFileTransfer;
  /**
   * Open what `path` names below the directory `root`, for reading: descriptor or -errno (-EXDEV: it leads out; -ELOOP: a symbolic link where `links` is
   * false). With `links` those that stay below `root` are followed, if the kernel has openat2(2). `stat`: 8 numbers, see FILE_STAT.
   */
  openBeneath(root: number, path: string, links: boolean, stat: Float64Array): number;
  /** stat(2) of what `path` now names, from `root`, or of `root` itself with ''. To compare, not to trust. 0 or -errno. */
  statBeneath(root: number, path: string, stat: Float64Array): number;
  /** A listening TCP socket, non-blocking, CLOEXEC, SO_REUSEADDR, TCP_NODELAY: descriptor or -errno. */
  listenTcp(options: TcpListenOptions): number;
  /** Whether a TCP socket has TCP_NODELAY: 1, 0 or -errno. */
  noDelay(fd: number): number;
  /** A listening unix socket; a leading '@' means the abstract namespace. Does not unlink anything. Descriptor or -errno. */
  listenUnix(path: string, backlog: number): number;
  /** Where a socket is bound, or -errno. */
  localAddress(fd: number): SocketAddress | number;
  /** Who is at the other end of a connection, or -errno. */
  peerAddress(fd: number): SocketAddress | number;
  /** Accept queue of a listening TCP socket, or -errno. */
  queueLength(fd: number): QueueLength | number;
  /** Whether anything, a connection or an error, waits at a listening socket of any family: 1 or 0, or -errno. */
  isWaiting(fd: number): number;
  /**
   * What of the bytes handed to the kernel the other end of this connection has still to take, or -errno: of TCP what is not acknowledged, of a unix socket the memory of
   * what is not read (more than its bytes).
   */
  queuedBytes(fd: number): number;
  /** Write to a socket what it has room for, and never wait, whether or not its description blocks: bytes taken, or -errno (-EAGAIN: no room). */
  sendNow(socket: number, bytes: Uint8Array): number;
  /** Connection attempts that this listening TCP socket has dropped since it was opened (SO_MEMINFO); wraps at 2^32. Or -errno. */
  listenDrops(fd: number): number;
  /** Whether fd is a listening stream socket (SO_ACCEPTCONN): 1, 0 or -errno. */
  isListening(fd: number): number;
  /**
   * Classic BPF on a SO_REUSEPORT group: pick at random among the group indexes `slots` (order of listen()), equal weights.
   * An empty list takes the program off (the kernel's hash decides again). 0 or -errno.
   */
  steerAmong(fd: number, slots: number[]): number;
  /** Connected SOCK_SEQPACKET pair, CLOEXEC, non-blocking: [fd, fd] or -errno. */
  socketPair(): [number, number] | number;
  Channel: new (fd: number) => NativeChannel;
  /**
   * `acceptor.row` is the byte offset of this worker's row in the board. `onConnection(fd, slot)`: the receiver owns fd.
   * With `wrap`, which owns fd, onConnection gets what that makes of it, and is not called for null; wrap is called outside of any callback scope where it was the event loop that called us, and
   * onConnection always in the async context in which the acceptor was made.
   * `onError(errno, fd)`: that listener is broken (it is disarmed) or, for EMFILE, ENFILE, ENOBUFS, ENOMEM, accepting pauses until a descriptor can be had,
   * which is tried every 100 ms, and told again where it is in vain.
   */
  Acceptor: new <Connection extends object | number = number>(
    board: ArrayBuffer,
    row: number,
    onConnection: (connection: Connection, slot: number) => void,
    onError: (errno: number, fd: number) => void,
    ...wrap: Connection extends number ? [] : [(fd: number) => Connection | null]
  ) => NativeAcceptor;
  ProxyReader: new (options: ProxyReaderOptions, onHeader: (fd: number, header: ProxyHeader) => void, onRefused: (fd: number, refusal: ProxyRefusal) => void) => NativeProxyReader;
  /** The parser alone, for its tests: null when there is more to come. `version`: one of PROXY_VERSIONS. */
  parseProxyHeader(bytes: ArrayBuffer, version: number): (ProxyHeader & { length: number }) | ProxyRefusal | null;
  /** Anonymous shared memory (memfd, sealed against resizing), zeroed, CLOEXEC: descriptor or -errno. 0 bytes: a file in memory, which grows as it is written. */
  createMemory(name: string, bytes: number): number;
  /** Of a file in memory: nobody can change it from now on, whoever has it open. 0 or -errno. */
  sealMemory(fd: number): number;
  /**
   * Map the whole of a descriptor made by createMemory, or the first `bytes` of one made by createBoardMap (a map does not tell its size), shared and writable; each call is a mapping of its own, unmapped when its buffer is
   * collected. The descriptor stays the caller's and may be closed at once. -errno when it can't be (-ENOTSUP: this Node allows no external buffers).
   */
  mapMemory(fd: number, bytes?: number): ArrayBuffer | number;
  /** Shared memory that programs in the kernel can read: a BPF array map of one value, zeroed. Descriptor, or -EPERM without CAP_BPF. */
  createBoardMap(bytes: number): number;
  /** A map of listening sockets by slot, for steerLeast. Descriptor or -errno. */
  createSocketMap(): number;
  /** Keep CAP_BPF for this process: what it starts from now on does not inherit it (it is no longer ambient). 0 or -errno (-EINVAL: older than Linux 5.8). */
  withholdBpf(): number;
  /** Put a listening socket into a socket map. 0 or -errno. */
  setSocket(map: number, slot: number, fd: number): number;
  /**
   * eBPF on a SO_REUSEPORT group: each new connection goes to the least loaded of `slots` whose worker is ready, not full, and not out of poll for
   * longer than `stallMs`, judged by the board (descriptor of createBoardMap) at that moment. 0 or -errno (-EPERM: no CAP_BPF).
   */
  steerLeast(fd: number, board: number, sockets: number, slots: number[], stallMs: number): number;
  /**
   * Classic BPF on a SO_REUSEPORT group: connections of one source address go to one slot, always the same while these are the same. `indexes`: by slot (at most 512), the index of its
   * socket in the group (order of listen()), -1 where it is not to be chosen. `seed`, of 31 bits, makes the choice another. 0 or -errno.
   */
  steerBySource(fd: number, indexes: number[], seed: number): number;
  /** Whether the kernel has EPOLLEXCLUSIVE: 0 or -errno. */
  exclusiveWorks(): number;
  /** `board` of the master; `permits` as many as there are for `permit`. */
  Conductor: new (board: ArrayBuffer, stallMs: number, permits: number) => NativeConductor;
  /** An eventfd, non-blocking, CLOEXEC: descriptor or -errno. */
  createBell(): number;
  /**
   * Hear our bell from now on: take what is granted to the row (its number, not its offset), begin to poll with a permit, or look at sockets of which the
   * wake-up went elsewhere. Owns both descriptors: the bell,
   * and the conductor's. 0 or -errno. Once per environment, before acceptors are armed.
   */
  startWake(board: ArrayBuffer, row: number, permits: number, bell: number, conductor: number): number;
  /** The bell of another row, to hand it a permit; owned from here on. 0 or -errno. */
  setWakePeer(row: number, bell: number): number;
  /** The layout of the board as C++ has it: byte offsets by name, and sizes under `bytes`. For the test of agreement. */
  boardLayout(): Record<'row' | 'header' | 'slot' | 'bytes', Record<string, number>>;
  /** Publish this loop on the board's row from now on: loop stamp and turns (see ipc/board.ts). 0 or -errno. Once per environment. */
  startLoopStamp(board: ArrayBuffer, row: number): number;
  /**
   * Say that the loop has left poll: for the first callback of ours in a turn (a request begins). libuv runs the handlers of ready descriptors
   * before uv_check, so without it a handler that blocks would block with the stamp still 0. Nothing before startLoopStamp; cheap.
   */
  stampLoop(): void;
  /**
   * Beat from now on: every `beatMs` a thread off the loop does fchmod(2) on `fd`, if the loop has turned since the last beat, and every `turnMs`
   * a timer turns the loop (without keeping it alive). `fd` < 0: turn the loop only; else it is owned from a start that succeeded. A second
   * thread watches for the master's death (the parent pid changes from `parentPid`; 0: no watch): when the process still lives `graceMs` later, it ends
   * it with `exitCode`. 0 or -errno. Once per environment.
   */
  startHeartbeat(fd: number, beatMs: number, turnMs: number, parentPid: number, graceMs: number, exitCode: number): number;
  /** Counters of the heartbeat thread, for tests: beats done, and milliseconds the longest fchmod took. */
  heartbeatStats(): { beats: number; longestMs: number };
  /** How many descriptors this process may have: the soft limit (RLIMIT_NOFILE), which Node has raised to the hard one. Takes no descriptor. Or -errno. */
  descriptorLimit(): number;
  /** waitpid(pid, WNOHANG) for a child that is not ours by spawn: pid when reaped, 0 when it still runs, -errno. */
  reap(pid: number): number;
  /** PR_SET_CHILD_SUBREAPER on this process: for tests of reaping without being PID 1. 0 or -errno. */
  setSubreaper(): number;
  /**
   * Let /dev/null take the place of standard input, output and error where they are a terminal that has hung up: how many of them, or -errno. The addon does so
   * by itself as the process exits, where Node would abort on such a terminal.
   */
  leaveTerminal(): number;
}

/** What openBeneath and statBeneath fill in, by index. Times are seconds and nanoseconds. */
export const FILE_STAT = { size: 0, mtimeSec: 1, mtimeNsec: 2, ctimeSec: 3, ctimeNsec: 4, dev: 5, ino: 6, mode: 7 } as const;
export const FILE_STAT_NUMBERS = 8;

/** Limit of one channel message, in bytes of UTF-8. */
export const MAX_MESSAGE_BYTES = 128 * 1024;

/** Its path. */
export const ADDON = isNamed() ? resolve(process.env['DROVER_ADDON']!) : join(import.meta.dirname, '../../build/Release/drover.node');

function isNamed(): boolean {
  return (process.env['DROVER_ADDON'] ?? '') !== '';
}

function load(): Addon {
  try {
    // As require() does it in the end. Looking for the file, which takes that twice as long, is for those who do not know where it is.
    const module = { exports: {} };
    process.dlopen(module, ADDON);
    return module.exports as Addon;
  } catch (thrown) {
    const error = thrown as NodeJS.ErrnoException;
    // dlopen(3) begins with the path, as a rule.
    const reason = existsSync(ADDON) ? error.message.split('\n', 1)[0]!.replace(`${ADDON}: `, '') : 'there is no such file';
    throw new DroverError('ERR_DROVER_ADDON', `the native addon cannot be loaded from ${ADDON}: ${reason}`, remedyOf(error));
  }
}

function remedyOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ERR_DLOPEN_DISABLED') {
    // There only under the permission model, which is another flag on Node 20.
    return 'permission' in process ? 'Node is to have --allow-addons beside its permission flag; for workers: --node-args=--allow-addons.' : 'Leave --no-addons out of what Node is started with.';
  }
  if (message.includes('Too many open files')) return RAISE_OPEN_FILES;
  if (isNamed()) return 'The environment variable DROVER_ADDON names it: leave that out.';
  if (/failed to map segment.*Operation not permitted|failed to map segment from shared object$/m.test(message)) return 'The file system that it is on is mounted with noexec, it seems: install drover on another, or mount that one without.';
  if (message.includes('Permission denied')) return 'Let the user that drover runs as read it.';
  // What only a clone has.
  if (existsSync(join(import.meta.dirname, '../../.ci/ready.mjs'))) return 'Build it with `npm run build` (needs a C++20 compiler, make and python3).';
  if (!existsSync(ADDON)) return 'It comes with the package: install drover again. Whatever leaves out folders named build, a .dockerignore for instance, leaves it out too.';
  return `It is damaged, or was compiled for another processor or C library than those here (${machine()}): install a package that was made on a machine like this one, by \`npm pack\` in a clone.`;
}

function machine(): string {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return `${process.arch}, ${header.glibcVersionRuntime === undefined ? 'no glibc' : `glibc ${header.glibcVersionRuntime}`}`;
}

export const native: Addon = load();

/** An error of Node's own shape for a failed system call. */
export interface SystemError extends Error {
  code: string;
  errno: number;
  syscall: string;
  address?: string;
  port?: number;
}

/** `-errno` as an error with `code`, `errno`, `syscall` and whatever `context` says of it (address, port, path). */
export function systemError(syscall: string, errno: number, context: Record<string, unknown> = {}): SystemError {
  const code = getSystemErrorName(errno);
  const where = context['path'] ?? (context['address'] === undefined ? undefined : `${String(context['address'])}:${String(context['port'])}`);
  return Object.assign(new Error(`${syscall} ${code}${where === undefined ? '' : ` ${String(where)}`}`), {
    code,
    errno,
    syscall,
    ...context,
  });
}

/** The result of a native call, or a thrown SystemError when it is -errno. */
export function check<T>(syscall: string, result: T | number, context?: Record<string, unknown>): Exclude<T, never> {
  if (typeof result === 'number' && result < 0) throw systemError(syscall, result, context);
  return result as Exclude<T, never>;
}

/** Close a descriptor that native code handed out. A descriptor already closed is a bug and throws. */
export function closeFd(fd: number): void {
  closeSync(fd);
}
