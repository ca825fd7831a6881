/** What the tests of the native half share: a board, connections, children on a channel, and waiting without sleeping. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ExecutionContext } from 'ava';
import { Board, BOARD_BYTES } from '../../src/ipc/board.js';
import { check, closeFd, native } from '../../src/native.js';
import type { NativeChannel } from '../../src/native.js';

export const EBADF = -9;
export const EAGAIN = -11;
export const EEXIST = -17;
export const EINVAL = -22;
export const EMFILE = -24;
export const EPIPE = -32;
export const EALREADY = -114;

/** A board of its own; `fd` stays open for handing to children. */
export function createBoard(t: ExecutionContext): { board: Board; fd: number } {
  const fd = check('memfd_create', native.createMemory('test-board', BOARD_BYTES));
  t.teardown(() => closeFd(fd));
  return { board: new Board(check('mmap', native.mapMemory(fd))), fd };
}

/** A listening socket on loopback: whoever calls owns the descriptor. */
export function listen(options: { host?: string; port?: number; backlog?: number; reusePort?: boolean } = {}): { fd: number; port: number } {
  const fd = check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 128, reusePort: false, ipv6Only: false, ...options }));
  const address = check('getsockname', native.localAddress(fd));
  if (address.family === 'unix') throw new Error('not TCP');
  return { fd, port: address.port };
}

/** A connected client; destroyed when the test ends. */
export async function connect(t: ExecutionContext, port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A connection in the accept queue of `fd`, its wake-up sent and not yet seen: no turn of our loop has passed. */
export async function connectUnseen(t: ExecutionContext, port: number, fd: number): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  // On loopback connect(2) itself does the handshake; Node calls it on a tick.
  while (check('queueLength', native.queueLength(fd)).length === 0) await new Promise<void>((resolve) => process.nextTick(resolve));
}

/** What the server says before it closes; rejects when it resets. */
export async function ask(port: number, host = '127.0.0.1'): Promise<string> {
  const socket = net.connect(port, host);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(socket, 'close');
  return text;
}

/** Turn the loop until `condition` holds. ava's own time-out is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Until what `make` answers, which nobody else may hold, has been collected. */
export async function collected(make: () => object): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const made = new WeakRef(make());
  await until(() => {
    gc();
    return made.deref() === undefined;
  });
}

/** What top -H calls the threads of a process. */
export function threadNames(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8').trimEnd());
}

export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'drover-native-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Flags of an open descriptor, as the kernel tells them. */
export function flags(fd: number): { nonBlocking: boolean; closeOnExec: boolean } {
  const octal = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
  const value = parseInt(octal, 8);
  return { nonBlocking: (value & 0o4000) !== 0, closeOnExec: (value & 0o2000000) !== 0 };
}

/** Events under which this process's epoll sets hold `fd`: bit 28 is EPOLLEXCLUSIVE. Undefined when none does. */
export function registeredEvents(fd: number): number | undefined {
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (!readlinkSync(`/proc/self/fd/${name}`).includes('[eventpoll]')) continue;
      const entry = new RegExp(`^tfd:\\s+${fd} events:\\s+([0-9a-f]+)`, 'm').exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'));
      if (entry !== null) return parseInt(entry[1]!, 16);
    } catch {
      // The directory's own descriptor is gone by now.
    }
  }
  return undefined;
}

export const EPOLLEXCLUSIVE = 1 << 28;

export function isExclusive(fd: number): boolean {
  return ((registeredEvents(fd) ?? 0) & EPOLLEXCLUSIVE) !== 0;
}

/** Objects over a channel, and descriptors with them. */
export class Peer {
  readonly channel: NativeChannel;
  readonly #inbox: { message: Record<string, unknown>; fds: number[] }[] = [];
  #arrived: () => void = () => {};
  closed: number | undefined;

  /** `onGone` is for children: they end when the test does. */
  constructor(channel: NativeChannel, onGone: () => void = () => {}) {
    this.channel = channel;
    channel.start(
      (text, fds) => {
        this.#inbox.push({ message: JSON.parse(text) as Record<string, unknown>, fds });
        this.#arrived();
      },
      (errno) => {
        this.closed = errno;
        onGone();
        this.#arrived();
      },
    );
  }

  send(message: Record<string, unknown>, fds: number[] = []): void {
    check('send', this.channel.send(JSON.stringify(message), fds));
  }

  /** The next message; it has to be of this type. */
  async next(type: string): Promise<{ message: Record<string, unknown>; fds: number[] }> {
    while (this.#inbox.length === 0) {
      if (this.closed !== undefined) throw new Error(`the peer is gone (${this.closed}) where '${type}' was awaited`);
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
    const first = this.#inbox.shift()!;
    if (first.message['type'] !== type) throw new Error(`'${String(first.message['type'])}' where '${type}' was awaited`);
    return first;
  }

  async end(): Promise<void> {
    while (this.closed === undefined) await new Promise<void>((resolve) => (this.#arrived = resolve));
  }
}

export interface Child extends Peer {
  pid: number;
  /** Exit code, or the signal's name. */
  exit: Promise<number | string>;
}

/** Start children/NAME with one end of a channel as descriptor 3; killed, by its pid, when the test ends. */
export function startChild(t: ExecutionContext, name: string, options: { args?: string[]; env?: Record<string, string>; before?: string } = {}): Child {
  const [ours, theirs] = check('socketpair', native.socketPair());
  const path = fileURLToPath(new URL(`children/${name}.js`, import.meta.url));
  const command = [process.execPath, path, ...(options.args ?? [])];
  const [file, ...args] = options.before === undefined ? command : ['/bin/sh', '-c', `${options.before}; exec "$@"`, 'sh', ...command];
  const child = spawn(file!, args, { stdio: ['ignore', 'inherit', 'inherit', theirs], env: { ...process.env, ...options.env } });
  closeFd(theirs);
  const channel = new native.Channel(ours);
  channel.ref();
  const exit = once(child, 'exit').then((how) => (how[0] ?? how[1]) as number | string);
  t.teardown(async () => {
    channel.close();
    child.kill('SIGKILL');
    await exit;
  });
  return Object.assign(new Peer(channel), { pid: child.pid!, exit });
}
