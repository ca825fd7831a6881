/**
 * The contract of a rival: a server of the same answer, started with a number of workers on loopback. One file each in rivals/;
 * rivals.ts lists them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { treeOf } from './processes.js';

export interface StartOptions {
  workers: number;
}

export interface Running {
  /** HOST:PORT of the server, for the load generator. */
  address: string;
  /** All processes of the server, the master first. */
  pids(): number[];
  /** What each worker wrote when it listened; empty for servers that cannot run our app. */
  boots(): Boot[];
  /** Milliseconds from spawn to the first successful connection. */
  firstAnswerMs: number;
  /** What the server printed to stderr so far. */
  stderr(): string;
  /** Replace all workers, as its manual says. Absent: it can't. */
  reload?(): Promise<void>;
  stop(): Promise<void>;
}

/** Written by bench/apps/server.cjs of itself, when it listens. */
export interface Boot {
  pid: number;
  /** Since the start of the process, by its own clock. */
  ms: number;
  cpuUs: number;
}

export interface Rival {
  name: string;
  title: string;
  /** Colours and groups in charts. */
  kind: 'drover' | 'node' | 'floor' | 'other';
  /** What it can take part in. `pid`: answers /pid; `block`: answers /block; `hold`: a worker holds many connections at once. */
  can: readonly ('pid' | 'block' | 'hold' | 'reload')[];
  /** A word why it can't run here, or true. May install itself into the cache. */
  available(): true | string;
  /** For the table of versions. */
  version(): string;
  start(options: StartOptions): Promise<Running>;
}

export interface Launch {
  command: string;
  args: string[];
  workers: number;
  port: number;
  env?: Record<string, string>;
  /** Whether each worker writes to BENCH_READY_DIR; otherwise ready is when the tree has `workers` processes below the root. */
  boots: boolean;
  /** Processes expected beside the workers. Default 1: the master. */
  extra?: number;
  /** Root of the process tree, when the command is not it (pm2's daemon). */
  root?: () => number | undefined;
  reload?: (child: ChildProcess) => Promise<void>;
  /** Default: SIGTERM to the command, then SIGKILL to whatever is left of its tree. */
  stop?: (child: ChildProcess) => Promise<void>;
}

const BOOT_TIMEOUT_MS = 60_000;

/** Servers that run now. */
const live = new Set<() => Promise<void>>();

/** Stop every server that still runs: the bench itself was told to stop. */
export async function stopAll(): Promise<void> {
  await Promise.all([...live].map((stop) => stop()));
}

/** Start a server as a child process and wait until all its workers listen. */
export async function launch(options: Launch): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), 'drover-bench-'));
  const readyDir = mkdtempSync(join(dir, 'ready-'));
  // A server may run as another user.
  chmodSync(dir, 0o755);
  chmodSync(readyDir, 0o777);
  const errors = openSync(join(dir, 'stderr'), 'a');
  const began = performance.now();
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', 'ignore', errors],
    env: { ...process.env, PORT: String(options.port), HOST: '127.0.0.1', BENCH_READY_DIR: readyDir, ...options.env },
  });
  closeSync(errors);
  const stderr = (): string => readFileSync(join(dir, 'stderr'), 'utf8');
  const root = options.root ?? (() => child.pid);
  const pids = (): number[] => {
    const pid = root();
    return pid === undefined ? [] : treeOf(pid);
  };
  const boots = (): Boot[] =>
    readdirSync(readyDir)
      .filter((name) => /^\d+$/.test(name))
      .map((name) => ({ pid: Number(name), ...(JSON.parse(readFileSync(join(readyDir, name), 'utf8')) as Omit<Boot, 'pid'>) }));

  const stop = async (): Promise<void> => {
    if (!live.delete(stop)) return;
    const left = pids();
    if (options.stop !== undefined) await options.stop(child);
    else child.kill('SIGTERM');
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
    await Promise.race([gone, sleep(3000, undefined, { ref: false })]);
    // Only ids seen in our own child's tree, and only those still below it or orphaned by it.
    for (const pid of left) kill(pid);
    rmSync(dir, { recursive: true, force: true });
  };

  live.add(stop);

  let failed: string | undefined;
  child.on('error', (error) => (failed = error.message));
  child.on('exit', (code, signal) => {
    // pm2's command has done its work when it exits with 0.
    if (options.root === undefined || code !== 0) failed ??= `exited with ${signal ?? code}`;
  });
  let firstAnswerMs = NaN;
  for (;;) {
    if (failed !== undefined || performance.now() - began > BOOT_TIMEOUT_MS) {
      const text = stderr().trim();
      await stop();
      throw new Error(`${options.command} ${options.args.join(' ')}: ${failed ?? 'not ready in time'}\n${text.slice(-2000)}`);
    }
    if (Number.isNaN(firstAnswerMs) && (await connects(options.port))) firstAnswerMs = performance.now() - began;
    const ready = options.boots ? boots().length : pids().length - (options.extra ?? 1);
    if (!Number.isNaN(firstAnswerMs) && ready >= options.workers) break;
    await sleep(2);
  }
  return {
    address: `127.0.0.1:${options.port}`,
    pids,
    boots: options.boots ? boots : () => [],
    firstAnswerMs,
    stderr,
    ...(options.reload === undefined ? {} : { reload: () => options.reload!(child) }),
    stop,
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone: as wished
  }
}

/** Whether a request gets an answer. */
function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n'));
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('data', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.setTimeout(2000, () => settle(false));
  });
}

/** A free TCP port of loopback, below the range that the kernel gives to clients. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
