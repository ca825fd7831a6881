/**
 * How a worker goes: drain → exit, or exit at once, and who ends what before the process does: drover its connections (drain.ts), the framework its own, the app's TERM
 * listeners the rest, then hooks. In the worker. The states of Worker from where it does not stay; that it goes is told by Worker, in an order.
 *
 * A second order may come while it drains: it changes who bounds it, the exit code, and whether drover stops.
 */
import { EXIT_CODES } from '../errors.js';
import type { Intercept } from '../accept/intercept.js';
import type { WorkerClass } from '../config/worker-class.js';
import type { Connections } from '../http/connections.js';
import type { Requests } from '../http/requests.js';
import { State, type Board } from '../ipc/board.js';
import { monotonicMs } from '../ipc/clock.js';
import type { EventName } from '../log/events.js';
import type { App } from './app.js';
import type { AppServers } from './app-servers.js';
import { startDrain } from './drain.js';
import type { WorkerHooks } from './hooks.js';
import type { MasterChannel } from './last-words.js';
import { appListensToTerm, runAppTermListeners } from './signals.js';

/** A drain somebody asked for. */
export interface DrainOrder {
  graceMs: number;
  close: 'all' | string[];
  exitCode: number;
  /** Whether the master ends it when the grace is over. If not, the worker has to. */
  bounded: boolean;
}

export interface DepartureParts {
  channel: MasterChannel;
  board: Board;
  row: number;
  requests: Requests;
  connections: Connections;
  hooks: WorkerHooks;
  servers: AppServers;
  /** Asked for when they are needed: made later than this, if at all. */
  intercept: () => Intercept;
  app: () => App | undefined;
  workerClass: () => WorkerClass;
  log: (event: EventName, fields: Record<string, unknown>) => void;
}

/** So that the exit comes before the master's KILL. */
const LAST_MOMENT_MS = 100;
const LAST_WRITE_MS = 10;

export class Departure {
  readonly #parts: DepartureParts;
  #state: 'draining' | 'exiting' | undefined;
  #order: DrainOrder | undefined;
  #closed: Promise<void> | undefined;
  #toldApp = false;
  /** Of performance.now(). */
  #killedAt = Infinity;

  constructor(parts: DepartureParts) {
    this.#parts = parts;
  }

  /** Undefined: it stays. */
  get state(): 'draining' | 'exiting' | undefined {
    return this.#state;
  }

  /** The last one. */
  get order(): DrainOrder | undefined {
    return this.#order;
  }

  /** The master kills this process then, of monotonicMs(); Infinity: nobody does. */
  killedAt(ms: number): void {
    this.#killedAt = performance.now() + ms - monotonicMs();
  }

  /** Until when whoever still has something to do may take. Of performance.now(). */
  get lastMoment(): number {
    return this.#killedAt - LAST_MOMENT_MS;
  }

  drain(order: DrainOrder): void {
    if (this.#state === 'exiting') return;
    const first = this.#order === undefined;
    this.#order = order;
    const { board, row, requests, connections, servers, channel, log } = this.#parts;
    if (!order.bounded) setTimeout(() => void this.exit(order.exitCode), order.graceMs).unref();
    // The master's KILL, if it comes to that, shall find no line of the access log unwritten.
    else setTimeout(() => setInterval(() => servers.writeOut(), LAST_WRITE_MS).unref(), order.graceMs - LAST_MOMENT_MS).unref();
    if (!first) {
      // The first order's acceptors have stopped. What a second one adds is who bounds it, the exit code, and that drover stops.
      return;
    }
    this.#state = 'draining';
    const intercept = this.#parts.intercept();
    board.set(row, 'state', State.draining);
    requests.closing = true;
    intercept.drain(order.close);
    channel.send({ type: 'left' });
    // Of what it rejects with, as of what it throws, the process hears as of any exception of the app's.
    void this.#parts.workerClass().onDrain?.();
    startDrain({
      connections,
      graceMs: order.graceMs,
      alone: () => this.#order!.close === 'all',
      ownServers: intercept.ownServers(),
      closeOwn: () => intercept.closeOwn(),
      appEnds: () => appListensToTerm() || this.#parts.app()?.close !== undefined,
      onAppEnds: (late) => {
        if (late) log('worker.grace-ending', { connections: connections.open });
        void this.#closeApp();
        if (appListensToTerm()) this.#askAppToEnd();
      },
      onEmpty: () => void this.#finish(order.graceMs),
    });
  }

  /** The last connection is gone: the framework's closing, the app's TERM listeners, exit. */
  async #finish(graceMs: number): Promise<void> {
    // Nothing of ours keeps the loop alive from here on: an app that closes what it has open ends by itself.
    setTimeout(() => void this.exit(this.#order!.exitCode), Math.max(Math.min(graceMs - LAST_MOMENT_MS, this.lastMoment - performance.now()), 0)).unref();
    await this.#closeApp();
    if (!appListensToTerm()) return this.exit(this.#order!.exitCode);
    this.#askAppToEnd();
  }

  /** The framework's own closing: begun once, and never rejected. */
  #closeApp(): Promise<void> {
    return (this.#closed ??= (async () => {
      try {
        await this.#parts.app()?.close?.();
      } catch (error) {
        this.#parts.log('worker.app-exit', { message: `the app threw while it closed: ${String(error)}` });
      }
    })());
  }

  #askAppToEnd(): void {
    if (this.#toldApp) return;
    this.#toldApp = true;
    runAppTermListeners(() => {
      // With connections left, it ends like any app that does not listen to TERM.
      if (this.#parts.connections.open === 0) void this.exit(this.#order!.exitCode);
    });
  }

  /** Whatever is open, and without waiting for the app. */
  async quit(): Promise<void> {
    if (this.#state === 'exiting') return;
    this.#state = 'exiting';
    await this.#parts.hooks.run('workerInt');
    await this.#parts.hooks.runExit();
    process.exit(EXIT_CODES.ok.code);
  }

  async exit(code: number): Promise<void> {
    if (this.#state === 'exiting') return;
    this.#state = 'exiting';
    await this.#parts.hooks.runExit();
    process.exit(code);
  }

  /** The app is to listen, and nobody gives it sockets any more. Where somebody is connected the app hears of it. */
  exitUnserved(): void {
    if (this.#parts.connections.open > 0) return;
    this.#state = 'exiting';
    process.exit(EXIT_CODES.masterGone.code);
  }
}
