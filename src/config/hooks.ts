/**
 * The hooks a config file may define: their names, where each runs, what it gets, and `runHook`, which calls one.
 *
 * Hooks are top-level keys of the config file, as in Gunicorn. A hook may be async: it is then awaited where the table says so.
 *
 * Rank 1. In the master and in the workers: imports no more than errors.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DroverError } from '../errors.js';
import type { Config } from './options.js';

/** A worker as the master sees it. */
export interface WorkerInfo {
  /** Process id; 0 before it is spawned. */
  readonly pid: number;
  /** Stable number of its place, from 0; a successor has its predecessor's. */
  readonly slot: number;
  /** Counts reloads. */
  readonly generation: number;
  readonly state: 'starting' | 'ready' | 'draining' | 'gone';
}

/** The master, as hooks that run in it see it. */
export interface ServerInfo {
  /** Process id of the master. */
  readonly pid: number;
  /** Every option with its value: durations in milliseconds, as `timeoutMs`, sizes in bytes, as `limitRequestBodyBytes`. */
  readonly config: Config;
  /** All workers there are now, in order of slot. */
  workers(): readonly WorkerInfo[];
}

/** How a worker ended. */
export interface WorkerDeath {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it; null when it exited. */
  readonly signal: NodeJS.Signals | null;
  /** Whether it was told to stop. */
  readonly expected: boolean;
  /** `exit`, `uncaught`, `heap-limit`, `out-of-memory`, `signal`, `timeout`, `boot`. */
  readonly kind: string;
  /** The cause as the log tells it. */
  readonly cause: string;
}

type Result = void | Promise<void>;

export interface Hooks {
  /** Master: before anything is listened on. When it throws, drover does not start. */
  onStarting?: (server: ServerInfo) => Result;
  /** Master: on HUP, after the config was read and before the first successor is spawned. The reload waits for it, at most --boot-timeout. */
  onReload?: (server: ServerInfo) => Result;
  /** Master: the full number of workers is ready for the first time. */
  whenReady?: (server: ServerInfo) => Result;
  /** Master: just before a worker is spawned; `worker.pid` is 0. The worker waits for it, at most --boot-timeout. */
  preSpawn?: (server: ServerInfo, worker: WorkerInfo) => Result;
  /** Worker: before the app is loaded. */
  postSpawn?: (worker: WorkerInfo) => Result;
  /** Worker: the app has loaded and listens. */
  postWorkerInit?: (worker: WorkerInfo) => Result;
  /** Worker: a request is about to be given to the app; refused ones are not. Not awaited. */
  preRequest?: (request: IncomingMessage) => Result;
  /** Worker: the response has been sent, or its connection has closed. */
  postRequest?: (request: IncomingMessage, response: ServerResponse) => Result;
  /** Worker: told to stop at once, without finishing its requests. */
  workerInt?: (worker: WorkerInfo) => Result;
  /** Master: a worker is stuck and about to be killed; `stack` is the JavaScript stack it is stuck in, null when there is none to be had. */
  workerAbort?: (server: ServerInfo, worker: WorkerInfo, stuck: { stack: string | null }) => Result;
  /** Master: a worker's process has ended. */
  childExit?: (server: ServerInfo, worker: WorkerInfo, death: WorkerDeath) => Result;
  /** Worker: it is about to exit. Only what is done synchronously is sure to be done. */
  workerExit?: (worker: WorkerInfo) => Result;
  /** Master: the number of workers asked for has changed; `oldCount` is null at start. */
  nworkersChanged?: (server: ServerInfo, newCount: number, oldCount: number | null) => Result;
  /** Master: last thing before drover exits. It is waited for, at most --graceful-timeout, but a second at least. */
  onExit?: (server: ServerInfo) => Result;
}

export type HookName = keyof Hooks;

