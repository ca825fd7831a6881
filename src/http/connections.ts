/**
 * The open connections of this worker's servers, and what each is doing: what the drain has to wait for, end or leave alone.
 *
 * In the worker. Counts them on the board. Works per connection, never per request: what a connection is doing is read off its socket when
 * a drain asks.
 */
import { EventEmitter } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Board } from '../ipc/board.js';
import type { Admission } from './admission.js';
import { acceptedOf, isHttp, type Connection, type HttpSocket } from './connection.js';
import { endIfReset, endWhenBroken } from './http2/broken-session.js';
import { endSession, endSilent, type Patience } from './overdue.js';
import { SentAway } from './sent-away.js';

interface CountedSocket extends HttpSocket {
  [kConnection]?: Connection;
}

const { on } = EventEmitter.prototype;

const kConnection = Symbol('drover.connection');

export class Connections {
  /** Called whenever a connection has closed. */
  onClose: () => void = () => {};
  readonly sentAway = new SentAway();

  /**
   * The first `#count` are the open ones, the rest is undefined. Never shrinks, and is no Map, which makes itself anew every so many changes: from a table that is
   * in V8's old space and no longer used, whatever was open at that moment seems alive to young collections, with all that hangs on it.
   * That was a twentieth of the CPU of a connection.
   */
  readonly #connections: (Connection | undefined)[] = [];
  #count = 0;
  #closing = false;
  /** performance.now() when a drain last saw a response due. */
  #answering = -Infinity;
  /** Accepted and open, but not yet handed to a server: their PROXY header has not come. */
  #waiting = 0;
  /** One for all connections: a closure each would be one more thing to allocate. Called on the accepted socket. */
  readonly #onSocketClose: (this: CountedSocket) => void;
  readonly #cell: readonly [Uint32Array | Float64Array, number];
  readonly #admission: Admission | undefined;

