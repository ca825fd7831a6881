/**
 * Plays the master for one worker process: spawns src/worker/main with a channel, answers its listen()s with real sockets on loopback, and
 * keeps what it says. So that worker tests need no master.
 */
import { TicketKeys } from '../../src/master/ticket-keys.js';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WorkerConfig } from '../../src/config/worker-config.js';
import { Board, BOARD_BYTES } from '../../src/ipc/board.js';
import { Channel } from '../../src/ipc/channel.js';
import { COMPILED_FD } from '../../src/ipc/compiled-code.js';
import { INFLIGHT_BYTES, readInflight } from '../../src/ipc/inflight.js';
import type { BoundAddress, ListenRequest, MasterMessage, WorkerMessage } from '../../src/ipc/messages.js';
import { check, closeFd, native } from '../../src/native.js';

const WORKER_MAIN = fileURLToPath(new URL('../../worker/main.cjs', import.meta.url));
const WORKER_MESSAGES: WorkerMessage['type'][] = ['listen', 'boots', 'closed', 'ready', 'boot-failed', 'fatal', 'recycle', 'draining', 'left', 'not-taken', 'log'];

export interface FakeMasterOptions {
  app: string;
  cwd: string;
  config?: Partial<WorkerConfig>;
  nodeArgs?: string[];
  env?: Record<string, string>;
  slot?: number;
  /** Answer listen() with this errno instead of a socket. */
  listenErrno?: number;
  /** A descriptor with the worker's code, compiled (src/ipc/compiled-code.ts). */
  compiledFd?: number;
  /** Before the answer to listen() with a socket. */
  beforeListening?: (master: FakeMaster, socket: { fd: number; address: BoundAddress }) => Promise<void>;
}

type MessageOf<Type extends WorkerMessage['type']> = Extract<WorkerMessage, { type: Type }>;

export interface Death {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class FakeMaster {
  readonly messages: WorkerMessage[] = [];
  /** By ordinal of listen(). Open until the test process ends, as a master's are. */
  readonly sockets = new Map<number, { fd: number; address: BoundAddress }>();
  readonly board: Board;
  readonly exited: Promise<Death>;
  readonly row = 1;
  stdout = '';
  stderr = '';
  readonly #inflight: ArrayBuffer;
  readonly #child: ChildProcess;
  readonly #channel: Channel<WorkerMessage, MasterMessage>;
  readonly #events = new EventEmitter();
  readonly #options: FakeMasterOptions;

