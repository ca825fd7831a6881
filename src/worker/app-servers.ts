/**
 * The servers of the app, and what drover puts on each of them: the policies of the HTTP edge, what comes before HTTP/1 (TLS, HTTP/2), keys
 * of session tickets, the counts of requests and connections. In the worker. Which server listens, and when, is the intercept's.
 */
import type { Server } from 'node:net';
import type { EdgeConfig } from '../config/edge-config.js';
import type { Hooks } from '../config/hooks.js';
import type { Connections } from '../http/connections.js';
import type { Edge } from '../http/edge.js';
import type { Front } from '../http/front.js';
import { openEdge } from '../http/open-edge.js';
import { openFront } from '../http/open-front.js';
import type { PolicyContext } from '../http/policy.js';
import type { Requests } from '../http/requests.js';
import { Tickets } from '../http/tls/tickets.js';
import { readCertificates } from './certificates.js';

export interface AppServersParts extends Pick<PolicyContext, 'log' | 'countRefused'> {
  config: EdgeConfig;
  slot: number;
  requests: Requests;
  connections: Connections;
  /** Owned. Undefined: drover does no TLS. */
  certificatesFd: number | undefined;
  ticketKeys: string[];
}

export class AppServers {
  readonly #parts: AppServersParts;
  readonly #tickets: Tickets;
  #edge: Edge | undefined;
  #front: Front | undefined;

  constructor(parts: AppServersParts) {
    this.#parts = parts;
    this.#tickets = new Tickets(parts.ticketKeys);
  }

  /** Load what the configuration asks for: before the app. */
  async open(hooks: Hooks): Promise<void> {
    const { config, slot, requests, connections, certificatesFd, log, countRefused } = this.#parts;
    const context: PolicyContext = {
      log,
      countRefused,
      origin: { pid: process.pid, slot },
      openSockets: () => connections.sockets(),
      onRequestBegin: (listener) => void (requests.onBegin = listener),
      onResponseEnd: (listener) => void (requests.onEnd = listener),
    };
    this.#edge = await openEdge(config, context, hooks);
    this.#front = await openFront(config, {
      certificates: readCertificates(certificatesFd),
      connections,
      watchConnection: (socket, streams) => this.#edge?.watchConnection(socket, streams),
      watchStreams: (server) => {
        requests.watchStreams(server);
        this.#edge?.watchStreams(server);
      },
      tickets: this.#tickets,
      log,
    });
  }

  /** One that is about to listen for the first time. */
  watch(server: Server): void {
    this.#parts.connections.watch(server);
    this.#parts.requests.watchStreams(server);
    this.#edge?.watch(server);
    this.#tickets.watch(server);
  }

  /** One that is served by drover's sockets. */
  take(server: Server): void {
    this.#front?.take(server);
  }

  changeTicketKeys(keys: string[]): void {
    this.#tickets.change(keys);
  }

  giveBack(): void {
    this.#edge?.giveBack();
  }

  reopen(): void {
    this.#edge?.reopen();
  }

  flush(until: number): void {
    this.#edge?.flush(until);
  }

  writeOut(): void {
    this.#edge?.writeOut();
  }
}
