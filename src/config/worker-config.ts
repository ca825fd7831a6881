/** What of the configuration a worker needs, as it travels to it in the `init` message: plain data, no functions. Rank 1. */
import { DEFAULT_HOST, DEFAULT_PORT } from './address.js';
import { edgeConfig, type EdgeConfig } from './edge-config.js';
import { HOOKS, isHookName } from './hooks.js';
import type { LoadedConfig } from './load.js';
import type { AcceptStrategyName } from './options.js';

/** The address that drover itself chooses for an app. */
export interface ChosenPlace {
  host: string;
  port: number;
  /** Where it is from, for people: `environment variable PORT`. */
  source: string;
}

export interface WorkerConfig {
  /** APP as the user gave it: path or package, with an optional `:export`. */
  app: string;
  /** What the app finds in process.argv after its own path. */
  appArgs: string[];
  /** Directory the app is resolved against (--chdir, else where drover was started). */
  cwd: string;
  name: string;
  /** Whether --bind was given: the first listen() of a script then takes its place. */
  bindGiven: boolean;
  /** Where an app that does not listen by itself is made to listen; with --bind, that is what the master puts in its place. */
  place: ChosenPlace;
  acceptStrategy: AcceptStrategyName;
  acceptPermits: number;
  backlog: number;
  proxyProtocol: 'off' | 'v1' | 'v2' | 'auto';
  /** As parseAddressSet makes them. */
  proxyAllowFrom: string[];
  proxyTimeoutMs: number;
  /** `http`, `sync`, or the absolute path of a module. */
  workerClass: string;
  /** 0: no limit. */
  workerConnections: number;
  /** 0: no limit. 1 with the class `sync`. */
  workerConcurrency: number;
  maxRequests: number;
  maxRequestsJitter: number;
  bootTimeoutMs: number;
  timeoutMs: number;
  gracefulTimeoutMs: number;
  edge: EdgeConfig;
  /** The master's log, for a worker that has lost its master. `-`: standard error. */
  logFile: string;
  logFormat: 'auto' | 'json' | 'pretty';
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  /** Path of the config file, to load the worker's hooks from; null when there is none or it has no worker hook. */
  configFile: string | null;
  /** Directory for the report a worker writes when V8 runs out of heap, where it has no descriptor for it; null: none. */
  reportDir: string | null;
}

/** In the master, which fills `reportDir` in. */
export function workerConfig({ config, sources, bindGiven, configFile, hooks }: LoadedConfig, reportDir: string | null = null): WorkerConfig {
  // A --bind that is not given is the default, an address of TCP.
  const { host, port } = bindGiven ? { host: DEFAULT_HOST, port: DEFAULT_PORT } : (config.bind[0] as { host: string; port: number });
  const workerHooks = Object.keys(hooks).some((name) => isHookName(name) && HOOKS[name].process === 'worker');
  return {
    app: config.app,
    appArgs: [...config.appArgs],
    cwd: config.chdir,
    name: config.name,
    bindGiven,
    place: { host, port, source: bindGiven || sources.bind.source === 'default' ? 'default of --bind' : sources.bind.where },
    acceptStrategy: config.acceptStrategy,
    acceptPermits: config.acceptPermits,
    backlog: config.backlog,
    proxyProtocol: config.proxyProtocol,
    proxyAllowFrom: [...config.proxyAllowFrom],
    proxyTimeoutMs: config.proxyTimeoutMs,
    workerClass: config.workerClass,
    workerConnections: config.workerConnections,
    workerConcurrency: config.workerClass === 'sync' ? 1 : config.workerConcurrency,
    maxRequests: config.maxRequests,
    maxRequestsJitter: config.maxRequestsJitter,
    bootTimeoutMs: config.bootTimeoutMs,
    timeoutMs: config.timeoutMs,
    gracefulTimeoutMs: config.gracefulTimeoutMs,
    edge: edgeConfig(config),
    logFile: config.logFile,
    logFormat: config.logFormat,
    logLevel: config.logLevel,
    configFile: workerHooks ? configFile : null,
    reportDir,
  };
}
