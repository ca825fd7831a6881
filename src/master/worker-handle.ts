/**
 * A worker as the master sees it: its process, its channel, its place, and how far it has come. Runs in the master.
 *
 * It carries out (spawn, drain, quit, kill) and remembers what it did and why; it decides nothing. Everything that happens to the worker
 * comes back as events of the loop: its messages in order, then, after the last of them, its exit.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { LoadedConfig } from '../config/load.js';
import type { WorkerInfo } from '../config/hooks.js';
import { workerConfig } from '../config/worker-config.js';
import { monotonicMs } from '../ipc/clock.js';
import { Channel } from '../ipc/channel.js';
import { COMPILED_FD } from '../ipc/compiled-code.js';
import type { BootStep, MasterMessage, WorkerMessage } from '../ipc/messages.js';
import { ADDON, closeFd, native, systemError } from '../native.js';
import { sealCertificates } from './certificates.js';
import type { CompiledCode } from './compiled-code.js';
import type { MemoryCgroup } from './cgroup.js';
import type { Deadline } from './deadline.js';
import type { KillReason } from './death.js';
import type { Heartbeat } from './heartbeat.js';
import { explainSpawnFailure, type SpawnFailure } from './spawn-failure.js';
import type { Watchdog } from './watchdog.js';
import { WORKER_MAIN, codeProblem } from './worker-code.js';

/** Types a worker may send. A worker that sends another is not trusted further. */
const WORKER_MESSAGES = ['listen', 'boots', 'ready', 'boot-failed', 'fatal', 'closed', 'recycle', 'draining', 'left', 'not-taken', 'log'] as const satisfies readonly WorkerMessage['type'][];
type Missing = Exclude<WorkerMessage['type'], (typeof WORKER_MESSAGES)[number]>;
const everyTypeIsListed: [Missing] extends [never] ? true : Missing = true;
void everyTypeIsListed;

/** After `quit`, a worker has this long to run its hooks. */
export const QUIT_MS = 2000;
/** After ABRT, before KILL. */
export const ABORT_MS = 1000;

/** Of the environment: the sockets that a supervisor has handed to drover (sd_listen_fds(3)). They are not where an app would look for them, and SvelteKit refuses to start. */
const NOT_HANDED_ON = { LISTEN_PID: undefined, LISTEN_FDS: undefined, LISTEN_FDNAMES: undefined };

export interface Place {
  slot: number;
  row: number;
  generation: number;
}

/** What a worker is started with. */
export interface SpawnOptions {
  loaded: LoadedConfig;
  /** Where it leaves its report: a descriptor, which is the handle's then, or a directory. */
  reportFd: number | undefined;
  reportDir: string | null;
  boardFd: number;
  inflightFd: number;
  heartbeat: Heartbeat | undefined;
  ticketKeys: string[];
  /** Undefined: it compiles drover's code for itself. */
  compiledCode: CompiledCode | undefined;
  /** Its bell and the conductor's, where a strategy in use needs them; -errno when there is no descriptor for them. */
  wake: { bell: number; conductor: number } | number | undefined;
}

/** What is told to the master's loop. */
export interface WorkerEvents {
  message(worker: WorkerHandle, message: WorkerMessage): void;
  nonsense(worker: WorkerHandle, why: string): void;
  exit(worker: WorkerHandle, code: number | null, signal: NodeJS.Signals | null): void;
}

