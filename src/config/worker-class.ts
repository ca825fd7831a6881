/**
 * What a class given with --worker-class PATH may have: types only. docs/worker-class.md says the same to users; worker/worker-class.ts calls it.
 *
 * Rank 1.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import type { WorkerConfig } from './worker-config.js';

/** What the constructor gets. */
export interface WorkerContext {
  /** The stable number of the worker's place, from 0. */
  readonly slot: number;
  /** Counts reloads. */
  readonly generation: number;
  readonly config: Readonly<Pick<WorkerConfig, 'app' | 'cwd' | 'name' | 'workerConnections' | 'workerConcurrency' | 'timeoutMs' | 'gracefulTimeoutMs'>> & { readonly appArgs: readonly string[] };
}

/** The methods, all optional but one of them; made once per worker process as `new Class(context)`. */
export interface WorkerClass {
  /** Before the app is loaded. What it throws, or rejects with, fails the boot. */
  boot?(): void | Promise<void>;
  /** A server of the app is about to listen for the first time: the place for its timeouts and listeners. */
  onServer?(server: Server): void;
  /** An HTTP/1 request has begun; the app gets it right after. For looking and for headers, not for answering. */
  onRequest?(request: IncomingMessage, response: ServerResponse, server: Server): void;
  /** The app listens and the worker takes connections. */
  onReady?(): void;
  /** The worker was told to stop: it takes no more connections and finishes what is open, which it does not wait for this to do. */
  onDrain?(): void | Promise<void>;
}
