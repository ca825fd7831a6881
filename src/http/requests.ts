/**
 * Every HTTP request this worker begins and ends: counted on the board, named in the in-flight table, counted towards --max-requests.
 *
 * In the worker. HTTP/1 is seen through the diagnostics channel `http.server.request.start`, so no server is patched and an upgrade
 * (WebSocket) is not a request; HTTP/2 through the server's `stream` event. Both are the hot path: no allocation per HTTP/1 request beyond
 * the listener that tells its end.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Board } from '../ipc/board.js';
import type { InflightWriter } from '../ipc/inflight.js';
import type { Admission } from './admission.js';

/** A response with the number of its request in the in-flight table; ENDED once it has been counted out. */
interface Counted extends ServerResponse {
  [kNumber]?: number;
}

interface RequestStart {
  request: IncomingMessage;
  response: Counted;
  socket: RequestSocket;
}

interface RequestSocket extends Socket {
  _httpMessage?: ServerResponse | null;
  [kPipelined]?: Set<Counted>;
}

const kNumber = Symbol('drover.number');
/** Responses that had to wait for their turn. */
const kPipelined = Symbol('drover.pipelined');
/** No request has this number. */
const ENDED = 0;

export class Requests {
  /** Answer with `Connection: close` from now on: while the worker drains (worker/drain.ts), and always in the class `sync`. */
  closing = false;
  /** Called when an HTTP/1 request has been counted in. A second subscriber of the channel would cost more than the call. */
  onBegin: ((request: IncomingMessage, response: ServerResponse, socket: Socket) => void) | undefined;
  /** Called when an HTTP/1 response is out, or its connection has closed. */
  onEnd: ((response: ServerResponse) => void) | undefined;

  readonly #begin: (method: string, path: string, over: object) => number;
  readonly #end: (number: number) => void;
  #leave: (socket: Socket, response: ServerResponse | undefined) => void = () => {};

  /** `onCount` is called with the number of requests begun so far once it reaches `countAt`; 0: never. `admission`: where there is a limit. */
  constructor(board: Board, row: number, table: InflightWriter, countAt: number, onCount: () => void, admission?: Admission) {
    const [inFlight, inFlightAt] = board.cell(row, 'requestsInFlight');
    const [requests, requestsAt] = board.cell(row, 'requests');
    const stamp = board.stamper(row);
    let begun = 0;
    this.#begin = (method, path, over) => {
      stamp();
      // The table first: who sees the count finds the request.
      const number = table.begin(method, path);
      inFlight[inFlightAt] = inFlight[inFlightAt]! + 1;
      requests[requestsAt] = ++begun;
      admission?.begun(over);
      if (begun === countAt) onCount();
      return number;
    };
    this.#end = (number) => {
      inFlight[inFlightAt] = inFlight[inFlightAt]! - 1;
      table.end(number);
      admission?.look();
    };
  }

  /** Watch HTTP/1 requests of every server in this process. Once. */
  start(): void {
    const [begin, end, requests] = [this.#begin, this.#end, this];
    function onResponseClose(this: Counted): void {
      const number = this[kNumber]!;
      if (number === ENDED) return;
      this[kNumber] = ENDED;
      end(number);
      requests.onEnd?.(this);
    }
    function onPipelinedClose(this: Counted): void {
      (this.req.socket as RequestSocket)[kPipelined]!.delete(this);
      onResponseClose.call(this);
    }
    function onSocketClose(this: RequestSocket): void {
      for (const response of this[kPipelined]!) onResponseClose.call(response);
    }
    this.#leave = (socket: RequestSocket, response: Counted | undefined) => {
      if (response?.[kNumber] !== undefined) onResponseClose.call(response);
      if (socket[kPipelined] !== undefined) onSocketClose.call(socket);
    };
    subscribe('http.server.request.start', (message) => {
      const { request, response, socket } = message as RequestStart;
      response[kNumber] = begin(request.method!, request.url!, socket);
      if (this.closing) response.shouldKeepAlive = false;
      if (!socket._httpMessage) response.on('close', onResponseClose);
      else {
        // A pipelined request: its response has no socket yet, and never emits `close` when the connection dies before its turn.
        if (socket[kPipelined] === undefined) {
          socket[kPipelined] = new Set();
          socket.once('close', onSocketClose);
        }
        socket[kPipelined].add(response);
        response.on('close', onPipelinedClose);
      }
      requests.onBegin?.(request, response, socket);
    });
  }

  /** The app has sent the connection to a process of its own: what was due on it (`response`, and those behind it) hears of no end. */
  left(socket: Socket, response: ServerResponse | undefined): void {
    this.#leave(socket, response);
  }

  /** Watch a server's HTTP/2 requests; a server that has none emits no `stream`. */
  watchStreams(server: Server): void {
    server.prependListener('stream', (stream: ServerHttp2Stream, headers: Record<string, unknown>) => {
      const number = this.#begin(String(headers[':method']), String(headers[':path'] ?? headers[':authority']), stream.session ?? stream);
      stream.once('close', () => this.#end(number));
    });
  }
}
