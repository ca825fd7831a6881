/**
 * A worker's own view of itself: boot → ready → serve → drain → exit. The only state machine of the process, in the worker.
 *
 * The master tells it when to go (`drain`, `quit`); it goes by itself when the master has gone or when somebody else sends it TERM.
 * What it has to say it sends; it writes no log (but orphaned.ts). Loading the app is left to app.ts, asking for sockets to ask.ts, what its servers get from
 * drover to app-servers.ts, the order of the way out to drain.ts.
 */
import { constants } from 'node:os';
import type { Server } from 'node:net';
import { DroverError, ERRORS, EXIT_CODES, type ErrorCode } from '../errors.js';
import type { Intercept, ListenAnswer } from '../accept/intercept.js';
import type { ProxyRefused } from '../accept/proxy-protocol.js';
import type { WorkerInfo } from '../config/hooks.js';
import type { EventName } from '../log/events.js';
import type { Connections } from '../http/connections.js';
import type { Requests } from '../http/requests.js';
import { State, type Board } from '../ipc/board.js';
import type { ListenQuestion, MasterMessage } from '../ipc/messages.js';
import { closeFd, native } from '../native.js';
import type { WorkerClass } from '../config/worker-class.js';
import { AcceptErrors } from './accept-errors.js';
import { loadApp, type App } from './app.js';
import { servedByCluster } from './app-cluster.js';
import { AppServers } from './app-servers.js';
import { Asker, handed } from './ask.js';
import { listenRefused, toBootError } from './boot-error.js';
import { BootTime } from './boot-time.js';
import { startDrain } from './drain.js';
import { WorkerHooks } from './hooks.js';
import { sendBootFailed, type MasterChannel } from './last-words.js';
import { ListeningWait } from './listening-wait.js';
import { tellOrphaned } from './orphaned.js';
import { appListensToTerm, runAppTermListeners } from './signals.js';
import { unseenListeners } from './unseen.js';
import { loadWorkerClass } from './worker-class.js';

export type Init = Extract<MasterMessage, { type: 'init' }>;

export interface WorkerParts {
  init: Init;
  channel: MasterChannel;
  board: Board;
  requests: Requests;
  connections: Connections;
  /** Certificates (config/certificates.ts) as JSON, where drover does TLS. Owned. */
  certificatesFd: number | undefined;
}

/** A drain somebody asked for. */
interface DrainOrder {
  graceMs: number;
  close: 'all' | string[];
  exitCode: number;
  /** Whether the master ends it when the grace is over. If not, the worker has to. */
  bounded: boolean;
}

/** After TERM from outside: a master that was told to stop as well says so within this time, and what to do with queued connections. */
const TERM_WAIT_MS = 250;
/** An app that closed its last server may be about to open another. */
const CLOSED_WAIT_MS = 1_000;

