/**
 * The open connections of this worker's servers, and what each is doing: what the drain has to wait for, end or leave alone.
 *
 * In the worker. Counts them on the board. Works per connection, never per request: what a connection is doing is read off its socket when
 * a drain asks.
 */
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Board } from '../ipc/board.js';
import type { Admission } from './admission.js';

/** A socket as node:http keeps it: `parser` while it speaks HTTP/1 (null after an upgrade), `_httpMessage` while a response is due. */
type HttpSocket = Socket & { parser?: object | null; _httpMessage?: ServerResponse | null; _parent?: Socket };

interface Connection {
  readonly server: Server;
  /** performance.now() when it was accepted. */
  readonly came: number;
  /** What HTTP speaks over: the accepted socket, or the TLS socket on it once the handshake is done. */
  socket: HttpSocket;
  session: ServerHttp2Session | null;
}

export class Connections {
  /** Called whenever a connection has closed. */
  onClose: () => void = () => {};

  readonly #connections = new Map<Socket, Connection>();
  readonly #servers = new Set<Server>();
  readonly #cell: readonly [Uint32Array | Float64Array, number];
  readonly #admission: Admission | undefined;
  #closing = false;

  /** `admission`: where there is a limit. */
  constructor(board: Board, row: number, admission?: Admission) {
    this.#cell = board.cell(row, 'connections');
    this.#admission = admission;
  }

  get open(): number {
    return this.#connections.size;
  }

  watch(server: Server): void {
    this.#servers.add(server);
    // http2 makes its session, and says so, within the event that hands it the socket.
    let current: Connection | undefined;
    let accepted: Socket | undefined;
    const owes = isHttp(server);
    server.prependListener('connection', (socket: HttpSocket) => {
      current = { server, came: performance.now(), socket, session: null };
      accepted = socket;
      this.#connections.set(socket, current);
      this.#publish();
      this.#admission?.opened(socket, owes);
      socket.once('close', () => {
        this.#connections.delete(socket);
        this.#publish();
        this.#admission?.closed(socket);
        this.onClose();
      });
    });
    server.prependListener('secureConnection', (socket: HttpSocket) => {
      current = socket._parent === undefined ? undefined : this.#connections.get(socket._parent);
      accepted = socket._parent;
      if (current !== undefined) current.socket = socket;
      if (accepted !== undefined) this.#admission?.speaksOver(socket, accepted);
    });
    server.on('session', (session: ServerHttp2Session) => {
      if (current !== undefined) current.session = session;
      if (accepted !== undefined) this.#admission?.speaksOver(session, accepted);
      if (this.#closing) closeSession(session);
    });
  }

  /**
   * Let every connection end by itself: the responses that are due say `Connection: close` if their headers have not gone out, HTTP/2
   * sessions are told to go away. Idle connections are left alone: Node closes them after their keepAliveTimeout, so that a request
   * that is on its way is still answered.
   */
  close(): void {
    this.#closing = true;
    for (const { socket, session } of this.#connections.values()) {
      const response = socket._httpMessage;
      if (response && !response.headersSent) response.shouldKeepAlive = false;
      if (session !== null) closeSession(session);
    }
  }

  /**
   * End the connections on which nothing has come yet, after the time an idle one is kept, counted from `since` (the begin of the drain) or
   * from their own. Node would wait a minute for their first request (headersTimeout).
   */
  closeSilent(since: number): void {
    const now = performance.now();
    for (const { server, came, socket } of this.#connections.values()) {
      if (socket.bytesRead > 0 || !isHttp(server)) continue;
      const keepMs = (server as Partial<HttpServer>).keepAliveTimeout || DEFAULT_KEEP_ALIVE_MS;
      if (now - Math.max(came, since) >= keepMs) socket.destroy();
    }
  }

  /** End idle keep-alive connections now: the grace is nearly over, and their keepAliveTimeout is longer than it. */
  closeIdle(): void {
    for (const server of this.#servers) (server as Partial<HttpServer>).closeIdleConnections?.();
  }

  /** Connections that HTTP has let go of or never had: upgraded (WebSocket, CONNECT), or of a plain net or tls server. */
  get foreign(): number {
    let count = 0;
    for (const { server, socket, session } of this.#connections.values()) {
      if (!isHttp(server) || (session === null && socket.parser === null)) count++;
    }
    return count;
  }

  #publish(): void {
    this.#cell[0][this.#cell[1]] = this.#connections.size;
  }
}

const DEFAULT_KEEP_ALIVE_MS = 5_000;
/** How long a client may take to acknowledge that it knows the session is going away. */
const GO_AWAY_MS = 1_000;
const MAX_STREAM_ID = 2 ** 31 - 1;

/**
 * Graceful GOAWAY in two steps (RFC 9113, 6.8). session.close() alone names the last stream seen, and a request that is on its way
 * then counts as refused. So first a GOAWAY that refuses nothing; when the client has answered a PING sent after it, no further
 * request can come, and the session is closed: it ends with its last stream.
 */
function closeSession(session: ServerHttp2Session): void {
  if (session.closed || session.destroyed) return;
  const close = (): void => {
    clearTimeout(timer);
    if (!session.closed && !session.destroyed) session.close();
  };
  const timer = setTimeout(close, GO_AWAY_MS);
  session.goaway(0, MAX_STREAM_ID);
  if (!session.ping(close)) close();
}

/** HTTP/1 servers have a keepAliveTimeout; http2 exports no class to test for. */
function isHttp(server: Server): boolean {
  return (
    (server as Partial<HttpServer>).keepAliveTimeout !== undefined ||
    server.constructor.name === 'Http2Server' ||
    server.constructor.name === 'Http2SecureServer'
  );
}