/** Where each hook runs and what the manual says of it. */
export const HOOKS: { readonly [Name in HookName]-?: { readonly process: 'master' | 'worker'; readonly args: string; readonly help: string } } = {
  onStarting: { process: 'master', args: '(server)', help: 'Before anything is listened on, and waited for as long as it takes. When it throws, drover does not start.' },
  onReload: { process: 'master', args: '(server)', help: 'On HUP, after the config was read and before the first successor is spawned. It is waited for, for at most `--boot-timeout`.' },
  whenReady: { process: 'master', args: '(server)', help: 'The full number of workers is ready for the first time.' },
  preSpawn: { process: 'master', args: '(server, worker)', help: 'Just before a worker is spawned; `worker.pid` is 0. It is waited for, for at most `--boot-timeout`.' },
  postSpawn: { process: 'worker', args: '(worker)', help: 'Before the app is loaded.' },
  postWorkerInit: { process: 'worker', args: '(worker)', help: 'The app has loaded and listens.' },
  preRequest: { process: 'worker', args: '(request)', help: 'A request is about to be given to the app; refused ones are not. It is not awaited. What it throws is logged at most once in ten seconds.' },
  postRequest: { process: 'worker', args: '(request, response)', help: 'The response has been sent, or its connection has closed. As preRequest.' },
  workerInt: { process: 'worker', args: '(worker)', help: 'The worker is told to stop at once, without finishing its requests.' },
  workerAbort: { process: 'master', args: '(server, worker, { stack })', help: 'A worker is stuck and about to be killed; `stack` is the JavaScript stack it is stuck in, null when there is none to be had.' },
  childExit: { process: 'master', args: '(server, worker, death)', help: "A worker's process has ended. `death` has `code`, `signal`, `expected`, `kind` and `cause`." },
  workerExit: { process: 'worker', args: '(worker)', help: 'The worker is about to exit. Only what is done synchronously is sure to be done.' },
  nworkersChanged: { process: 'master', args: '(server, newCount, oldCount)', help: 'The number of workers asked for has changed; `oldCount` is null at start.' },
  onExit: { process: 'master', args: '(server)', help: 'Last thing before drover exits. It is waited for, for at most `--graceful-timeout`, but a second at least.' },
};

export function isHookName(name: string): name is HookName {
  return Object.hasOwn(HOOKS, name);
}

/** The hooks among what a config file exports (config-file.ts: `readConfigFile`). Throws DroverError. */
export function hooksOf(exported: Readonly<Record<string, unknown>>, path: string): Hooks {
  const hooks: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(exported)) {
    if (!isHookName(key) || value === undefined || value === null) continue;
    if (typeof value !== 'function') throw new DroverError('ERR_DROVER_VALUE', `${key}: a hook must be a function, not a ${typeof value}: ${JSON.stringify(value)} (${path})`, `Give a function: ${key}${HOOKS[key].args} { ... }`);
    hooks[key] = value;
  }
  return hooks;
}

/** Reports a hook that threw: the event `hook.failed`. */
export type ReportHookFailure = (failure: { hook: HookName; message: string; stack: string }) => void;

/**
 * Calls a hook if there is one. It is called before this returns; the promise is fulfilled when an async hook is done. A hook that throws
 * is reported and stops nothing; but onStarting rejects with ERR_DROVER_HOOK. The promise rejects in no other case.
 */
export async function runHook<Name extends HookName>(hooks: Hooks, name: Name, report: ReportHookFailure, ...args: Parameters<NonNullable<Hooks[Name]>>): Promise<void> {
  const hook = hooks[name] as ((...args: unknown[]) => Result) | undefined;
  if (hook === undefined) return;
  try {
    await hook(...args);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    report({ hook: name, message, stack: (error instanceof Error && error.stack) || message });
    if (name === 'onStarting') throw new DroverError('ERR_DROVER_HOOK', `hook onStarting threw: ${message}`, 'drover does not start when onStarting throws.');
  }
}
