/**
 * HTTP/2 for an http server of the app's: the sessions of its connections, each stream a request that is emitted on that server. In the worker.
 *
 * The sessions are those of an http2 server of Node's that never listens. Requests and responses are node:http's own (message.ts), so that every
 * framework takes them. close() and the timeouts of the app's server hold for sessions as for connections of HTTP/1.
 */
import { createServer, constants, type ServerHttp2Session, type ServerHttp2Stream, type IncomingHttpHeaders, type Http2Server } from 'node:http2';
import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Http2Config } from '../../config/edge-config.js';
import type { Connections } from '../connections.js';
import type { OpenStreams } from '../policy.js';
import { openExchange, type Exchange } from './message.js';

export interface Http2Parts {
  connections: Pick<Connections, 'speaksHttp2'>;
  /** Told of the server on which streams are emitted. */
  watchStreams: (server: Http2Server) => void;
}

interface Session {
  /** What it speaks over. */
  socket: Socket;
  exchanges: Set<Exchange>;
  /** performance.now() since which it has no stream. */
  quietSince: number;
  /** Streams so far: none yet is a client that has still to send its first header. */
  begun: boolean;
}

const SWEEP_MS = 1_000;
/** What Node allows at most. */
const NO_LIMIT_BYTES = 2 ** 24 - 1;
const { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL } = constants;

export class Http2 {
  readonly #app: HttpServer;
  readonly #http2: Http2Server;
  readonly #sessions = new Map<ServerHttp2Session, Session>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(app: HttpServer, config: Http2Config, { connections, watchStreams }: Http2Parts) {
    this.#app = app;
    const { maxConcurrentStreams, initialWindowSize, maxFrameSize } = config;
    const maxHeaderListSize = config.maxHeaderListSize || NO_LIMIT_BYTES;
    this.#http2 = createServer({ settings: { maxConcurrentStreams, initialWindowSize, maxFrameSize, maxHeaderListSize } });
    // `session` is emitted within speak().
    this.#http2.on('session', (session) => {
      connections.speaksHttp2(this.#speaking!, session);
      this.#open(session, this.#speaking!);
    });
    this.#http2.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => this.#begin(stream, headers, rawHeaders));
    watchStreams(this.#http2);
    this.#closeWith(app);
  }

  #speaking: Socket | undefined;
  /** Of the session that is being made. */
  #exchanges = new Set<Exchange>();

  /** This connection, an accepted socket or the TLS socket over it, is one of HTTP/2. */
  speak(socket: Socket): OpenStreams {
    // As a server of node:http2 has it: that a client has gone, it hears by the end of what it reads.
    socket.allowHalfOpen = false;
    const exchanges = (this.#exchanges = new Set());
    this.#speaking = socket;
    this.#http2.emit('connection', socket);
    this.#speaking = undefined;
    return new Streams(exchanges);
  }

  #open(session: ServerHttp2Session, socket: Socket): void {
    this.#sessions.set(session, { socket, exchanges: this.#exchanges, quietSince: performance.now(), begun: false });
    session.once('close', () => {
      this.#sessions.delete(session);
      if (this.#sessions.size > 0) return;
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    });
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  #begin(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: string[]): void {
    // Without a listener an error of a stream, which may be the client's doing, would end the process.
    stream.on('error', () => {});
    const session = this.#sessions.get(stream.session as ServerHttp2Session);
    if (session === undefined) return;
    // A tunnel: nothing of node:http's can have it.
    if (headers[':method'] === 'CONNECT') return stream.respond({ ':status': 405 }, { endStream: true });
    const exchange = openExchange(this.#app, stream, session.socket, rawHeaders);
    session.begun = true;
    session.exchanges.add(exchange);
    stream.once('close', () => {
      session.exchanges.delete(exchange);
      session.quietSince = performance.now();
    });
    this.#emit(exchange, headers['expect']);
  }

  /** As node:http does. */
  #emit({ request, response }: Exchange, expect: string | undefined): void {
    const app = this.#app;
    if (expect === undefined) app.emit('request', request, response);
    else if (/^100-continue$/i.test(expect)) {
      if (app.listenerCount('checkContinue') > 0) app.emit('checkContinue', request, response);
      else {
        response.writeContinue();
        app.emit('request', request, response);
      }
    } else if (app.listenerCount('checkExpectation') > 0) app.emit('checkExpectation', request, response);
    else response.writeHead(417).end();
  }

  #sweep(): void {
    const now = performance.now();
    const { keepAliveTimeout, headersTimeout, requestTimeout } = this.#app;
    for (const [session, known] of this.#sessions) {
      const { exchanges } = known;
      const idleMs = known.begun ? keepAliveTimeout : headersTimeout;
      if (exchanges.size === 0 && idleMs > 0 && now - known.quietSince > idleMs) end(session, known, now);
      if (requestTimeout > 0) for (const exchange of exchanges) if (now - exchange.begun > requestTimeout) endSlow(exchange);
    }
  }

  /** The app's server has been told to let connections go: http.Server.close() calls closeIdleConnections(). */
  #closeWith(app: HttpServer): void {
    const { closeIdleConnections, closeAllConnections } = app;
    app.closeIdleConnections = () => {
      closeIdleConnections.call(app);
      for (const [session, { exchanges }] of this.#sessions) if (exchanges.size === 0) session.close();
    };
    app.closeAllConnections = () => {
      closeAllConnections.call(app);
      for (const session of this.#sessions.keys()) session.destroy();
    };
  }
}

class Streams implements OpenStreams {
  readonly #exchanges: Set<Exchange>;

  constructor(exchanges: Set<Exchange>) {
    this.#exchanges = exchanges;
  }

  owe(): boolean {
    for (const { stream } of this.#exchanges) if (stream.writableLength > 0) return true;
    return false;
  }

  end(): void {
    for (const { stream } of this.#exchanges) {
      if (stream.writableLength === 0) continue;
      // One that its client has reset without an error, Node before 26 keeps for what can no longer be sent.
      if (stream.closed) stream.destroy();
      else stream.close(NGHTTP2_CANCEL);
    }
  }
}

/**
 * With close() Node waits for a header that has come in part, and for the client to close its end: that is given as long again. One that has been destroyed keeps its socket until the
 * last write is done, which is never where the client takes nothing, or has gone meanwhile.
 */
function end(session: ServerHttp2Session, known: Session, now: number): void {
  if (session.closed || session.destroyed) return void known.socket.destroy();
  session.close();
  known.quietSince = now;
}

/** A request that has not come in whole within requestTimeout. */
function endSlow(exchange: Exchange): void {
  const { request, response, stream } = exchange;
  if (request.complete || stream.closed) return;
  exchange.cut = true;
  if (response.headersSent) return stream.close(NGHTTP2_CANCEL);
  response.writeHead(408).end();
  stream.close(NGHTTP2_NO_ERROR);
}
