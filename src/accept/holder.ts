/**
 * Who listens at an address: from /proc/net/{tcp,tcp6,unix} to the socket's inode, and from there over /proc/PID/fd to the process.
 * In the master; in a worker that cannot boot, too.
 *
 * Processes of other users can only be named by root; sockets of other network namespaces are not in the tables at all. What cannot
 * be found out is undefined, never an error.
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import type { BoundAddress } from '../ipc/messages.js';

export interface Holder {
  pid: number;
  /** How the process calls itself: program and script, or its title. */
  name: string;
}

/** A listening TCP socket, as the tables have it. */
export interface TcpListener {
  /** In hexadecimal, 8 or 32 digits, as in the table. */
  address: string;
  port: number;
  inode: number;
}

const LISTEN = '0A';

/** The listening sockets in a text of /proc/net/tcp or tcp6. */
export function parseTcpTable(text: string): TcpListener[] {
  const listeners: TcpListener[] = [];
  for (const line of text.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    if (columns.length < 10 || columns[3] !== LISTEN) continue;
    const [address, port] = columns[1]!.split(':');
    listeners.push({ address: address!, port: Number.parseInt(port!, 16), inode: Number(columns[9]) });
  }
  return listeners;
}

function listeningTcp(): TcpListener[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => parseTcpTable(readListening(table)));
}

/** The part of a table that has the listening sockets: the kernel lists them before all others, which may be a million. */
function readListening(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const chunk = Buffer.alloc(64 * 1024);
    let text = '';
    for (;;) {
      const bytes = readSync(fd, chunk);
      if (bytes === 0) return text;
      text += chunk.toString('latin1', 0, bytes);
      const lastLine = text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1)!;
      const state = lastLine.trim().split(/\s+/)[3];
      if (state !== LISTEN && state !== 'st') return text;
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * An address of the tables' in the form of net's: they print each 32-bit word in the byte order of the machine (little-endian on all that Node
 * runs on but s390x).
 */
export function decodeAddress(hex: string): string {
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let at = word + 6; at >= word; at -= 2) bytes.push(Number.parseInt(hex.slice(at, at + 2), 16));
  }
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255) return bytes.slice(12).join('.');
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at]! << 8) | bytes[at + 1]!).toString(16));
  // The shortest form, as getsockname's text has it: the URL parser writes that of RFC 5952.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Whether a listener takes connections to `address`: at the address itself or, on either side, at all of them. */
function overlaps(listener: TcpListener, address: { address: string; port: number }): boolean {
  if (listener.port !== address.port) return false;
  const theirs = decodeAddress(listener.address);
  return theirs === address.address || isAny(theirs) || isAny(address.address);
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** Inodes of the sockets that listen at just this TCP address, ours included. */
export function listenersAt(address: { address: string; port: number }): number[] {
  return listeningTcp()
    .filter((listener) => listener.port === address.port && decodeAddress(listener.address) === address.address)
    .map((listener) => listener.inode);
}

/** A unix socket with a name, as the table has it. */
export interface UnixSocket {
  /** As it was bound: may be relative. An abstract name begins with `@`, and has none of the NULs that fill it up. */
  path: string;
  inode: number;
  /** What it has accepted goes by its path as well. */
  listens: boolean;
}

/** Of /proc/net/unix: the flags, the inode, and the path, which may have blanks. */
const UNIX_ROW = /^\S+: \S+ \S+ ([0-9A-F]{8}) \S+ \S+ +(\d+) (.*)$/;
/** Of the kernel's flags: listen() was called. */
const ACCEPTCON = 0x10000;

/** The sockets with a name in a text of /proc/net/unix. */
export function parseUnixTable(text: string): UnixSocket[] {
  return text.split('\n').flatMap((line) => {
    const [, flags, inode, path] = UNIX_ROW.exec(line) ?? [];
    // The kernel writes each NUL of an abstract name as `@`, too.
    return path === undefined ? [] : [{ path: path.replace(/^(@.*?)@+$/, '$1'), inode: Number(inode), listens: (Number.parseInt(flags!, 16) & ACCEPTCON) !== 0 }];
  });
}

/** Inodes of the sockets that listen at an address or overlap with it, ours included. */
function overlappingInodes(address: BoundAddress): number[] {
  if (address.family === 'unix') {
    // One that does not listen (SOCK_DGRAM) has the path as well.
    return parseUnixTable(read('/proc/net/unix'))
      .filter(({ path }) => path === address.path.replace(/\0+$/, ''))
      .map(({ inode }) => inode);
  }
  return listeningTcp()
    .filter((listener) => overlaps(listener, address))
    .map((listener) => listener.inode);
}

/** The process that listens at an address, where /proc lets us know. */
export function findHolder(address: BoundAddress): Holder | undefined {
  const sockets = new Set(overlappingInodes(address).map((inode) => `socket:[${inode}]`));
  if (sockets.size === 0) return undefined;
  for (const entry of list('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (list(`/proc/${pid}/fd`).some((fd) => sockets.has(link(`/proc/${pid}/fd/${fd}`)))) return { pid, name: nameOf(pid) };
  }
  return undefined;
}

/** The addresses that this process itself listens at, whoever in it opened the sockets, other threads and native code too; but not those of sockets that its parent has, from whom it may have got them. */
export function ownListeners(): BoundAddress[] {
  const socketsOf = (pid: number | 'self'): Set<string> => new Set(list(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`)));
  const [own, parents] = [socketsOf('self'), socketsOf(process.ppid)];
  const isOwn = ({ inode }: { inode: number }): boolean => own.has(`socket:[${inode}]`) && !parents.has(`socket:[${inode}]`);
  return [
    ...listeningTcp()
      .filter(isOwn)
      .map(({ address: hex, port }): BoundAddress => {
        const address = decodeAddress(hex);
        return { family: address.includes(':') ? 'IPv6' : 'IPv4', address, port };
      }),
    ...parseUnixTable(read('/proc/net/unix'))
      .filter((socket) => socket.listens && isOwn(socket))
      .map(({ path }): BoundAddress => ({ family: 'unix', path })),
  ];
}

/** Inode of a socket of this process's. */
export function inodeOf(fd: number): number | undefined {
  const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/self/fd/${fd}`));
  return inode === null ? undefined : Number(inode[1]);
}

/** undefined: it is gone. */
export function parentOf(pid: number): number | undefined {
  const parent = /^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`));
  return parent === null ? undefined : Number(parent[1]);
}

export function formatHolder({ pid, name }: Holder): string {
  return `${name} (pid ${pid})`;
}

const NAME_LENGTH = 60;
const CODE = /^(?:-[cepr]+|--eval|--print)$/;

/** How a process calls itself; `unknown` where /proc does not tell. */
export function nameOf(pid: number): string {
  const [program = '', ...args] = read(`/proc/${pid}/cmdline`).split('\0').filter((word) => word !== '');
  // What -e and its like are followed by is the code itself.
  const script = args.some((arg) => CODE.test(arg)) ? undefined : args.find((arg) => !arg.startsWith('-'));
  // A title (drover's, nginx's) is one long word with spaces in it.
  const name = program.includes(' ') ? program : [basename(program), script].filter(Boolean).join(' ');
  return (name || read(`/proc/${pid}/comm`).trim() || 'unknown').replace(/[\0-\x1f\x7f-\x9f]+/g, ' ').slice(0, NAME_LENGTH);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
