/**
 * A worker's own view of itself: boot → ready → serve → drain → exit. The only state machine of the process, in the worker.
 *
 * The master tells it when to go (`drain`, `quit`); it goes by itself when the master has gone or when somebody else sends it TERM.
 * What it has to say it sends; it writes no log. Loading the app is left to run-main and exports, the order of the way out to drain.
 */
import type { Server } from 'node:net';
import { DroverError, ERRORS, EXIT_CODES } from '../errors.js';
import type { Intercept, ListenAnswer } from '../accept/intercept.js';
import type { HandedSocket } from '../accept/strategy.js';
import type { Hooks, WorkerInfo } from '../config/hooks.js';
import type { Connections } from '../http/connections.js';
import type { Requests } from '../http/requests.js';
import { State, type Board } from '../ipc/board.js';
import type { ListenRequest, MasterMessage, SocketGrant } from '../ipc/messages.js';
import { closeFd, native } from '../native.js';
import type { WorkerClass } from '../config/worker-class.js';
import { loadApp, type App } from './app.js';
import { toBootError } from './boot-error.js';
import { startDrain } from './drain.js';
import { sendBootFailed, type MasterChannel } from './last-words.js';
import { appListensToTerm, runAppTermListeners } from './signals.js';
import { loadWorkerClass } from './worker-class.js';

export type Init = Extract<MasterMessage, { type: 'init' }>;

export interface WorkerParts {
  init: Init;
  channel: MasterChannel;
  board: Board;
  requests: Requests;
  connections: Connections;
}

type WorkerHook = 'postSpawn' | 'postWorkerInit' | 'workerInt' | 'workerExit';

/** A drain somebody asked for. */
interface DrainOrder {
  graceMs: number;
  close: 'all' | string[];
  exitCode: number;
  /** Whether the master ends it when the grace is over. If not, the worker has to. */
  bounded: boolean;
}

/** The master retries a port that is in use for 5 s. */
const LISTEN_TIMEOUT_MS = 60_000;
/** After TERM from outside: a master that was told to stop as well says so within this time, and what to do with queued connections. */
const TERM_WAIT_MS = 250;
/** An app that closed its last server may be about to open another. */
const CLOSED_WAIT_MS = 1_000;
/** Out of descriptors, accepting fails ten times a second. */
const ACCEPT_ERROR_EVERY_MS = 10_000;

