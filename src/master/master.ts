/**
 * The loop. Runs in the master.
 *
 * Signals, messages, exits and ends of asynchronous acts are recorded as events; the loop takes one at a time and then does the same four
 * verbs: reap the dead, kill the stuck, restore the count, publish the state. Nothing in a turn waits. Between events a single timer wakes it, when
 * the nearest deadline is over, and there is none when nothing is pending.
 */
import { getSystemErrorName } from 'node:util';
import type { ListenRequest, WorkerMessage } from '../ipc/messages.js';
import { isEventName } from '../log/logger.js';
import { type DroverError, ERRORS, EXIT_CODES } from '../errors.js';
import type { GrantResult } from '../accept/listeners.js';
import type { LoadedConfig } from '../config/load.js';
import type { ServerInfo } from '../config/hooks.js';
import { bootFailure } from './boot-failure.js';
import type { CallHook, Context, HookCaller } from './context.js';
import type { MasterEvent } from './events.js';
import { FullWatch } from './full-workers.js';
import { Guard } from './guard.js';
import { OverflowWatch } from './overflow.js';
import { Pool } from './pool.js';
import { Publisher } from './publish.js';
import { ADOPTED_MS, Reaper, type Buried, type Exit } from './reaper.js';
import { Rollouts } from './rollout.js';
import { Scale } from './scale.js';
import { SIGNALS, type Action, type SignalName } from './signals.js';
import type { Terminal } from './terminal.js';
import type { WorkerEvents, WorkerHandle } from './worker-handle.js';

type Stopping = { quick: boolean; since: number; exitCode: number; failure: DroverError | undefined };

/** npm, timeout(1) and others send on the signal that a process manager has sent to the whole group: a second one within this time is the first. */
const ECHO_MS = 250;

export class Master {
  readonly pool: Pool;
  readonly #context: Context;
  readonly #hook: CallHook;
  readonly #guard: Guard;
  readonly #reaper: Reaper;
  readonly #rollouts: Rollouts;
  readonly #scale: Scale;
  readonly #publisher: Publisher;
  readonly #overflows: OverflowWatch;
  readonly #full: FullWatch;
  readonly #events: MasterEvent[] = [];
  readonly #terminal: Terminal;
  #turning = false;
  #timer: NodeJS.Timeout | undefined;
  #lookForAdoptedAt = Infinity;
  #stopping: Stopping | undefined;
  /** The last generation of which it was told that its workers listen apart. */
  #apart = 0;
  #finish: (stopping: Stopping) => void = () => {};

