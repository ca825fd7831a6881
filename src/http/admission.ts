/**
 * Whether this worker may take another connection: --worker-connections and --worker-concurrency. In the worker.
 *
 * The limits are on the board, where steering and the conductor see a full row; the worker itself stops accepting in the very callback that
 * fills it, before the kernel can give it anything more, and starts again in the callback that frees a place. The kernel's queue is where
 * the rest waits.
 *
 * A connection that was just accepted counts as a request in flight until its first request has begun, or for OWED_MS: else a worker with
 * one place would take eight connections in a row before the first of them has said anything. What came without asking is served, limit or not: a
 * request on a connection that was idle or silent for longer.
 */
import type { Socket } from 'node:net';
import { NO_LIMIT, type Board } from '../ipc/board.js';

export interface AdmissionOptions {
  /** Connections open, and requests in flight, at which no connection is taken; 0: no limit. */
  connections: number;
  requests: number;
  /** Take no connection from now on. */
  hold: () => void;
  /** Take them again. */
  release: () => void;
}

/** How long a new connection may owe its first request: a TLS handshake over a long way and a lost packet fit in. */
export const OWED_MS = 1_000;

export class Admission {
  /** Whether the row is full. */
  #held = false;
  readonly #board: Board;
  readonly #row: number;
  readonly #options: AdmissionOptions;
  readonly #inFlight: Uint32Array | Float64Array;
  readonly #inFlightAt: number;
  /** Connections that owe their first request, and the end of their patience. */
  readonly #owing = new Map<object, NodeJS.Timeout>();
  /** What HTTP speaks over (TLS socket, HTTP/2 session) to the accepted socket. */
  readonly #accepted = new WeakMap<object, Socket>();

  constructor(board: Board, row: number, options: AdmissionOptions) {
    this.#board = board;
    this.#row = row;
    this.#options = options;
    [this.#inFlight, this.#inFlightAt] = board.cell(row, 'requestsInFlight');
    board.set(row, 'connectionLimit', options.connections || NO_LIMIT);
    board.set(row, 'requestLimit', options.requests || NO_LIMIT);
  }

  /** A connection was accepted (its socket, or what stands for it until it has one); `owes`: a request is to be expected. */
  opened(socket: object, owes: boolean): void {
    if (owes && this.#options.requests > 0) {
      this.#count(1);
      // Timers come before poll: after a handler that blocked, the request may be here and not read yet. So one look at the sockets first.
      this.#owing.set(socket, setTimeout(() => setImmediate(() => this.#forgive(socket)), OWED_MS).unref());
    }
    this.look();
  }

  /** `inner` speaks over this accepted socket. */
  speaksOver(inner: object, socket: Socket): void {
    if (this.#options.requests > 0) this.#accepted.set(inner, socket);
  }

  /** A request has begun, and is counted: its connection owes none any more. */
  begun(inner: object): void {
    if (this.#options.requests > 0) this.#forgive(this.#accepted.get(inner) ?? (inner as Socket));
    this.look();
  }

  closed(socket: object): void {
    this.#forgive(socket);
    this.look();
  }

  /** The counts on the board have changed. */
  look(): void {
    const { connections, requests, hold, release } = this.#options;
    const isFull = full({ connections: this.#board.get(this.#row, 'connections'), requests: this.#inFlight[this.#inFlightAt]! }, { connections, requests });
    if (isFull === this.#held) return;
    this.#held = isFull;
    if (isFull) hold();
    else release();
  }

  #forgive(socket: object): void {
    const timer = this.#owing.get(socket);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#owing.delete(socket);
    this.#count(-1);
    this.look();
  }

  #count(change: 1 | -1): void {
    this.#inFlight[this.#inFlightAt] = this.#inFlight[this.#inFlightAt]! + change;
  }
}

/** The decision. 0 is no limit. */
export function full(load: { connections: number; requests: number }, limits: { connections: number; requests: number }): boolean {
  return (limits.connections > 0 && load.connections >= limits.connections) || (limits.requests > 0 && load.requests >= limits.requests);
}