export class Worker {
  readonly #parts: WorkerParts;
  #state: 'booting' | 'ready' | 'draining' | 'exiting' = 'booting';
  #intercept!: Intercept;
  readonly #hooks = new WorkerHooks(
    (failure) => this.#log('hook.failed', { ...failure }),
    () => this.#info,
  );
  #app: App | undefined;
  #appFile: string | undefined;
  readonly #servers: AppServers;
  #class: WorkerClass = {};
  readonly #asker: Asker;
  /** Whether a server of the app is served by drover's sockets now. */
  readonly #listening = new ListeningWait(
    () => this.#intercept.listeners > 0,
    (why) => {
      const unseen = unseenListeners();
      this.#log('worker.waiting', { app: this.#parts.init.config.app, why: this.#intercept.refused?.message ?? (unseen === undefined ? why : `it ${unseen}`) });
    },
  );
  readonly #bootTime: BootTime;
  #order: DrainOrder | undefined;
  /** When the master kills this process, as far as is known. Of `performance.now()`. */
  #killedAt = Infinity;
  #saidBootFailed = false;
  readonly #acceptErrors = new AcceptErrors({
    log: (event, fields) => this.#log(event, fields),
    limit: () => native.descriptorLimit(),
    connections: () => this.#parts.connections.open,
    accepts: () => this.#order === undefined && this.#intercept.listeners > 0,
  });

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#asker = new Asker({
      channel: parts.channel,
      onMessage: (message, fds) => this.#onMessage(message, fds),
      onQuit: () => this.#intercept.drain([]),
      onMasterGone: () => this.#exitUnserved(),
    });
    const { init, requests, connections, certificatesFd } = parts;
    this.#bootTime = new BootTime(init.config.bootTimeoutMs, (error) => this.bootFailed(error));
    this.#servers = new AppServers({
      config: init.config.edge,
      slot: init.slot,
      requests,
      connections,
      certificatesFd,
      ticketKeys: init.ticketKeys,
      log: (event, fields) => this.#log(event, fields),
      countRefused: () => this.#countRefused(),
    });
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
      onMessage: (message, fds) => this.#asker.receive(message, fds),
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
      await this.#hooksInTime(this.#hooks.load(config.configFile));
      await this.#hooksInTime(this.#hooks.run('postSpawn'));
      await this.#servers.open(this.#hooks.ofConfigFile);
      this.#class = await loadWorkerClass(this.#parts.init);
      this.#app = await loadApp(config, {
        listens: () => this.#listening.now(),
        untilListensOrIdle: (why) => this.#listening.untilListensOrIdle(why),
        onFile: (file) => (this.#appFile = file),
        refused: () => this.#intercept.refused,
      });
      await this.#untilListens(this.#app);
      await this.#hooksInTime(this.#hooks.run('postWorkerInit'));
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
    process.exit(EXIT_CODES[ERRORS[this.#sayBootFailed(thrown)]].code);
  }

  #sayBootFailed(thrown: unknown): ErrorCode {
    const error = toBootError(thrown, { app: this.#parts.init.config.app, file: this.#appFile, refused: this.#intercept.refused });
    this.#saidBootFailed = true;
    sendBootFailed(this.#parts.channel, error);
    return error.code;
  }

  // What the intercept calls.

  ask(question: ListenQuestion): ListenAnswer {
    return this.#asker.ask(question);
  }

  onServer(server: Server): void {
    const ofCluster = this.booting ? servedByCluster(server, this.#parts.init.config.app) : undefined;
    if (ofCluster !== undefined) this.bootFailed(ofCluster);
    this.#class.onServer?.(server);
    this.#servers.watch(server);
    // One turn later: a server that was opened only to find a free port has been closed by then.
    server.on('listening', () => setImmediate(() => this.#listening.wake('listening')));
  }

  /** It is served by drover's sockets. */
  onListening(server: Server): void {
    this.#servers.take(server);
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
    this.#acceptErrors.failed(errno, error);
  }

  onProxyRefused(fields: ProxyRefused & { count: number }): void {
    this.#log('proxy.refused', { ...fields });
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
    this.#killedAt = performance.now() + gracefulTimeoutMs;
    setTimeout(() => this.#drain({ graceMs: gracefulTimeoutMs, close: [], exitCode: EXIT_CODES.ok.code, bounded: false }), TERM_WAIT_MS);
  }

  // Messages.

  #onMessage(message: MasterMessage, fds: number[]): void {
    switch (message.type) {
      case 'siblings': {
        const sockets = handed(message.sockets, fds);
        return sockets === undefined ? this.#couldNotTake() : this.#intercept.siblings(sockets);
      }
      case 'unattended':
        return this.#intercept.setUnattended(message.key, message);
      case 'bells':
        if (fds.length < message.rows.length) return this.#couldNotTake();
        return message.rows.forEach((row, i) => void native.setWakePeer(row, fds[i]!));
      case 'recheck':
        return this.#intercept.recheck();
      case 'drain':
        this.#killedAt = performance.now() + message.graceMs;
        return this.#drain({ graceMs: message.graceMs, close: message.close, exitCode: EXIT_CODES.ok.code, bounded: true });
      case 'quit':
        this.#killedAt = performance.now() + message.graceMs;
        return void this.#quit();
      case 'reopen-logs':
        return this.#servers.reopen();
      case 'ticket-keys':
        return this.#servers.changeTicketKeys(message.keys);
      default:
        for (const fd of fds) closeFd(fd);
    }
  }

  /** Out of descriptors: what was in the message is sent again with the next change. */
  #couldNotTake(): void {
    this.#parts.channel.send({ type: 'not-taken' });
    this.#acceptErrors.tell(-constants.errno.EMFILE, 'EMFILE');
  }

  #onMasterGone(): void {
    if (this.#state === 'exiting') return;
    this.#killedAt = Infinity;
    const { config, slot, master } = this.#parts.init;
    const graceMs = config.gracefulTimeoutMs;
    void tellOrphaned(config, { slot, master, worker: process.pid, graceMs });
    this.#drain({ graceMs, close: 'all', exitCode: EXIT_CODES.masterGone.code, bounded: false });
  }

  /** The app is to listen, and nobody gives it sockets any more. Where somebody is connected the app hears of it. */
  #exitUnserved(): void {
    if (this.#parts.connections.open > 0) return;
    this.#state = 'exiting';
    process.exit(EXIT_CODES.masterGone.code);
  }

  // The way out.

  #drain(order: DrainOrder): void {
    if (this.#state === 'exiting') return;
    const first = this.#order === undefined;
    this.#order = order;
    if (!order.bounded) setTimeout(() => void this.#exit(order.exitCode), order.graceMs).unref();
    // The master's KILL, if it comes to that, shall find no line of the access log unwritten.
    else setTimeout(() => setInterval(() => this.#servers.writeOut(), LAST_WRITE_MS).unref(), order.graceMs - LAST_MOMENT_MS).unref();
    if (!first) {
      // The first order's acceptors have stopped. What a second one adds is who bounds it, the exit code, and that drover stops.
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
      alone: () => this.#order!.close === 'all',
      ownServers: this.#intercept.ownServers(),
      closeOwn: () => this.#intercept.closeOwn(),
      appEnds: () => appListensToTerm() || this.#app?.close !== undefined,
      onAppEnds: (late) => {
        if (late) this.#log('worker.grace-ending', { connections: connections.open });
        void this.#closeApp();
        if (appListensToTerm()) this.#askAppToEnd();
      },
      onEmpty: () => void this.#finish(order.graceMs),
    });
  }

  /** The last connection is gone: the framework's closing, the app's TERM listeners, exit. */
  async #finish(graceMs: number): Promise<void> {
    // Nothing of ours keeps the loop alive from here on: an app that closes what it has open ends by itself.
    setTimeout(() => void this.#exit(this.#order!.exitCode), Math.max(graceMs - LAST_MOMENT_MS, 0)).unref();
    await this.#closeApp();
    if (!appListensToTerm()) return this.#exit(this.#order!.exitCode);
    this.#askAppToEnd();
  }

  #closed: Promise<void> | undefined;
  /** The framework's own closing: begun once, and never rejected. */
  #closeApp(): Promise<void> {
    return (this.#closed ??= (async () => {
      try {
        await this.#app?.close?.();
      } catch (error) {
        this.#log('worker.app-exit', { message: `the app threw while it closed: ${String(error)}` });
      }
    })());
  }

  #toldApp = false;
  #askAppToEnd(): void {
    if (this.#toldApp) return;
    this.#toldApp = true;
    runAppTermListeners(() => {
      // With connections left, it ends like any app that does not listen to TERM.
      if (this.#parts.connections.open === 0) void this.#exit(this.#order!.exitCode);
    });
  }

  async #quit(): Promise<void> {
    if (this.#state === 'exiting') return;
    this.#state = 'exiting';
    await this.#hooks.run('workerInt');
    await this.#hooks.runExit();
    process.exit(EXIT_CODES.ok.code);
  }

  async #exit(code: number): Promise<void> {
    if (this.#state === 'exiting') return;
    this.#state = 'exiting';
    await this.#hooks.runExit();
    process.exit(code);
  }

  #onExit(code: number): void {
    if (this.#state === 'booting' && !this.#saidBootFailed) this.#exitedInBoot(code);
    void this.#hooks.runExit();
    this.#servers.flush(this.#killedAt - LAST_MOMENT_MS);
  }

  /** The app ended its process before it listened. */
  #exitedInBoot(code: number): void {
    const { app } = this.#parts.init.config;
    // Fastify's own examples catch what listen() rejects with, and exit.
    this.#sayBootFailed(
      listenRefused(app, this.#intercept.refused) ??
        new DroverError('ERR_DROVER_WORKER_EXITED', `app ${app} exited with code ${code} before it listened`, 'APP has to export something to serve, or call listen(); see docs/apps.md.'),
    );
  }

  /** The loop has nothing left to wait for. */
  #onIdle(): void {
    if (this.#state === 'booting') {
      if (this.#listening.wake('idle')) return;
      const { app } = this.#parts.init.config;
      const { waitsFor } = this.#hooks;
      const waits = waitsFor === undefined ? `app ${app} waits for a promise or a top-level await that never settles` : `${waitsFor} waits for a promise that never settles`;
      this.bootFailed(listenRefused(app, this.#intercept.refused) ?? new DroverError('ERR_DROVER_WORKER_EXITED', waits));
    } else if (this.#order !== undefined) {
      // The app's TERM listeners closed all there was: an end as good as an exit.
      void this.#exit(this.#order.exitCode);
    }
  }

  // Small things.

  /** The config file or a hook of it, which may settle in the master and not here: nothing to blame on the app. */
  #hooksInTime(done: Promise<void>): Promise<void> {
    return this.#bootTime.bound(done, () => this.#hooks.waitsFor);
  }

  /** An app that something keeps alive may listen yet. */
  async #untilListens(app: App): Promise<void> {
    // This worker, or the master whose answer listen() waits for, may have been stopped until now.
    const stop = this.#bootTime.shortlyBeforeEnd(() => (this.#listening.now() ? undefined : app.unusable()));
    const listens = await this.#listening.untilListensOrIdle(app.waitsFor);
    stop();
    if (!listens) throw app.unusable();
  }

  #recycle(reason: string): void {
    this.#parts.channel.send({ type: 'recycle', reason });
  }

  #log(event: EventName, fields: Record<string, unknown>): void {
    const { slot } = this.#parts.init;
    this.#parts.channel.send({ type: 'log', event, fields: { slot, worker: process.pid, ...fields } });
  }

  #countRefused(): void {
    const { board, init } = this.#parts;
    board.set(init.row, 'refused', board.get(init.row, 'refused') + 1);
  }
}

/** So that the exit comes before the master's KILL. */
const LAST_MOMENT_MS = 100;
const LAST_WRITE_MS = 10;