  constructor(context: Context, loaded: LoadedConfig, reload: () => Promise<LoadedConfig>, hooks: HookCaller, terminal: Terminal) {
    this.#context = context;
    this.#terminal = terminal;
    const server: ServerInfo = {
      pid: process.pid,
      get config() {
        return pool.loaded.config;
      },
      workers: () => [...pool.workers].map((worker) => worker.info).sort((a, b) => a.slot - b.slot),
    };
    this.#hook = hooks(server, () => pool.loaded);
    const pool = new Pool(context, loaded, this.#hook, (worker, heartbeat) => this.post({ type: 'prepared', worker, heartbeat }));
    this.pool = pool;
    this.#guard = new Guard(context, pool, this.#hook, (worker, stuckMs, stack) => this.post({ type: 'stack', worker, stuckMs, stack }));
    this.#reaper = new Reaper(context, pool);
    this.#scale = new Scale(context, pool, this.#hook);
    this.#rollouts = new Rollouts(context, pool, this.#scale, (next) => hooks(server, () => next)('onReload'), reload, (event) => this.post(event));
    this.#publisher = new Publisher(context, pool, this.#hook);
    this.#overflows = new OverflowWatch(() => context.listeners.queues(), context.log);
    this.#full = new FullWatch(context.board, () => context.listeners.queues(), context.log);
  }

  /** Calls a hook of the config in force. */
  get hook(): CallHook {
    return this.#hook;
  }

  /** Serve until told to stop; answers the exit code, or throws what the first workers could not boot for. */
  async run(): Promise<number> {
    // Without workers (WINCH) nothing else would keep the process.
    const keepAlive = setInterval(() => {}, 2 ** 30);
    const { exitCode, failure } = await new Promise<Stopping>((resolve) => {
      this.#finish = resolve;
      this.#scale.announce(null);
      this.post({ type: 'tick' });
    });
    clearInterval(keepAlive);
    clearTimeout(this.#timer);
    if (failure !== undefined) throw failure;
    return exitCode;
  }

  /** Record an event. The loop takes it when those before it are done. */
  post(event: MasterEvent): void {
    this.#events.push(event);
    if (this.#turning) return;
    this.#turning = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#turn(next);
    } finally {
      this.#turning = false;
    }
    this.#setTimer();
  }

  #turn(event: MasterEvent): void {
    const now = this.#context.now();
    this.#handle(event, now);

    if (now >= this.#lookForAdoptedAt) this.#lookForAdoptedAt = this.#reaper.reapAdopted() ? now + ADOPTED_MS : Infinity;
    this.#guard.killStuck(now);
    if (this.#guard.lookedAt(now)) {
      this.#reaper.locateAll(now);
      this.#overflows.look(now);
      this.#full.look(now, this.pool.inState('ready').map(({ row }) => row));
    }
    if (this.#stopping === undefined) {
      this.pool.restore(now);
      this.#rollouts.settle(now);
      this.#rollouts.closeUnserved(now);
    } else if (this.pool.workers.size === 0) this.#finish(this.#stopping);
    this.#publisher.publish(now);
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    const now = this.#context.now();
    const at = Math.min(this.#guard.nextWake(), this.#lookForAdoptedAt, this.#publisher.nextWake(), ...(this.#stopping === undefined ? [this.pool.nextWake(), this.#rollouts.nextWake()] : []));
    if (at !== Infinity) this.#timer = setTimeout(() => this.post({ type: 'tick' }), Math.max(Math.ceil(at - now), 1));
  }

  #handle(event: MasterEvent, now: number): void {
    switch (event.type) {
      case 'tick':
        return;
      case 'signal':
        return this.#signal(event.signal, now);
      case 'message':
        return this.#message(event.worker, event.message, now);
      case 'nonsense':
        return event.worker.kill('SIGKILL', 'nonsense', `it sent ${event.why} on its channel`);
      case 'exit':
        return this.#exit(event.worker, event.exit, now);
      case 'prepared':
        this.pool.start(event.worker, event.heartbeat, this.#workerEvents, now);
        return this.#reaper.locate(event.worker, now);
      case 'granted':
        return this.#granted(event.worker, event.id, event.result, now);
      case 'stack':
        return void this.#guard.abort(event.worker, event.stuckMs, event.stack, now);
      case 'rotate-tickets':
        return this.#rotateTickets();
      case 'config':
        return this.#stopping === undefined ? this.#rollouts.configured(event.config) : undefined;
      case 'roll':
        return this.#stopping === undefined ? this.#rollouts.begin(now) : undefined;
    }
  }

  readonly #workerEvents: WorkerEvents = {
    message: (worker, message) => this.post({ type: 'message', worker, message }),
    nonsense: (worker, why) => this.post({ type: 'nonsense', worker, why }),
    exit: (worker, code, signal) => this.post({ type: 'exit', worker, exit: { code, signal } }),
  };

  #signal(signal: SignalName, now: number): void {
    const { action } = SIGNALS[signal];
    const says = (action === 'more' ? this.#scale.saysMore : action === 'reload' ? this.#rollouts.says : undefined) ?? SIGNALS[signal].says;
    const { log } = this.#context;
    if (action === 'reap') {
      this.#lookForAdoptedAt = Math.min(this.#lookForAdoptedAt, now);
      return;
    }
    const ignored = this.#ignores(action, now);
    // A terminal sends it to what runs on it when it is closed.
    const isHangup = action === 'reload' && this.#terminal.isClosed();
    const hastens = ignored === undefined && this.#stopping !== undefined && action !== 'reopen-logs';
    log.emit('master.signal', { signal, action: ignored ?? (isHangup ? 'graceful stop: the terminal was closed' : hastens ? 'quick stop in place of the graceful one: requests that still run are cut off' : says) });
    if (ignored !== undefined) return;
    if (isHangup) {
      this.#terminal.leave();
      return this.#stop(false, signal, now);
    }
    switch (action) {
      case 'stop':
      case 'quick-stop':
        return this.#stop(action === 'quick-stop' || hastens, hastens ? `${signal} during the graceful stop` : signal, now);
      case 'reload':
        return this.#rollouts.request();
      case 'more':
      case 'fewer':
      case 'retire':
        return this.#scale[action]();
      case 'upgrade':
        return log.emit('master.no-upgrade', { signal });
      case 'reopen-logs': {
        for (const worker of this.pool.workers) worker.send({ type: 'reopen-logs' });
        const error = log.reopen();
        if (error === undefined) log.emit('log.reopened');
        else log.emit('log.reopen-failed', { file: log.file, error: error.code ?? error.message });
      }
    }
  }

  /** Why a signal does nothing now. */
  #ignores(action: Action, now: number): string | undefined {
    if (this.#stopping !== undefined) {
      const isStop = action === 'stop' || action === 'quick-stop';
      if (isStop && this.#stopping.quick) return 'ignored: the stop is a quick one already';
      if (action === 'stop' && now - this.#stopping.since < ECHO_MS) return 'ignored: it comes with the one before; a later one makes the stop quick';
      return isStop || action === 'reopen-logs' ? undefined : 'ignored: drover is stopping';
    }
    if (action === 'retire' && this.#terminal.is) return 'ignored on a terminal';
    return action === 'more' || action === 'fewer' || action === 'retire' ? this.#scale.refuses(action) : undefined;
  }

  #message(worker: WorkerHandle, message: WorkerMessage, now: number): void {
    const { log } = this.#context;
    switch (message.type) {
      case 'listen':
        return this.#listen(worker, message);
      case 'boots':
        worker.bootStep = message;
        return;
      case 'ready':
        if (worker.state !== 'starting' || worker.asked || worker.killed !== undefined) return;
        worker.state = 'ready';
        worker.readyAt = now;
        this.#guard.watch(worker, now);
        this.#reaper.locate(worker, now);
        this.#compareAddresses(worker);
        return log.emit('worker.ready', { slot: worker.slot, worker: worker.pid, generation: worker.generation, bootMs: Math.round(message.bootMs) });
      case 'boot-failed':
        worker.bootFailed = message;
        return;
      case 'fatal':
        worker.fatal = message;
        return;
      case 'closed':
        this.#context.listeners.release(message.key, worker.row);
        return this.#publisher.forget(worker, message.key);
      case 'recycle':
        if (worker.state !== 'ready' || worker.recycle) return;
        worker.recycle = true;
        return log.emit('worker.recycling', { slot: worker.slot, worker: worker.pid, reason: message.reason });
      case 'draining':
        if (worker.asked) return;
        worker.asked = true;
        if (worker.state === 'ready') worker.state = 'draining';
        worker.deadline = { at: now + this.pool.loaded.config.gracefulTimeoutMs, then: 'grace' };
        return log.emit('worker.draining', { slot: worker.slot, worker: worker.pid, reason: message.reason });
      case 'not-taken':
        worker.introduced.clear();
        worker.bells.clear();
        return;
      case 'left':
        worker.left = true;
        return this.#context.listeners.leave(worker.row);
      case 'log':
        if (!isEventName(message.event)) return this.post({ type: 'nonsense', worker, why: `a log message with the unknown event ${JSON.stringify(message.event)}` });
        return log.emit(message.event, { ...message.fields, slot: worker.slot, worker: worker.pid });
    }
  }

  #compareAddresses(worker: WorkerHandle): void {
    const { listeners, log } = this.#context;
    const others = this.pool.inState('ready').filter((other) => other !== worker && other.generation === worker.generation);
    const apart = listeners.apart(worker.row, others.map(({ row }) => row));
    if (apart === undefined || worker.generation === this.#apart) return;
    this.#apart = worker.generation;
    log.emit('listen.apart', { slot: worker.slot, worker: worker.pid, ...apart });
  }

  #rotateTickets(): void {
    const { ticketKeys } = this.#context;
    ticketKeys.rotate();
    for (const worker of this.pool.workers) worker.send({ type: 'ticket-keys', keys: ticketKeys.keys });
  }

  #listen(worker: WorkerHandle, request: ListenRequest): void {
    void this.#context.listeners
      .grant(request, worker.slot, worker.loaded.bindGiven, worker.row)
      .then((result) => this.post({ type: 'granted', worker, id: request.id, result }));
  }

  #granted(worker: WorkerHandle, id: number, result: GrantResult, now: number): void {
    if (!('errno' in result)) this.#publisher.socketsChanged();
    if ('errno' in result) {
      if (worker.state !== 'gone') worker.send({ type: 'listen-failed', id, ...result });
    } else if (worker.state === 'gone') this.#context.listeners.withdraw(result.key, worker.row);
    else {
      worker.listensAt ??= now;
      const status = worker.send({ type: 'listening', id, key: result.key, sockets: result.sockets }, result.fds);
      // Too many descriptors under way (ETOOMANYREFS): it waits for an answer.
      if (status < 0) {
        this.#context.listeners.withdraw(result.key, worker.row);
        worker.send({ type: 'listen-failed', id, errno: status, message: `cannot listen: the sockets cannot be handed over: ${getSystemErrorName(status)}` });
      }
    }
  }