export class Worker {
  readonly #parts: WorkerParts;
  #state: 'booting' | 'ready' | 'draining' | 'exiting' = 'booting';
  #intercept!: Intercept;
  /** Replaced when there is a config file with hooks. */
  #runHook: (name: WorkerHook) => Promise<void> = async () => {};
  #app: App | undefined;
  #class: WorkerClass = {};
  #listenId = 0;
  /** Messages that came while listen() waited for its answer. */
  #deferred: { message: MasterMessage; fds: number[] }[] = [];
  /** Fulfils the wait for a listening server, or for the loop to run empty. */
  #wake: ((why: 'listening' | 'idle') => void) | undefined;
  #order: DrainOrder | undefined;
  #exitHookDone = false;
  #saidBootFailed = false;
  #acceptErrorAt = -Infinity;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  get booting(): boolean {
    return this.#state === 'booting';
  }

  /** What hooks get. */
  get #info(): WorkerInfo {
    const { slot, generation } = this.#parts.init;
    const state = this.#state === 'booting' ? 'starting' : this.#state === 'ready' ? 'ready' : 'draining';
    return { pid: process.pid, slot, generation, state };
  }

  /** Hook everything up; the app is loaded by `boot`. */
  start(intercept: Intercept): void {
    const { channel } = this.#parts;
    this.#intercept = intercept;
    channel.start({
      onMessage: (message, fds) => this.#onMessage(message, fds),
      onClose: () => this.#onMasterGone(),
      onNonsense: (why) => {
        throw new Error(`the master sent ${why}`);
      },
    });
    process.on('beforeExit', () => this.#onIdle());
    process.on('exit', (code) => this.#onExit(code));
  }

  async boot(): Promise<void> {
    const { config } = this.#parts.init;
    try {
      await this.#loadHooks();
      await this.#runHook('postSpawn');
      this.#class = await loadWorkerClass(this.#parts.init);
      this.#app = await loadApp(config, { listens: () => this.#listens(), untilListensOrIdle: () => this.#untilListensOrIdle() });
      await this.#untilListens(this.#app);
      await this.#runHook('postWorkerInit');
      if (this.#state !== 'booting') return;
      this.#state = 'ready';
      this.#parts.board.set(this.#parts.init.row, 'state', State.ready);
      this.#parts.channel.send({ type: 'ready', bootMs: performance.now() });
    } catch (thrown) {
      this.bootFailed(thrown);
    }
    this.#class.onReady?.();
  }

  /** Say why and exit. */
  bootFailed(thrown: unknown): never {
    // It was told to go before it was there.
    if (this.#state !== 'booting') process.exit(this.#order?.exitCode ?? EXIT_CODES.ok.code);
    const error = toBootError(thrown, this.#parts.init.config.app, process.argv[1]);
    this.#saidBootFailed = true;
    sendBootFailed(this.#parts.channel, error);
    process.exit(EXIT_CODES[ERRORS[error.code]].code);
  }

  // What the intercept calls.

  /** Ask the master for sockets, blocking: listen() is synchronous. */
  ask(request: Omit<ListenRequest, 'type' | 'id'>): ListenAnswer {
    const { channel } = this.#parts;
    const id = this.#listenId++;
    channel.send({ type: 'listen', id, ...request });
    for (;;) {
      const received = channel.receiveSync(LISTEN_TIMEOUT_MS);
      if (received === 'timeout') return { errno: -ETIMEDOUT, message: 'the master does not answer' };
      if (received === 'closed') return { errno: -EPIPE, message: 'the master is gone' };
      const { message, fds } = received;
      if (message.type === 'listening' && message.id === id) return { key: message.key, sockets: handed(message.sockets, fds) };
      if (message.type === 'listen-failed' && message.id === id) return { errno: message.errno, message: message.message };
      if (this.#deferred.push({ message, fds }) === 1) setImmediate(() => this.#handleDeferred());
    }
  }

  onServer(server: Server): void {
    this.#class.onServer?.(server);
    this.#parts.connections.watch(server);
    this.#parts.requests.watchStreams(server);
    // One turn later: a server that was opened only to find a free port has been closed by then.
    server.on('listening', () => setImmediate(() => this.#wake?.('listening')));
  }

  onServerClosed(key: string): void {
    this.#parts.channel.send({ type: 'closed', key });
    setTimeout(() => {
      if (this.#state !== 'ready' || this.#intercept.listeners > 0) return;
      this.#log('worker.app-exit', { message: 'the app has closed its last server and serves nothing any more' });
      this.#recycle('the app closed its last server');
    }, CLOSED_WAIT_MS).unref();
  }

  onAcceptError(errno: number, error: string): void {
    const now = performance.now();
    if (now - this.#acceptErrorAt < ACCEPT_ERROR_EVERY_MS) return;
    this.#acceptErrorAt = now;
    this.#log('worker.accept-error', { error, errno });
  }

  /** --max-requests is reached. */
  onRequestLimit(requests: number): void {
    this.#recycle(`${requests} requests served`);
  }

  /** TERM from somebody who is not the master. */
  onTerm(): void {
    if (this.#state === 'draining' || this.#state === 'exiting') return;
    this.#parts.channel.send({ type: 'draining', reason: 'SIGTERM, not sent by the master' });
    const { gracefulTimeoutMs } = this.#parts.init.config;
    setTimeout(() => this.#drain({ graceMs: gracefulTimeoutMs, close: [], exitCode: EXIT_CODES.ok.code, bounded: false }), TERM_WAIT_MS);
  }

  // Messages.

  #onMessage(message: MasterMessage, fds: number[]): void {
    switch (message.type) {
      case 'siblings':
        return this.#intercept.siblings(handed(message.sockets, fds));
      case 'bells':
        return message.rows.forEach((row, i) => void native.setWakePeer(row, fds[i]!));
      case 'recheck':
        return this.#intercept.recheck();
      case 'drain':
        return this.#drain({ graceMs: message.graceMs, close: message.close, exitCode: EXIT_CODES.ok.code, bounded: true });
      case 'quit':
        return void this.#quit();
      case 'reopen-logs':
        // A worker writes no log file; the message is for the access log.
        return;
      default:
        for (const fd of fds) closeFd(fd);
    }
  }

  #handleDeferred(): void {
    for (const { message, fds } of this.#deferred.splice(0)) this.#onMessage(message, fds);
  }

  #onMasterGone(): void {
    const { gracefulTimeoutMs } = this.#parts.init.config;
    this.#drain({ graceMs: gracefulTimeoutMs, close: 'all', exitCode: EXIT_CODES.masterGone.code, bounded: false });
  }

  // The way out.

  #drain(order: DrainOrder): void {
    if (this.#state === 'exiting') return;
    const first = this.#order === undefined;
    this.#order = order;
    if (!order.bounded) setTimeout(() => void this.#exit(order.exitCode), order.graceMs).unref();
    if (!first) {
      // The first order's acceptors have stopped. What a second one adds is who bounds it and the exit code.
      return;
    }
    this.#state = 'draining';
    const { board, init, requests, connections } = this.#parts;
    board.set(init.row, 'state', State.draining);
    requests.closing = true;
    this.#intercept.drain(order.close);
    this.#parts.channel.send({ type: 'left' });
    // Of what it rejects with, as of what it throws, the process hears as of any exception of the app's.
    void this.#class.onDrain?.();
    startDrain({
      connections,
      graceMs: order.graceMs,
      appEndsForeign: appListensToTerm,
      onOnlyForeign: () => this.#askAppToEnd(),
      onEmpty: () => void this.#finish(order.graceMs),
    });
  }

  /** The last connection is gone: the framework's closing, the app's TERM listeners, exit. */
  async #finish(graceMs: number): Promise<void> {
    // Nothing of ours keeps the loop alive from here on: an app that closes what it has open ends by itself.
    setTimeout(() => void this.#exit(this.#order!.exitCode), Math.max(graceMs - LAST_MOMENT_MS, 0)).unref();
    try {
      await this.#app?.close();
    } catch (error) {
      this.#log('worker.app-exit', { message: `the app threw while it closed: ${String(error)}` });
    }
    if (!appListensToTerm()) return this.#exit(this.#order!.exitCode);
    this.#askAppToEnd();
  }

  #toldApp = false;
  #askAppToEnd(): void {
    if (this.#toldApp) return;
    this.#toldApp = true;
    runAppTermListeners();
  }

  async #quit(): Promise<void> {
    if (this.#state === 'exiting') return;
    this.#state = 'exiting';
    await this.#runHook('workerInt');
    await this.#runExitHook();
    process.exit(EXIT_CODES.ok.code);
  }

  async #exit(code: number): Promise<void> {
    if (this.#state === 'exiting') return;
    this.#state = 'exiting';
    await this.#runExitHook();
    process.exit(code);
  }

  #onExit(code: number): void {
    if (this.#state === 'booting' && !this.#saidBootFailed) this.#exitedInBoot(code);
    void this.#runExitHook();
  }

  /** The app ended its process before it listened. */
  #exitedInBoot(code: number): void {
    const { app } = this.#parts.init.config;
    this.#saidBootFailed = true;
    sendBootFailed(this.#parts.channel, {
      code: 'ERR_DROVER_WORKER_EXITED',
      message: `app ${app} exited with code ${code} before it listened`,
      remedy: 'APP has to export something to serve, or call listen(); see docs/apps.md.',
    });
  }

  /** The loop has nothing left to wait for. */
  #onIdle(): void {
    if (this.#state === 'booting') {
      if (this.#wake !== undefined) return this.#wake('idle');
      const { app } = this.#parts.init.config;
      this.bootFailed(new DroverError('ERR_DROVER_WORKER_EXITED', `app ${app} waits for a promise or a top-level await that never settles`));
    } else if (this.#order !== undefined) {
      // The app's TERM listeners closed all there was: an end as good as an exit.
      void this.#exit(this.#order.exitCode);
    }
  }

  // Small things.

  /** Whether a server of the app is served by drover's sockets now. */
  #listens(): boolean {
    return this.#intercept.listeners > 0;
  }

  /** True once a server listens; false when the loop has run empty, and so none ever will by itself. */
  async #untilListensOrIdle(): Promise<boolean> {
    while (!this.#listens()) {
      const why = await new Promise<'listening' | 'idle'>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
      if (why === 'idle') return this.#listens();
    }
    return true;
  }

  /**
   * An app that something keeps alive may listen yet. When --boot-timeout has nearly passed we end it ourselves, for we know what it
   * exports, while the master's KILL could only tell that it took too long.
   */
  async #untilListens(app: App): Promise<void> {
    const { bootTimeoutMs } = this.#parts.init.config;
    const momentMs = Math.min(Math.max(bootTimeoutMs / 10, 250), 2_000);
    const timer = setTimeout(() => this.bootFailed(app.unusable()), bootTimeoutMs - momentMs - performance.now());
    timer.unref();
    const listens = await this.#untilListensOrIdle();
    clearTimeout(timer);
    if (!listens) throw app.unusable();
  }

  #recycle(reason: string): void {
    this.#parts.channel.send({ type: 'recycle', reason });
  }

  #log(event: 'worker.app-exit' | 'worker.accept-error' | 'hook.failed', fields: Record<string, unknown>): void {
    const { slot } = this.#parts.init;
    this.#parts.channel.send({ type: 'log', event, fields: { slot, worker: process.pid, ...fields } });
  }

  async #loadHooks(): Promise<void> {
    const { configFile } = this.#parts.init.config;
    if (configFile === null) return;
    const [{ readConfigFile }, { runHook }] = await Promise.all([import('../config/config-file.js'), import('../config/hooks.js')]);
    const hooks = (await readConfigFile(configFile)) as Hooks;
    this.#runHook = (name) => runHook(hooks, name, (failure) => this.#log('hook.failed', { ...failure }), this.#info);
  }

  /** Once, whichever way out is taken; at `exit` only what it does synchronously is done. */
  async #runExitHook(): Promise<void> {
    if (this.#exitHookDone) return;
    this.#exitHookDone = true;
    await this.#runHook('workerExit');
  }
}

const ETIMEDOUT = 110;
const EPIPE = 32;
/** So that the exit comes before the master's KILL. */
const LAST_MOMENT_MS = 100;

function handed(sockets: readonly SocketGrant[], fds: readonly number[]): HandedSocket[] {
  return sockets.map((grant, i) => ({ grant, fd: fds[i]! }));
}
