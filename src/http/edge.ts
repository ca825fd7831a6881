/**
 * What stands between the socket and the app: every request of every server of the app passes the policies first. In the worker.
 *
 * The place is `emit` of the server, as an own property: node:http and node:http2 hand a request over by emitting it, whatever framework
 * listens, and whoever listens first. A server without a policy that wants its requests is left as it is.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isHttp2 } from './is-http2.js';
import type { OpenStreams, Policy } from './policy.js';
import { isRefused } from './refusal.js';
import { StreamRequest, StreamResponse } from './stream-request.js';

type Emit = (event: string | symbol, ...args: unknown[]) => boolean;
type RequestPolicy = NonNullable<Policy['request']>;
type UpgradePolicy = NonNullable<Policy['upgrade']>;
type StreamPolicy = NonNullable<Policy['stream']>;
type ErrorPolicy = NonNullable<Policy['clientError']>;

function nothing(): void {}

export class Edge {
  readonly #policies: readonly Policy[];
  readonly #requests: readonly RequestPolicy[];
  readonly #streams: readonly StreamPolicy[];
  readonly #upgrades: readonly UpgradePolicy[];
  readonly #errors: readonly ErrorPolicy[];

  /** In the order in which they are asked. */
  constructor(policies: readonly Policy[]) {
    this.#policies = policies;
    this.#requests = policies.flatMap((policy) => (policy.request === undefined ? [] : [(request, response) => policy.request!(request, response)]));
    this.#streams = policies.flatMap((policy) => (policy.stream === undefined ? [] : [policy.stream.bind(policy)]));
    this.#upgrades = policies.flatMap((policy) => (policy.upgrade === undefined ? [] : [policy.upgrade.bind(policy)]));
    this.#errors = policies.flatMap((policy) => (policy.clientError === undefined ? [] : [policy.clientError.bind(policy)]));
  }

  /** A server of the app's begins to listen for the first time. */
  watch(server: Server): void {
    for (const policy of this.#policies) policy.server?.(server);
    if (this.#requests.length > 0 || this.#upgrades.length > 0 || this.#errors.length > 0) this.#take(server);
  }

  /** A connection passes front.ts. */
  watchConnection(socket: Socket, streams?: OpenStreams): void {
    for (const policy of this.#policies) policy.connection?.(socket, streams);
  }

  /** A server of drover's own makes HTTP/2 streams of the app's connections. */
  watchStreams(server: Server): void {
    for (const policy of this.#policies) policy.streams?.(server);
  }

  giveBack(): void {
    for (const policy of this.#policies) policy.giveBack?.();
  }

  reopen(): void {
    for (const policy of this.#policies) policy.reopen?.();
  }

  flush(until: number): void {
    for (const policy of this.#policies) policy.flush?.(until);
  }

  writeOut(): void {
    for (const policy of this.#policies) policy.writeOut?.();
  }

  #take(server: Server): void {
    const [requests, streams, upgrades, errors] = [this.#requests, this.#streams, this.#upgrades, this.#errors];
    const emit = server.emit as Emit;
    // Node sends `100 Continue`, or refuses another expectation, by itself when nobody listens: before any policy could speak.
    if (requests.length > 0) for (const event of ['checkContinue', 'checkExpectation']) server.on(event, nothing);
    /** Requests that were asked about as `checkContinue`: the app then often emits them once more, as `request`. */
    let asked: WeakSet<object> | undefined;
    const ask = (request: IncomingMessage, response: ServerResponse): boolean => {
      for (const policy of requests) if (policy(request, response)) return true;
      return false;
    };
    // Plain parameters and `arguments`: every event of the server comes by here, and a rest parameter is an array each time. The two events that each connection has are handed on
    // as they are, which compiled code can look through.
    (server as { emit: Emit }).emit = function (this: Server, event: string | symbol, first?: unknown, second?: unknown, third?: unknown, fourth?: unknown) {
      switch (event) {
        case 'request':
          if (isRefused((first as IncomingMessage).socket)) return true;
          if (asked?.has(first as object) !== true && ask(first as IncomingMessage, second as ServerResponse)) return true;
          if (arguments.length === 3) return emit.call(this, event, first, second);
          break;
        case 'connection':
          if (arguments.length === 2) return emit.call(this, event, first);
          break;
        case 'checkContinue':
        case 'checkExpectation':
          if (isRefused((first as IncomingMessage).socket)) return true;
          if (asked?.has(first as object) === true) break;
          if (ask(first as IncomingMessage, second as ServerResponse)) return true;
          (asked ??= new WeakSet()).add(first as object);
          if (this.listenerCount(event) > 1) break;
          if (event === 'checkContinue') (second as ServerResponse).writeContinue();
          else return (second as ServerResponse).writeHead(417).end() !== undefined;
          return emit.call(this, 'request', first, second);
        case 'stream': {
          // Else Node makes a request of it and emits that. A tunnel has no path.
          const headers = second as IncomingHttpHeaders;
          if (this.listenerCount('request') > 0 || headers[':path'] === undefined) break;
          const request = new StreamRequest(first as ServerHttp2Stream, headers, fourth as string[]);
          const response = new StreamResponse(first as ServerHttp2Stream);
          for (const ask of streams) {
            if (!ask(request, response)) continue;
            // The app, which would listen, never has it: an error of it, which may be the client's doing, would end the process.
            request.stream.on('error', nothing);
            return true;
          }
          break;
        }
        case 'upgrade':
        case 'connect':
          // Of node:http2's compatibility API: no socket comes with it, but a response. A tunnel has no path.
          if (isHttp2(first as IncomingMessage)) break;
          if (isRefused(second as Socket)) return true;
          for (const ask of upgrades) if (ask(first as IncomingMessage, second as Duplex, third as Buffer)) return true;
          break;
        case 'clientError':
          if (isRefused(second as Socket)) return true;
          if (this.listenerCount(event) > 0) break;
          for (const tell of errors) if (tell(first as Error, second as Socket)) return true;
          break;
      }
      // eslint-disable-next-line prefer-rest-params
      return Reflect.apply(emit, this, arguments as unknown as unknown[]) as boolean;
    } as Emit;
  }
}