  #exit(worker: WorkerHandle, exit: Exit, now: number): void {
    const { info } = worker;
    const readyMs = worker.readyAt === undefined ? 0 : now - worker.readyAt;
    const buried = this.#reaper.bury(worker, exit, now);
    void this.#hook('childExit', { ...info, state: 'gone' }, { code: exit.code, signal: exit.signal, expected: buried.expected, kind: buried.kind, cause: buried.cause });
    // Not one that had stopped accepting in order: what the kernel had woken this one for waits for somebody.
    if (exit.code !== 0 || !worker.left) for (const other of this.pool.inState('ready')) other.send({ type: 'recheck' });
    if (this.#stopping !== undefined || buried.expected) return;
    if (buried.phase === 'starting') {
      // A successor: only its reload is given up, also before all first workers are ready.
      if (worker.generation > this.pool.generation) return this.#rollouts.failed(worker, buried, now);
      if (!this.pool.started) return this.#fail(worker, buried, now);
    } else if (buried.phase === 'ready') this.#rollouts.died(worker, buried, exit.signal, readyMs, now);
    // Of one that was told to go, and has a successor, nothing is to be started again.
    if (worker.asked && this.pool.inState('starting', 'ready').some((other) => other.slot === worker.slot)) return;
    const respawn = this.pool.respawn(worker.slot);
    const delayMs = respawn.died(now, readyMs);
    if (respawn.looping) this.#context.log.emit('worker.respawn-delayed', { slot: worker.slot, why: worker.spawnFailure === undefined ? 'keeps dying' : 'cannot be started', delayMs });
  }

  /** The first workers cannot boot: there is nothing to go on with. */
  #fail(worker: WorkerHandle, death: Buried, now: number): void {
    const failure = bootFailure(worker, death);
    // Why, master.failed tells, or the text for a person: once.
    this.#stop(true, `worker ${worker.slot} could not boot`, now, failure);
  }

  #stop(quick: boolean, reason: string, now: number, failure?: DroverError): void {
    if (this.#stopping !== undefined && (this.#stopping.quick || !quick)) return;
    const exitCode = failure === undefined ? EXIT_CODES.ok.code : EXIT_CODES[ERRORS[failure.code]].code;
    this.#stopping = { since: now, exitCode, failure, ...this.#stopping, quick };
    this.#context.log.emit('master.stopping', { mode: quick ? 'quick' : 'graceful', reason });
    this.pool.rollout = undefined;
    for (const worker of [...this.pool.workers]) {
      if (quick) this.pool.dismiss(worker, reason, now);
      else this.pool.retire(worker, 'drover stops', now, 'all');
    }
  }
}
