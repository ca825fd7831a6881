/**
 * How a worker comes up: the config file's hooks, the HTTP edge, the worker class, the app, until that listens. And what there is to say where it comes to nothing, or takes
 * long. In the worker.
 *
 * It ends no process: whether a worker that is up is ready, and with which code one ends that is not, is Worker's to say.
 */
import { DroverError, type ErrorCode } from '../errors.js';
import type { Intercept } from '../accept/intercept.js';
import { unanswered } from '../accept/unresolved.js';
import type { WorkerClass } from '../config/worker-class.js';
import type { WorkerConfig } from '../config/worker-config.js';
import type { BootStep } from '../ipc/messages.js';
import type { EventName } from '../log/events.js';
import { loadApp, type App } from './app.js';
import type { AppServers } from './app-servers.js';
import { listenRefused, toBootError, type Refused } from './boot-error.js';
import { BootTime } from './boot-time.js';
import type { WorkerHooks } from './hooks.js';
import { sendBootFailed, type MasterChannel } from './last-words.js';
import { ListeningWait } from './listening-wait.js';
import { unseenListeners } from './unseen.js';
import { isOwnClass, loadWorkerClass } from './worker-class.js';

export interface BootParts {
  init: { slot: number; generation: number; config: WorkerConfig };
  channel: MasterChannel;
  hooks: WorkerHooks;
  servers: AppServers;
  /** Made later than this. */
  intercept: () => Intercept;
  /** --boot-timeout is nearly over. */
  onTimeout: (error: DroverError) => void;
  log: (event: EventName, fields: Record<string, unknown>) => void;
}

export class Boot {
  readonly #parts: BootParts;
  readonly #time: BootTime;
  /** Whether a server of the app is served by drover's sockets now. */
  readonly #listening = new ListeningWait(
    () => this.#parts.intercept().listeners > 0,
    (why) => {
      const { intercept, log, init } = this.#parts;
      log('worker.waiting', { app: init.config.app, why: intercept().refused?.message ?? this.#waitsForName() ?? seenOrElse(why) });
    },
  );
  #class: WorkerClass = {};
  #app: App | undefined;
  #appFile: string | undefined;
  /** drover makes the app listen, at an address that it has chosen. */
  #isPlaced = false;
  #saidFailed = false;

  constructor(parts: BootParts) {
    this.#parts = parts;
    this.#time = new BootTime(parts.init.config.bootTimeoutMs, parts.onTimeout);
  }

  /** Undefined until it has loaded. */
  get app(): App | undefined {
    return this.#app;
  }

  /** Without methods until it has loaded, and for the classes that are drover's own. */
  get workerClass(): WorkerClass {
    return this.#class;
  }

  /** Until the app listens and hooks are done. Rejects with what was thrown, or with a DroverError. */
  async run(): Promise<void> {
    const { init, hooks, servers } = this.#parts;
    const { config } = init;
    if (config.configFile !== null) this.#at(`reading config file ${config.configFile}`, 'config');
    await this.#hooksInTime(hooks.load(config.configFile));
    await this.#hook('postSpawn');
    if (config.configFile !== null) this.#at('starting up', 'start');
    await servers.open(hooks.ofConfigFile);
    if (!isOwnClass(config.workerClass)) this.#at(`loading --worker-class ${config.workerClass}`, 'config');
    this.#class = await loadWorkerClass(init);
    const stop = this.#time.shortlyBeforeEnd(() => this.#unanswered());
    this.#app = await loadApp(config, {
      listens: () => this.#listening.now(),
      untilListensOrIdle: (why, late) => this.#listensInTime(() => this.#listening.untilListensOrIdle(why), () => (this.#unanswered() === undefined ? late() : undefined)),
      onFile: (file) => {
        this.#appFile = file;
        this.#at(`loading ${file}`, 'app');
      },
      onLoaded: () => this.#at('waiting for the app, which has loaded, to listen', 'app'),
      refused: () => listenRefused(this.#refused),
      onPlaced: () => (this.#isPlaced = !config.bindGiven),
    }).finally(stop);
    await this.#untilListens(this.#app);
    await this.#hook('postWorkerInit');
  }

  /** Before it is begun: the master is to know what a worker was at that comes to say nothing more. */
  #at(doing: string, of: BootStep['of']): void {
    this.#parts.channel.send({ type: 'boots', doing, of });
  }

