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
  /** HTTP/2 streams open now, and performance.now() when the last one closed. */
  streams: number;
  quietSince: number;
}

export class Connections {
  /** Called whenever a connection has closed. */
  onClose: () => void = () => {};

  readonly #connections = new Map<Socket, Connection>();
  readonly #servers = new Set<Server>();
  readonly #cell: readonly [Uint32Array | Float64Array, number];
  readonly #admission: Admission | undefined;

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
      const came = performance.now();
      current = { server, came, socket, session: null, streams: 0, quietSince: came };
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
      const connection = current;
      if (connection === undefined) return;
      connection.session = session;
      if (accepted !== undefined) this.#admission?.speaksOver(session, accepted);
      session.on('stream', (stream) => {
        connection.streams++;
        stream.once('close', () => {
          if (--connection.streams === 0) connection.quietSince = performance.now();
        });
      });
    });
  }

  /**
   * Let every connection end by itself: the responses that are due say `Connection: close` if their headers have not gone out. Idle connections
   * are left alone: Node closes them after their keepAliveTimeout, so that a request that is on its way is still answered.
   */
  close(): void {
    for (const { socket } of this.#connections.values()) {
      const response = socket._httpMessage;
      if (response && !response.headersSent) response.shouldKeepAlive = false;
    }
  }

  /** Ends what Node would not end by itself in time. To be called now and then; `since` is when the drain began. */
  sweep(since: number): void {
    const now = performance.now();
    for (const connection of this.#connections.values()) {
      if (connection.session === null) endSilent(connection, since, now);
      else endSession(connection, since, now);
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
/** A session is told to go away when no stream has been open for this long… */
const QUIET_MS = 1_000;
/** …or after this long anyhow; its streams then finish in the rest of the grace. */
const BUSY_MS = 5_000;

/**
 * A connection on which nothing has come yet gets the time an idle one is kept, from the begin of the drain or from its own. Node would wait a
 * minute for its first request (headersTimeout).
 */
function endSilent({ server, came, socket }: Connection, since: number, now: number): void {
  if (socket.bytesRead > 0 || !isHttp(server)) return;
  const keepMs = (server as Partial<HttpServer>).keepAliveTimeout || DEFAULT_KEEP_ALIVE_MS;
  if (now - Math.max(came, since) >= keepMs) socket.destroy();
}

/**
 * GOAWAY names the last stream seen: a request that crosses it on the way is refused, which the client may safely send again, but not every
 * client does. So it waits for a quiet moment. (The GOAWAY that refuses nothing, RFC 9113 6.8, cannot be had: nghttp2 ignores new streams after
 * any GOAWAY but its own shutdown notice, which node does not offer; and written to the socket as bytes it trips an assertion of node's when the
 * write does not finish at once.)
 */
function endSession({ session, streams, quietSince }: Connection, since: number, now: number): void {
  if (session === null || session.closed || session.destroyed) return;
  if ((streams === 0 && now - Math.max(quietSince, since) >= QUIET_MS) || now - since >= BUSY_MS) session.close();
}

/** HTTP/1 servers have a keepAliveTimeout; http2 exports no class to test for. */
function isHttp(server: Server): boolean {
  return (
    (server as Partial<HttpServer>).keepAliveTimeout !== undefined ||
    server.constructor.name === 'Http2Server' ||
    server.constructor.name === 'Http2SecureServer'
  );
}
