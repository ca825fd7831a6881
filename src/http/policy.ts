/**
 * The contract of the HTTP edge: what a policy is, and what it is given. In the worker.
 *
 * A policy looks at a request before the app has it: it refuses it, answers it, changes what the app sees of it, or lets it pass. One file or folder
 * each; edge.ts calls them in the order of open-edge.ts. What a policy needs of drover it is given here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { StreamRequest, StreamResponse } from './stream-request.js';
import type { EventName } from '../log/events.js';

export interface Policy {
  /** A server of the app's begins to listen for the first time: set what is set per server. */
  server?(server: Server): void;
  /**
   * A request, before the app's listeners. `true`: it has been answered, and the app never sees it. Also called for HTTP/2 requests of Node's
   * compatibility API, which look alike. Must not throw for anything a client can send.
   */
  request?(request: IncomingMessage, response: ServerResponse): boolean;
  /**
   * A connection that passes front.ts: when it is accepted, and again when more is known of it, as the TLS socket that HTTP speaks over, with its streams. A connection that passes only
   * the server's `connection` event does not come here.
   */
  connection?(socket: Socket, streams?: OpenStreams): void;
  /** HTTP/2 streams of the app's servers are emitted on this server, which is drover's own (front.ts); their requests then come as any others do. */
  streams?(server: Server): void;
  /**
   * The same for a stream of HTTP/2 of an app's own server that listens to `stream` alone. Such streams pass what can be judged by the head, and may be refused, or changed in what the app's
   * event has.
   */
  stream?(request: StreamRequest, response: StreamResponse): boolean;
  /** The same for an upgrade or a CONNECT that the app listens for. `true`: the socket has been answered and ended. */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** What Node's parser or its timers report of a connection, if the app does not listen to `clientError`. `true`: it has been dealt with. */
  clientError?(error: Error, socket: Socket): boolean;
  /** The process is out of descriptors: close what is kept open only to be quicker. */
  giveBack?(): void;
  /** USR1: open files anew. */
  reopen?(): void;
  /** The process may be killed in a moment: begin to write what is not written, and wait for nobody. */
  writeOut?(): void;
  /** The last thing before the process exits, whichever way: write what is not written. Synchronous; waits for nobody beyond `until` (of `performance.now()`; Infinity: no such bound), when the process may be killed. */
  flush?(until: number): void;
}

/** The streams of a connection of HTTP/2. */
export interface OpenStreams {
  /** Whether any has bytes that its client's window does not let out, or that have not yet gone. */
  owe(): boolean;
  /** Reset those. */
  end(): void;
}

export interface PolicyContext {
  /** To the master's log. Rate limits are the policy's. */
  log: (event: EventName, fields: Record<string, unknown>) => void;
  /** A request was refused: for the board. */
  countRefused: () => void;
  /** The worker it is in. */
  origin: { pid: number; slot: number };
  /** What is open on the app's servers now; under TLS the TLS sockets. */
  openSockets: () => readonly Socket[];
  /** The listener is called for every HTTP/1 request as Node makes it, also for those that Node or a policy answers. One listener. */
  onRequestBegin: (listener: (request: IncomingMessage, response: ServerResponse, socket: Socket) => void) => void;
  /** The listener is called once for every HTTP/1 response that is out, or whose connection has closed. One listener. */
  onResponseEnd: (listener: (response: ServerResponse) => void) => void;
}
