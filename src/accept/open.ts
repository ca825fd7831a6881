/**
 * Opens the sockets of one address: TCP, unix, or a descriptor that drover inherits. In the master; the table of what is open is
 * listeners.ts.
 */
import { linkSync, lstatSync, unlinkSync, type Stats } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isKept } from '../errors.js';
import { closeFd, native, type TcpListenOptions } from '../native.js';
import type { BoundAddress } from '../ipc/messages.js';
import { inodeOf, listenersAt } from './holder.js';
import { explain, refuse, type Refusal } from './refusal.js';
import type { Choice } from './choose.js';
import type { Strategy } from './strategy.js';

const { EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EBADF, EMFILE, ENFILE, ENOENT, ENOTSOCK } = constants.errno;

/** One address and its sockets. */
export interface Bind {
  readonly address: BoundAddress;
  /** The one that serves it, and what it was chosen by (choose.ts). */
  readonly strategy: Strategy;
  readonly reason?: string;
  readonly backlog: number;
  /**
   * Descriptors by slot (-1: all slots), in order of listen(): steering names them by that order. Sockets are only ever added; all are closed
   * together.
   */
  readonly sockets: Map<number, number>;
  /** What further sockets of the group are opened with. */
  readonly tcp?: TcpListenOptions;
  /** Lets the conductor go of the sockets. A duplicate that it kept would go on listening. */
  release?: () => void;
  /** The file of a unix socket that is ours to remove. */
  readonly file?: FileIdentity;
  /** Another name of that file, to put it back by: see keepFile. */
  readonly spare?: string;
}

export interface FileIdentity {
  path: string;
  dev: number;
  ino: number;
}

export interface TcpRequest {
  /** A literal address, or null for all: `::`, and `0.0.0.0` where there is no IPv6. */
  host: string | null;
  port: number;
  ipv6Only: boolean;
}

const ANY = ['::', '0.0.0.0'] as const;

/** `slot`: whose the first socket is, with a strategy of one socket per slot. */
export function openTcp({ host, port, ipv6Only }: TcpRequest, backlog: number, choice: Choice, slot: number): Bind | Refusal {
  const perSlot = choice.strategy.sockets === 'per-slot';
  let result = 0;
  let tried = host ?? ANY[0];
  for (tried of host === null ? ANY : [host]) {
    const options = { host: tried, port, backlog, ipv6Only, reusePort: perSlot };
    result = perSlot ? openGroup(options) : native.listenTcp(options);
    if (result !== -EAFNOSUPPORT && result !== -EADDRNOTAVAIL) break;
  }
  const family = tried.includes(':') ? 'IPv6' : 'IPv4';
  if (result < 0) return explain(result, { family, address: tried, port });
  const address = boundAddress(result);
  return {
    address,
    ...choice,
    backlog,
    sockets: new Map([[perSlot ? slot : -1, result]]),
    tcp: { host: tried, port: (address as { port: number }).port, backlog, ipv6Only, reusePort: perSlot },
  };
}

/**
 * The first socket of a group. With SO_REUSEPORT bind(2) lets every process of the same user into the group: a second drover at the same
 * port would take half of the first one's connections and nobody would be told. So, first, a socket without it: it cannot be bound where anybody
 * listens. Two that start at the same moment may both pass that (each probe is closed before the other's is opened), and so, second,
 * a look at who listens once we do: of two, at least the later one sees the other and gives way; both, and they try again.
 * What is left: no /proc/net/tcp to look at (gVisor), and a program that joins later, which SO_REUSEPORT exists to allow.
 */
function openGroup(options: TcpListenOptions): number {
  if (options.port !== 0) {
    const probe = native.listenTcp({ ...options, reusePort: false });
    if (probe < 0) return probe;
    closeFd(probe);
  }
  // Port 0 needs no probe: the kernel never chooses a port that anybody has, not even one with SO_REUSEPORT.
  const fd = native.listenTcp(options);
  if (fd < 0) return fd;
  const address = boundAddress(fd);
  const ours = inodeOf(fd);
  if (address.family !== 'unix' && listenersAt(address).some((inode) => inode !== ours)) {
    closeFd(fd);
    return -EADDRINUSE;
  }
  return fd;
}

/** A further socket of a group, for `slot`. 0 or -errno. */
export function openSlot(bind: Bind, slot: number): number {
  const fd = native.listenTcp(bind.tcp!);
  if (fd < 0) return fd;
  bind.sockets.set(slot, fd);
  return 0;
}

export async function openUnix(path: string, backlog: number, umask: number | null, choice: Choice): Promise<Bind | Refusal> {
  const address: BoundAddress = { family: 'unix', path };
  const abstract = path.startsWith('@');
  if (!abstract) {
    const refusal = await clearPath(path);
    if (refusal !== undefined) return refusal;
  }
  const previous = umask === null ? undefined : process.umask(umask);
  const fd = native.listenUnix(path, backlog);
  if (previous !== undefined) process.umask(previous);
  if (fd < 0) return explain(fd, address);
  const file = abstract ? undefined : identify(path);
  const spare = file === undefined ? undefined : linkSpare(file);
  return {
    address,
    ...choice,
    backlog,
    sockets: new Map([[-1, fd]]),
    ...(file === undefined ? {} : { file }),
    ...(spare === undefined ? {} : { spare }),
  };
}

