/**
 * What an accepted connection passes before the app's http server has it: TLS, and the choice between HTTP/1 and HTTP/2. In the worker.
 *
 * The place is `emit` of the server, as an own property, outside the edge's: node:net hands a connection over by emitting `connection`. What came
 * from drover's sockets goes through here and is emitted again when it can speak HTTP/1, as the TLS socket then, so that for the app the socket of
 * the event is that of its requests. A connection that the app emits itself passes as it is. Everything else (maxConnections, close(), the
 * timeouts) stays Node's, for the accepted socket is still the server's.
 */
import { Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import type { Certificates } from '../config/certificates.js';
import type { EdgeConfig } from '../config/edge-config.js';
import type { EventName } from '../log/events.js';
import type { Connections } from './connections.js';
import type { OpenStreams } from './policy.js';
import { FirstBytes } from './http2/first-bytes.js';
import type { Http2 } from './http2/http2.js';
import type { Terminator } from './tls/terminator.js';
import type { Tickets } from './tls/tickets.js';

export interface FrontParts {
  /** null: no TLS. */
  certificates: Certificates | null;
  connections: Connections;
  /** Told of each connection, and again with what HTTP/2 or TLS make of it. */
  watchConnection: (socket: Socket, streams?: OpenStreams) => void;
  /** Told of each server on which HTTP/2 streams are emitted. */
  watchStreams: (server: Server) => void;
  tickets: Tickets;
  log: (event: EventName, fields: Record<string, unknown>) => void;
}

/** A socket as node:net keeps it: the server that has accepted it. */
type AcceptedSocket = Socket & { _server?: Server | null };

export class Front {
  readonly #parts: FrontParts;
  readonly #terminator: Terminator | undefined;
  readonly #openHttp2: ((server: HttpServer) => Http2) | undefined;
  readonly #speaksHttp1: boolean;
  readonly #taken = new WeakSet<Server>();

  private constructor(config: EdgeConfig, parts: FrontParts, terminator: Terminator | undefined, openHttp2: ((server: HttpServer) => Http2) | undefined) {
    this.#parts = parts;
    this.#terminator = terminator;
    this.#openHttp2 = openHttp2;
    this.#speaksHttp1 = config.http2.protocols.includes('h1');
  }

  static async open(config: EdgeConfig, parts: FrontParts): Promise<Front> {
    const { certificates, tickets, log, connections, watchStreams } = parts;
    const { protocols } = config.http2;
    const terminator = certificates === null ? undefined : new (await import('./tls/terminator.js')).Terminator({ config: config.tls, protocols, certificates, tickets, log });
    let openHttp2: ((server: HttpServer) => Http2) | undefined;
    if (protocols.includes('h2')) {
      const { Http2 } = await import('./http2/http2.js');
      openHttp2 = (server) => new Http2(server, config.http2, { connections, watchStreams });
    }
    return new Front(config, parts, terminator, openHttp2);
  }

  /** A server of the app's listens at drover's sockets. */
  take(server: Server): void {
    if (this.#taken.has(server)) return;
    this.#taken.add(server);
    if (server instanceof HttpServer) this.#put(server as HttpServer);
    else if (this.#terminator !== undefined) this.#tellUnused(server);
  }

  #put(server: HttpServer): void {
    const { connections, watchConnection } = this.#parts;
    const http2 = this.#openHttp2?.(server);
    const tls = this.#terminator?.serve(server, (socket) => speak(socket, socket.alpnProtocol === 'h2'));
    const emit = server.emit;

    server.emit = function (this: HttpServer, event: string | symbol, socket?: AcceptedSocket): boolean {
      // eslint-disable-next-line prefer-rest-params
      if (event !== 'connection' || socket?._server !== server) return Reflect.apply(emit, this, arguments) as boolean;
      connections.accepted(server, socket);
      watchConnection(socket);
      begin(socket, tls);
      return true;
    } as typeof server.emit;

    const begin = (socket: Socket, tls: TlsServer | undefined): void => {
      if (tls !== undefined) {
        // As a server of node:https has it: who goes away during the handshake is gone.
        socket.allowHalfOpen = false;
        tls.emit('connection', socket);
      } else if (!this.#speaksHttp1) speak(socket, true);
      else new FirstBytes(socket, server.headersTimeout, (isHttp2) => speak(socket, isHttp2));
    };
    const speak = (socket: Socket | TLSSocket, isHttp2: boolean): void => {
      if (tls !== undefined) connections.secured(socket as Socket);
      if (http2 !== undefined && (isHttp2 || !this.#speaksHttp1)) watchConnection(socket, http2.speak(socket));
      else Reflect.apply(emit, server, ['connection', socket]);
    };
  }

  /** Better said than served in clear text, or with another certificate, in silence. */
  #tellUnused(server: Server): void {
    const isTls = 'setTicketKeys' in server;
    const address = server.address();
    this.#parts.log('tls.not-used', {
      kind: /^Http2/.test(server.constructor.name) ? 'http2' : !isTls ? 'net' : 'keepAliveTimeout' in server ? 'https' : 'tls',
      address: typeof address === 'string' ? address : address === null ? '?' : `${address.address}:${address.port}`,
      why: isTls ? 'it has its own certificate' : 'it is no http server, and its connections are not encrypted',
    });
  }
}