export class WorkerHandle {
  readonly slot: number;
  readonly row: number;
  readonly generation: number;
  readonly loaded: LoadedConfig;
  state: 'starting' | 'ready' | 'draining' | 'gone' = 'starting';
  /** When it was given its first socket. */
  listensAt: number | undefined;
  /** It asked to be replaced. */
  recycle = false;
  /** It was told to stop. */
  asked = false;
  /** It takes no connections any more. */
  left = false;
  spawnedAt = 0;
  /** Its NODE_OPTIONS; '': none. */
  nodeOptions = '';
  readyAt: number | undefined;
  deadline: Deadline | undefined;
  watchdog: Watchdog | undefined;
  /** Its process was stopped when last looked at. */
  stopped = false;
  /** The stack it is stuck in is being asked for. */
  interrogated = false;
  heartbeat: Heartbeat | undefined;
  reportFd: number | undefined;
  cgroup: MemoryCgroup | undefined;
  killed: { reason: KillReason; signals: NodeJS.Signals[]; detail: string } | undefined;
  /** Its process could not be started. */
  spawnFailure: SpawnFailure | undefined;
  /** What its boot was last known to be at. */
  bootStep: BootStep | undefined;
  bootFailed: Extract<WorkerMessage, { type: 'boot-failed' }> | undefined;
  fatal: Extract<WorkerMessage, { type: 'fatal' }> | undefined;
  /** Sockets of siblings it has been sent already, as `key bind slot`. */
  readonly introduced = new Set<string>();
  /** What it was told last of the slots of which nobody listens, by listener. */
  readonly unattended = new Map<string, string>();
  /** Rows whose bells it has been sent. */
  readonly bells = new Set<number>();
  #child: ChildProcess | undefined;
  #channel: Channel<WorkerMessage, MasterMessage> | undefined;

  constructor(place: Place, loaded: LoadedConfig) {
    this.slot = place.slot;
    this.row = place.row;
    this.generation = place.generation;
    this.loaded = loaded;
  }

  /** 0 before it is spawned. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get info(): WorkerInfo {
    return { pid: this.pid, slot: this.slot, generation: this.generation, state: this.state };
  }

  spawn(options: SpawnOptions, events: WorkerEvents, now: number): void {
    this.spawnedAt = now;
    this.heartbeat = options.heartbeat;
    this.reportFd = options.reportFd;
    const { config, certificates } = options.loaded;
    // A worker that could not be started, and is tried again as one that died.
    const giveUp = (error: Error): void => {
      this.spawnFailure = explainSpawnFailure(error, { limit: () => native.descriptorLimit(), directory: config.chdir, program: process.execPath, isThere: existsSync });
      queueMicrotask(() => events.exit(this, null, null));
    };
    const replaced = codeProblem();
    if (replaced !== undefined) return giveUp(replaced);
    const { wake } = options;
    if (typeof wake === 'number') return giveUp(systemError('eventfd', wake));
    let certificatesFd: number | undefined;
    try {
      if (certificates !== null) certificatesFd = sealCertificates(certificates.certificates);
    } catch (error) {
      return giveUp(error as Error);
    }
    const pair = native.socketPair();
    if (typeof pair === 'number') {
      if (certificatesFd !== undefined) closeFd(certificatesFd);
      return giveUp(systemError('socketpair', pair));
    }
    const [ours, theirs] = pair;
    const channel = new Channel<WorkerMessage, MasterMessage>(ours, WORKER_MESSAGES);
    this.#channel = channel;
    let child: ChildProcess;
    const env = this.#env();
    this.nodeOptions = env['NODE_OPTIONS'] ?? '';
    const compiledFd = options.compiledCode?.forWorker(config.nodeArgs, env);
    try {
      // The inspector's address would otherwise be printed among the app's own output when the stack of a stuck worker is taken.
      child = spawn(process.execPath, ['--inspect-publish-uid=http', ...config.nodeArgs, WORKER_MAIN, ...(compiledFd === undefined ? [] : [String(COMPILED_FD)])], {
        cwd: config.chdir,
        env,
        // By number: the channel's is 3, COMPILED_FD comes after it.
        stdio: ['inherit', 'inherit', 'inherit', theirs, ...(compiledFd === undefined ? [] : [compiledFd])],
      });
    } catch (error) {
      channel.close();
      if (certificatesFd !== undefined) closeFd(certificatesFd);
      return giveUp(error as Error);
    } finally {
      closeFd(theirs);
    }
    this.#child = child;

    child.once('error', (error) => {
      if (child.pid !== undefined) return; // a kill that failed: its exit tells the rest
      channel.close();
      giveUp(error);
    });
    child.once('exit', (code, signal) => {
      // Its last words may still be in the socket: they come first.
      this.#drainChannel(events);
      channel.close();
      events.exit(this, code, signal);
    });
    channel.start({
      onMessage: (message, fds) => {
        fds.forEach(closeFd); // no message of a worker carries any
        events.message(this, message);
      },
      onNonsense: (why) => events.nonsense(this, why),
      // Its exit follows; a worker that closes its channel and lives on has noticed that by itself (worker/main.ts) or is stuck.
      onClose: () => {},
    });

    const fds = [options.boardFd, options.inflightFd];
    const names: Extract<MasterMessage, { type: 'init' }>['fds'] = ['board', 'inflight'];
    if (options.heartbeat !== undefined) {
      fds.push(options.heartbeat.fd);
      names.push('heartbeat');
    }
    if (wake !== undefined) {
      fds.push(wake.bell, wake.conductor);
      names.push('wake', 'conductor');
    }
    if (options.reportFd !== undefined) {
      fds.push(options.reportFd);
      names.push('report');
    }
    if (certificatesFd !== undefined) {
      fds.push(certificatesFd);
      names.push('certificates');
    }
    const { slot, row, generation } = this;
    this.send({ type: 'init', slot, row, generation, master: process.pid, config: workerConfig(options.loaded, options.reportDir), ticketKeys: options.ticketKeys, fds: names }, fds);
    if (certificatesFd !== undefined) closeFd(certificatesFd);
  }

  #env(): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = { ...process.env, ...NOT_HANDED_ON, ...this.loaded.config.env };
    // One addon for all, and a relative path is of our working directory, not of the worker's (--chdir).
    if (process.env['DROVER_ADDON']) env['DROVER_ADDON'] = ADDON;
    return env;
  }

  #drainChannel(events: WorkerEvents): void {
    const channel = this.#channel;
    while (channel !== undefined && channel.open) {
      let received;
      try {
        received = channel.receiveSync(0);
      } catch (error) {
        events.nonsense(this, (error as Error).message);
        return;
      }
      if (typeof received === 'string') return;
      received.fds.forEach(closeFd);
      events.message(this, received.message);
    }
  }

  /** 0 or -errno. A worker that is gone is no error: its exit comes as an event. */
  send(message: MasterMessage, fds?: number[]): number {
    return this.#channel?.send(message, fds) ?? -32;
  }