  /** `admission`: where there is a limit. */
  constructor(board: Board, row: number, admission?: Admission) {
    this.#cell = board.cell(row, 'connections');
    this.#admission = admission;
    const closed = (connection: Connection): void => this.#closed(connection);
    this.#onSocketClose = function () {
      const connection = this[kConnection];
      if (connection !== undefined) closed(connection);
    };
  }

  get open(): number {
    return this.#count + this.#waiting;
  }

  /** What HTTP, or whatever the servers speak, speaks over. */
  sockets(): Socket[] {
    return this.#all().map(({ socket }) => socket);
  }

  /** A connection is open that no server has yet; `connection` stands for it. It may become a request as soon as it is handed on. */
  waits(connection: object): void {
    this.#waiting++;
    this.#publish();
    this.#admission?.opened(connection, true);
  }

  /** It was handed on, and counts by itself, or closed. */
  settled(connection: object): void {
    this.#waiting--;
    this.#publish();
    this.#admission?.closed(connection);
    this.onClose();
  }

  watch(server: Server): void {
    const owes = isHttp(server);
    // http2 makes its session, and says so, within the event that hands it the socket.
    let current: HttpSocket | undefined;
    server.prependListener('connection', (socket: HttpSocket) => {
      current = socket;
      const known = (acceptedOf(socket) as CountedSocket)[kConnection];
      // One that has passed the front (front.ts) is known already, and one that an app hands from one of its servers to another: emit('connection', socket).
      if (known === undefined) this.#accepted(server, socket, owes);
      else known.server = server;
    });
    server.prependListener('secureConnection', (socket: HttpSocket) => {
      current = socket;
      this.secured(socket);
    });
    server.on('session', (session: ServerHttp2Session) => {
      if (current !== undefined) this.speaksHttp2(current, session);
    });
  }

  /** A connection was accepted for this server. */
  accepted(server: Server, socket: Socket): void {
    this.#accepted(server, socket, isHttp(server));
  }

  /** The app has sent it to a process of its own: it is open there, and closes here only when the app says so. */
  sent(socket: CountedSocket): void {
    const connection = socket[kConnection];
    if (connection === undefined) return;
    delete socket[kConnection];
    // Node keeps count at the one that has accepted it.
    this.sentAway.add(socket.server ?? connection.server);
    this.#closed(connection);
  }

  /** A TLS socket whose handshake is done speaks over an accepted one. */
  secured(socket: HttpSocket): void {
    const connection = (acceptedOf(socket) as CountedSocket)[kConnection];
    if (connection === undefined) return;
    connection.socket = socket;
    this.#admission?.speaksOver(socket, connection.accepted);
  }

  speaksHttp2(socket: HttpSocket, session: ServerHttp2Session): void {
    const connection = (acceptedOf(socket) as CountedSocket)[kConnection];
    if (connection === undefined) return;
    connection.session = session;
    endWhenBroken(session, socket);
    this.#admission?.speaksOver(session, connection.accepted);
    if (socket !== connection.accepted) setImmediate(endIfReset, socket, connection.accepted);
    session.on('stream', (stream) => {
      connection.streams++;
      stream.once('close', () => {
        if (--connection.streams === 0) connection.quietSince = performance.now();
      });
    });
  }

  /**
   * Let every connection end by itself: the responses that are due say `Connection: close` if their headers have not gone out. Idle connections
   * are left alone for a while: Node closes them after their keepAliveTimeout, so that a request that is on its way is still answered.
   */
  close(): void {
    this.#closing = true;
    for (const { socket } of this.#all()) {
      const response = socket._httpMessage;
      if (response && !response.headersSent) response.shouldKeepAlive = false;
    }
  }

  /** Ends what Node would not end by itself in time. To be called now and then; `since` is when the drain began; `patience`: from when on, and how long, connections on which nothing comes may hold it up. */
  sweep(since: number, patience?: Patience): void {
    const now = performance.now();
    for (const connection of this.#all()) {
      if (connection.session === null) endSilent(connection, since, now, patience);
      else endSession(connection, since, now);
    }
    // Who was just answered may have the next request on its way.
    if (this.#all().some(({ socket, session, streams }) => (session === null ? socket._httpMessage : streams > 0))) this.#answering = now;
    if (patience !== undefined && now - Math.max(this.#answering, patience.since) >= patience.ms) this.closeIdle();
  }

  /**
   * End idle keep-alive connections now: their keepAliveTimeout is longer than they may hold up the drain. closeIdleConnections() would also cut a response that the app has ended and the
   * client has not read yet: a server with one is left for the next time.
   */
  closeIdle(): void {
    const servers = new Set(this.#all().map(({ server }) => server));
    for (const { server, socket } of this.#all()) if (socket._httpMessage?.finished === true) servers.delete(server);
    for (const server of servers) (server as Partial<HttpServer>).closeIdleConnections?.();
  }

  /** Connections that HTTP has let go of or never had: upgraded (WebSocket, CONNECT), or of a plain net or tls server. */
  get foreign(): number {
    let count = 0;
    for (const { server, socket, session } of this.#all()) {
      if (!isHttp(server) || (session === null && socket.parser === null)) count++;
    }
    return count;
  }

  /** Whether nobody is connected but to these. */
  areAllOf(servers: readonly Server[]): boolean {
    return this.open === 0 || (servers.length > 0 && this.#waiting === 0 && this.#all().every(({ server }) => servers.includes(server)));
  }

  /** Those open now: to end one may change who is where. */
  #all(): Connection[] {
    return this.#connections.slice(0, this.#count) as Connection[];
  }

  #accepted(server: Server, socket: CountedSocket, owes: boolean): void {
    // The clock is asked only when a drain will want to know.
    const came = this.#closing ? performance.now() : 0;
    const connection = { server, accepted: socket, came, socket, session: null, streams: 0, quietSince: came, at: this.#count };
    socket[kConnection] = connection;
    this.#connections[this.#count++] = connection;
    this.#publish();
    this.#admission?.opened(socket, owes);
    // Not the on() of a stream, which looks at each event for those that make it flow.
    on.call(socket, 'close', this.#onSocketClose);
  }

  #closed(connection: Connection): void {
    const { accepted, at } = connection;
    const last = this.#connections[--this.#count]!;
    this.#connections[at] = last;
    last.at = at;
    this.#connections[this.#count] = undefined;
    this.#publish();
    this.#admission?.closed(accepted);
    this.onClose();
  }

  #publish(): void {
    this.#cell[0][this.#cell[1]] = this.open;
  }
}