  /** A server of the app may listen by now. */
  wake(): void {
    this.#listening.wake('listening');
  }

  /** The loop has nothing left to wait for. What is wrong then; undefined: somebody waits for just that. */
  runEmpty(): DroverError | undefined {
    if (this.#listening.wake('idle')) return undefined;
    const { app } = this.#parts.init.config;
    const { waitsFor } = this.#parts.hooks;
    const waits = waitsFor === undefined ? `app ${app} waits for a promise or a top-level await that never settles` : `${waitsFor} waits for a promise that never settles`;
    return listenRefused(this.#refused) ?? new DroverError('ERR_DROVER_WORKER_EXITED', waits);
  }

  /** Tell the master why. */
  sayFailed(thrown: unknown): ErrorCode {
    const error = toBootError(thrown, { ...this.#refused, file: this.#appFile });
    this.#saidFailed = true;
    sendBootFailed(this.#parts.channel, error);
    return error.code;
  }

  /** The process ends, and if nothing has been said of it, it is the app that has ended it before it listened. */
  onExit(code: number): void {
    if (this.#saidFailed) return;
    const { app } = this.#parts.init.config;
    // Fastify's own examples catch what listen() rejects with, and exit.
    this.sayFailed(
      listenRefused(this.#refused) ??
        new DroverError('ERR_DROVER_WORKER_EXITED', `app ${app} exited with code ${code} before it listened`, 'APP has to export something to serve, or call listen(); see docs/apps.md.'),
    );
  }

  get #refused(): Refused {
    const { init, intercept } = this.#parts;
    const { app, place } = init.config;
    return { app, refused: intercept().refused, place: this.#isPlaced ? place : undefined };
  }

  /** listen() has been called, and Node still looks up the name that it was given. */
  #unanswered(): DroverError | undefined {
    const { init, intercept } = this.#parts;
    const { awaitedName } = intercept();
    if (awaitedName === undefined || this.#listening.now()) return undefined;
    return listenRefused({ ...this.#refused, refused: unanswered(awaitedName, init.config.bootTimeoutMs) });
  }

  #waitsForName(): string | undefined {
    const { awaitedName } = this.#parts.intercept();
    return awaitedName === undefined ? undefined : `it has called listen(), and the name ${awaitedName.host} has not resolved yet`;
  }

  #hook(name: 'postSpawn' | 'postWorkerInit'): Promise<void> {
    const { hooks } = this.#parts;
    if (hooks.ofConfigFile[name] !== undefined) this.#at(`running hook ${name} of the config file`, 'config');
    return this.#hooksInTime(hooks.run(name));
  }

  /** The config file or a hook of it, which may settle in the master and not here: nothing to blame on the app. */
  #hooksInTime(done: Promise<void>): Promise<void> {
    return this.#time.bound(done, () => this.#parts.hooks.waitsFor);
  }

  /** An app that something keeps alive may listen yet. */
  async #untilListens(app: App): Promise<void> {
    const listens = await this.#listensInTime(() => this.#listening.untilListensOrIdle(app.waitsFor), () => this.#unanswered() ?? app.unusable(this.#parts.init.config.bootTimeoutMs));
    if (!listens) throw app.unusable();
  }

  /** `late`: what is wrong when --boot-timeout is nearly over. */
  async #listensInTime(wait: () => Promise<boolean>, late: () => DroverError | undefined): Promise<boolean> {
    // This worker, or the master whose answer listen() waits for, may have been stopped until now.
    const stop = this.#time.shortlyBeforeEnd(() => (this.#listening.now() ? undefined : late()));
    const listens = await wait();
    stop();
    return listens;
  }
}

function seenOrElse(why: string): string {
  const unseen = unseenListeners();
  return unseen === undefined ? why : `it ${unseen}`;
}
