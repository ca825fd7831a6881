/**
 * A worker's own view of itself: boot → ready → serve → drain → exit. The only state machine of the process, in the worker: what it hears, from the master, from the
 * intercept and from the process, and what follows from that.
 *
 * The master tells it when to go (`drain`, `quit`); it goes by itself when the master has gone or when somebody else sends it TERM.
 * What it has to say it sends; it writes no log (but orphaned.ts). Until the app listens boot.ts is at work; once it is to go, departure.ts, which has the states from there
 * on. Asking for sockets is left to ask.ts, what the app's servers get from drover to app-servers.ts.
 */
import type { ChildProcess } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { constants } from 'node:os';
import { ERRORS, EXIT_CODES } from '../errors.js';
import type { Intercept, ListenAnswer } from '../accept/intercept.js';
import type { ProxyRefused } from '../accept/proxy-protocol.js';
import type { WorkerInfo } from '../config/hooks.js';
import type { EventName } from '../log/events.js';
import type { Connections } from '../http/connections.js';
import type { Requests } from '../http/requests.js';
import { State, type Board } from '../ipc/board.js';
import { monotonicMs } from '../ipc/clock.js';
import type { ListenQuestion, MasterMessage } from '../ipc/messages.js';
import { closeFd, native } from '../native.js';
import { AcceptErrors } from './accept-errors.js';
import { endProcessesOfCluster, servedByCluster, servesByCluster } from './app-cluster.js';
import { AppServers } from './app-servers.js';
import { Asker, handed } from './ask.js';
import { Boot } from './boot.js';
import { Departure } from './departure.js';
import { WorkerHooks } from './hooks.js';
import type { MasterChannel } from './last-words.js';
import { tellOrphaned } from './orphaned.js';

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

/** After TERM from outside: a master that was told to stop as well says so within this time, and what to do with queued connections. */
const TERM_WAIT_MS = 250;
/** An app that closed its last server may be about to open another. */
const CLOSED_WAIT_MS = 1_000;

