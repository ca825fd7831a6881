/** What of the configuration a worker needs, as it travels to it in the `init` message: plain data, no functions. Rank 1. */
import type { EdgeConfig } from './edge-config.js';
import type { AcceptStrategyName } from './options.js';

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
  place: { host: string; port: number };
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