  /** Stop taking connections, finish what is open, exit; killed when that takes longer than `graceMs`. */
  drain({ graceMs, ...order }: { graceMs: number; close: 'all' | string[]; reason: string }, now: number): void {
    this.state = 'draining';
    this.asked = true;
    this.deadline = { at: now + graceMs, then: 'grace' };
    this.send({ type: 'drain', ...order, killAtMs: monotonicMs() + graceMs });
  }

  /** It drains already, in the time that it was given, and nobody will serve in its place. */
  drainAlone(reason: string, now: number): void {
    if (this.deadline?.then !== 'grace') return;
    this.send({ type: 'drain', killAtMs: monotonicMs() + this.deadline.at - now, close: 'all', reason });
  }

  /** Run the hooks and exit now; killed when that takes longer than QUIT_MS. */
  quit(reason: string, now: number): void {
    this.asked = true;
    if (this.state === 'ready') this.state = 'draining';
    this.deadline = { at: now + QUIT_MS, then: 'quit' };
    this.send({ type: 'quit', killAtMs: monotonicMs() + QUIT_MS, reason });
  }

  /** Send a signal and remember why: the death will be explained by it. */
  kill(signal: NodeJS.Signals, reason: KillReason, detail: string): void {
    if (this.state === 'gone' || this.#child === undefined) return;
    if (this.killed?.reason === reason) this.killed.signals.push(signal);
    else this.killed = { reason, signals: [signal], detail };
    this.#child.kill(signal);
  }
}