export class Worker {
  readonly #parts: WorkerParts;
  #isReady = false;
  #saidCluster = false;
  #termed = false;
  #intercept!: Intercept;
  readonly #hooks = new WorkerHooks(
    (failure) => this.#log('hook.failed', { ...failure }),
    () => this.#info,
  );
  readonly #servers: AppServers;
  readonly #boot: Boot;
  readonly #departure: Departure;
  readonly #asker: Asker;
  readonly #acceptErrors = new AcceptErrors({
    log: (event, fields) => this.#log(event, fields),
    limit: () => native.descriptorLimit(),
    connections: () => this.#parts.connections.open,
    accepts: () => this.#departure.order === undefined && this.#intercept.listeners > 0,
    giveBack: () => this.#servers.giveBack(),
  });

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#asker = new Asker({
      channel: parts.channel,
      onMessage: (message, fds) => this.#onMessage(message, fds),
      onQuit: () => this.#intercept.drain([]),
      onMasterGone: () => this.#departure.exitUnserved(),
    });
    const { init, channel, board, requests, connections, certificatesFd } = parts;
    const log = (event: EventName, fields: Record<string, unknown>): void => this.#log(event, fields);
    this.#servers = new AppServers({
      config: init.config.edge,
      slot: init.slot,
      requests,
      connections,
      certificatesFd,
      ticketKeys: init.ticketKeys,
      log,
      countRefused: () => this.#countRefused(),
    });
    const own = { channel, hooks: this.#hooks, servers: this.#servers, intercept: () => this.#intercept, log };
    this.#boot = new Boot({ ...own, init, onTimeout: (error) => this.bootFailed(error) });
    this.#departure = new Departure({ ...own, board, row: init.row, requests, connections, app: () => this.#boot.app, workerClass: () => this.#boot.workerClass });
  }

  get #state(): 'booting' | 'ready' | 'draining' | 'exiting' {
    return this.#departure.state ?? (this.#isReady ? 'ready' : 'booting');
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
    try {
      await this.#boot.run();
      if (this.#state !== 'booting') return;
      this.#isReady = true;
      this.#parts.board.set(this.#parts.init.row, 'state', State.ready);
      this.#parts.channel.send({ type: 'ready', bootMs: performance.now() });
    } catch (thrown) {
      this.bootFailed(thrown);
    }
    this.#boot.workerClass.onReady?.();
  }

  /** Say why and exit. */
  bootFailed(thrown: unknown): never {
    // It was told to go before it was there.
    if (this.#state !== 'booting') process.exit(this.#departure.order?.exitCode ?? EXIT_CODES.ok.code);
    process.exit(EXIT_CODES[ERRORS[this.#boot.sayFailed(thrown)]].code);
  }

  // What the intercept calls.

  ask(question: ListenQuestion): ListenAnswer {
    return this.#asker.ask(question);
  }

  onServer(server: Server): void {
    const ofCluster = this.booting ? servedByCluster(server, this.#parts.init.config.app) : undefined;
    if (ofCluster !== undefined) this.bootFailed(ofCluster);
    this.#boot.workerClass.onServer?.(server);
    this.#servers.watch(server);
    // One turn later: a server that was opened only to find a free port has been closed by then.
    server.on('listening', () => setImmediate(() => this.#boot.wake()));
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

  /** The app has sent a connection to a process of its own. */
  onSent(socket: Socket, child: ChildProcess, response: ServerResponse | undefined): void {
    this.#parts.requests.left(socket, response);
    this.#parts.connections.sent(socket);
    if (this.#saidCluster) return;
    const message = servesByCluster(child, this.#parts.init.config.app);
    this.#saidCluster = message !== undefined;
    if (message !== undefined) this.#log('worker.app-exit', { message });
  }

  /** --max-requests is reached. */
  onRequestLimit(requests: number): void {
    this.#recycle(`${requests} requests served`);
  }

  /** TERM from somebody who is not the master. */
  onTerm(): void {
    if (this.#termed || this.#state === 'draining' || this.#state === 'exiting') return;
    this.#termed = true;
    this.#parts.channel.send({ type: 'draining', reason: 'SIGTERM, not sent by the master' });
    const { gracefulTimeoutMs } = this.#parts.init.config;
    this.#departure.killedAt(monotonicMs() + gracefulTimeoutMs);
    // The master ends it, having heard of it just now.
    setTimeout(() => {
      if (this.#departure.order !== undefined) return;
      this.#departure.drain({ graceMs: Math.max(gracefulTimeoutMs - TERM_WAIT_MS, 0), close: [], exitCode: EXIT_CODES.ok.code, bounded: true });
    }, TERM_WAIT_MS);
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
        this.#departure.killedAt(message.killAtMs);
        return this.#departure.drain({ graceMs: Math.max(message.killAtMs - monotonicMs(), 0), close: message.close, exitCode: EXIT_CODES.ok.code, bounded: true });
      case 'quit':
        this.#departure.killedAt(message.killAtMs);
        return void this.#departure.quit();
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
    this.#departure.killedAt(Infinity);
    const { config, slot, master } = this.#parts.init;
    const graceMs = config.gracefulTimeoutMs;
    void tellOrphaned(config, { slot, master, worker: process.pid, graceMs });
    this.#departure.drain({ graceMs, close: 'all', exitCode: EXIT_CODES.masterGone.code, bounded: false });
  }

  // What the process comes to.

  #onExit(code: number): void {
    if (this.booting) this.#boot.onExit(code);
    if (!this.#isReady) endProcessesOfCluster();
    void this.#hooks.runExit();
    this.#servers.flush(this.#departure.lastMoment);
  }

  /** The loop has nothing left to wait for. */
  #onIdle(): void {
    const { order } = this.#departure;
    if (this.booting) {
      const error = this.#boot.runEmpty();
      if (error !== undefined) this.bootFailed(error);
    } else if (order !== undefined) {
      // The app's TERM listeners closed all there was: an end as good as an exit.
      void this.#departure.exit(order.exitCode);
    }
  }

  // Small things.

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