export function openInherited(fd: number, backlog: number, choice: Choice): Bind | Refusal {
  const listening = native.isListening(fd);
  if (listening !== 1) {
    const remedy = 'drover must be started with a listening stream socket as that descriptor, for instance by systemd socket activation (fd://3).';
    if (listening === -EBADF) return refuse(listening, `there is no descriptor ${fd}`, remedy);
    if (listening === -ENOTSOCK) return refuse(listening, `descriptor ${fd} is not a socket`, remedy);
    return refuse(listening === 0 ? -constants.errno.EINVAL : listening, `descriptor ${fd} is not a listening stream socket`, remedy);
  }
  const queue = native.queueLength(fd);
  return {
    address: boundAddress(fd),
    ...choice,
    backlog: typeof queue === 'number' ? backlog : queue.limit,
    sockets: new Map([[-1, fd]]),
  };
}

/**
 * A second name for the socket's file, beside it: whoever connects finds a socket by its file's inode, so a name that was removed can be given anew, to the same
 * queue. One that a killed drover has left is replaced. Where there are no hard links we do without.
 */
function linkSpare(file: FileIdentity): string | undefined {
  const spare = join(dirname(file.path), `.${basename(file.path)}.drover`);
  try {
    if (lstat(spare)?.isSocket() === true) unlinkSync(spare);
    linkSync(file.path, spare);
    return spare;
  } catch {
    return undefined;
  }
}

/** See to it that the address of a unix socket is still its file. */
export function keepFile({ file, spare }: Bind): 'there' | 'restored' | { reason: string } {
  if (file === undefined || isSame(file)) return 'there';
  if (lstat(file.path) !== undefined) return { reason: 'there is another file of that name' };
  try {
    if (spare === undefined || !isSame({ ...file, path: spare })) return { reason: 'it was removed' };
    linkSync(spare, file.path);
    return 'restored';
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

export function closeBind(bind: Bind): void {
  const { file, spare } = bind;
  // The file first: as long as it is there somebody may connect.
  for (const path of file === undefined ? [] : [file.path, spare ?? file.path]) {
    try {
      if (isSame({ ...file!, path })) unlinkSync(path);
    } catch {
      // The directory is not ours to write in any more: a stale socket stays, which the next listen() there replaces.
    }
  }
  bind.release?.();
  for (const fd of bind.sockets.values()) closeFd(fd);
  bind.sockets.clear();
}

/**
 * Makes room for a unix socket at `path`: removes a socket that nobody listens at any more; refuses one that is in use, and whatever is no
 * socket. Between the last look and unlink(2) another process could still put its own there; the kernel has no "unlink if".
 */
async function clearPath(path: string): Promise<Refusal | undefined> {
  const file = lstat(path);
  if (file === undefined) return undefined;
  const refusal = refuseFile(path, file);
  if (refusal !== undefined) return refusal;
  const answer = await knock(path);
  if (answer === 'ECONNREFUSED') return isSame({ path, dev: file.dev, ino: file.ino }) ? removeStale(path) : undefined;
  if (answer === 'ENOENT') return undefined;
  if (answer === 'EACCES') {
    return refuseKept(path) ?? refuse(-EADDRINUSE, 'there is a socket of another user at that path', 'Choose another path, or remove it yourself if nobody listens there.');
  }
  if (answer === 'EMFILE' || answer === 'ENFILE') return explain(answer === 'EMFILE' ? -EMFILE : -ENFILE, { family: 'unix', path });
  // Connected, or EAGAIN (its queue is full), or EPROTOTYPE (a datagram socket): somebody lives there.
  return explain(-EADDRINUSE, { family: 'unix', path });
}

function removeStale(path: string): Refusal | undefined {
  try {
    unlinkSync(path);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno !== -ENOENT) return refuseKept(path) ?? explain(errno!, { family: 'unix', path });
  }
  return undefined;
}

/** Why a socket at `path` stays, whether anybody listens at it or not. */
export function refuseKept(path: string): Refusal | undefined {
  if (!isKept(path)) return undefined;
  return refuse(-EADDRINUSE, 'there is a socket of another user at that path, in a directory where only its owner may remove it', 'Remove it as that user or as root if nobody listens there, or choose another path.');
}

/** Why there is no place for a socket at `path`, which a file has that is none. */
export function refuseFile(path: string, file = lstat(path)): Refusal | undefined {
  if (file?.isSocket() !== false) return undefined;
  return refuse(-EADDRINUSE, 'there is a file of that name which is not a socket', 'drover does not remove it: choose another path, or remove it yourself.');
}

/** Connects and hangs up: the code of the error, or undefined when somebody listens. */
function knock(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

function boundAddress(fd: number): BoundAddress {
  const address = native.localAddress(fd);
  if (typeof address === 'number') throw new Error(`getsockname of our own socket ${fd}: ${address}`);
  return address;
}

function lstat(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    // A directory missing or closed to us: bind(2) says so next, and better.
    if ((error as NodeJS.ErrnoException).errno === -ENOENT) return undefined;
    return undefined;
  }
}

function identify(path: string): FileIdentity | undefined {
  const file = lstat(path);
  return file === undefined ? undefined : { path, dev: file.dev, ino: file.ino };
}

/** Whether the file at the path is still the one we knew. */
export function isSame({ path, dev, ino }: FileIdentity): boolean {
  const file = lstat(path);
  return file !== undefined && file.dev === dev && file.ino === ino;
}