  constructor(options: FakeMasterOptions) {
    this.#options = options;
    const boardFd = check('memfd_create', native.createMemory('board', BOARD_BYTES));
    const inflightFd = check('memfd_create', native.createMemory('inflight', INFLIGHT_BYTES));
    this.board = new Board(check('mmap', native.mapMemory(boardFd)));
    this.#inflight = check('mmap', native.mapMemory(inflightFd));
    const [ours, theirs] = check('socketpair', native.socketPair());
    const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
    // What a test runner leaves behind.
    for (const name of ['PORT', 'HOST', 'NODE_V8_COVERAGE', 'NODE_CHANNEL_FD']) if (options.env?.[name] === undefined) delete env[name];
    const { compiledFd } = options;
    this.#child = spawn(process.execPath, [...(options.nodeArgs ?? []), WORKER_MAIN, ...(compiledFd === undefined ? [] : [String(COMPILED_FD)])], {
      cwd: options.cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe', theirs, ...(compiledFd === undefined ? [] : [compiledFd])],
    });
    closeFd(theirs);
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#channel = new Channel(ours, WORKER_MESSAGES);
    this.#channel.start({
      onMessage: (message) => this.#onMessage(message),
      onClose: () => {},
      onNonsense: (why) => {
        throw new Error(`the worker sent ${why}`);
      },
    });
    this.exited = once(this.#child, 'close').then(([code, signal]) => {
      for (let last = this.#channel.receiveSync(0); typeof last !== 'string'; last = this.#channel.receiveSync(0)) this.#onMessage(last.message);
      this.#channel.close();
      this.#events.emit('change');
      return { code, signal };
    });
    const slot = options.slot ?? 0;
    this.send({ type: 'init', slot, row: this.row, generation: 1, master: process.pid, config: { ...defaults(options), ...options.config }, ticketKeys: new TicketKeys().keys, fds: ['board', 'inflight'] }, [boardFd, inflightFd]);
    closeFd(boardFd);
    closeFd(inflightFd);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get inflight(): string[] {
    return readInflight(this.#inflight, this.row);
  }

  send(message: MasterMessage, fds?: number[]): void {
    this.#channel.send(message, fds);
  }

  /** The next message of a type, or the one that has come already. Rejects when the worker exits without it. */
  async message<Type extends WorkerMessage['type']>(type: Type): Promise<MessageOf<Type>> {
    for (;;) {
      const message = this.messages.find((candidate) => candidate.type === type);
      if (message !== undefined) return message as MessageOf<Type>;
      const gone = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (gone && this.#closed) throw new Error(`the worker exited without ${type}: ${JSON.stringify(this.messages)}\n${this.stderr}`);
      await once(this.#events, 'change');
    }
  }

  #closed = false;

  /** Ready; fulfilled with the address of its first listen(). */
  async ready(): Promise<{ port: number; origin: string }> {
    void this.exited.then(() => (this.#closed = true));
    const failed = this.message('boot-failed').then(
      (message) => {
        throw new Error(message.message);
      },
      () => {},
    );
    await Promise.race([this.message('ready'), failed.then(() => this.message('ready'))]);
    const { port } = this.sockets.get(0)!.address as { port: number };
    return { port, origin: `http://127.0.0.1:${port}` };
  }

  /** Its boot failed and it has exited. */
  async bootFailed(): Promise<MessageOf<'boot-failed'> & { exit: Death }> {
    const exit = await this.exited;
    this.#closed = true;
    return { ...(await this.message('boot-failed')), exit };
  }

  /** The master vanishes. */
  vanish(): void {
    this.#channel.close();
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  #onMessage(message: WorkerMessage): void {
    if (message.type === 'listen') void this.#listen(message);
    this.messages.push(message);
    this.#events.emit('change');
  }

  async #listen({ id, ordinal }: ListenRequest): Promise<void> {
    const { listenErrno, beforeListening } = this.#options;
    if (listenErrno !== undefined) return this.send({ type: 'listen-failed', id, errno: -listenErrno, message: 'cannot listen at 127.0.0.1:80: refused by the test', remedy: 'Let it.' });
    let socket = this.sockets.get(ordinal);
    if (socket === undefined) {
      const fd = check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 511, reusePort: true, ipv6Only: false }));
      socket = { fd, address: check('getsockname', native.localAddress(fd)) };
      this.sockets.set(ordinal, socket);
    }
    await beforeListening?.(this, socket);
    const slot = this.#options.slot ?? 0;
    this.send({ type: 'listening', id, key: `listen ${ordinal}`, sockets: [{ key: `listen ${ordinal}`, bind: 0, slot, address: socket.address, strategy: 'reuseport' }] }, [socket.fd]);
  }
}

function defaults({ app, cwd }: FakeMasterOptions): WorkerConfig {
  return {
    app,
    appArgs: [],
    cwd,
    name: 'test',
    bindGiven: false,
    place: { host: '127.0.0.1', port: 8000, source: 'default of --bind' },
    acceptStrategy: 'reuseport',
    acceptPermits: 2,
    backlog: 511,
    proxyProtocol: 'off',
    proxyAllowFrom: [],
    proxyTimeoutMs: 3_000,
    workerClass: 'http',
    workerConnections: 0,
    workerConcurrency: 0,
    maxRequests: 0,
    maxRequestsJitter: 0,
    bootTimeoutMs: 60_000,
    timeoutMs: 30_000,
    gracefulTimeoutMs: 30_000,
    edge: {
      sendfile: true,
      sendfileRoot: null,
      static: [],
      staticMaxAgeMs: 0,
      tls: { certReqs: 'none', ciphers: '', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', handshakeTimeoutMs: 10_000 },
      http2: { protocols: ['h1'], maxConcurrentStreams: 100, initialWindowSize: 65_535, maxFrameSize: 16_384, maxHeaderListSize: 65_536 },
    },
    configFile: null,
    logFile: '-',
    logFormat: 'json',
    // Of its death nobody is to read.
    logLevel: 'fatal',
    reportDir: null,
  };
}
