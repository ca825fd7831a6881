/**
 * Refusals: how a request, or what was to become one, is turned away. In the worker.
 *
 * Every refusal is an HTTP response with a short text and `Connection: close`; it is counted on the board and told to the master's log, one line per
 * status and reason in ten seconds. After a refusal nothing that comes on its connection is taken for a request. The connection lingers (RFC 9112
 * 9.6): our end is closed, and what the client still sends is read and thrown away for a moment, else the kernel would reset the connection
 * and the client might never see the response.
 */
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isHttp2 } from './is-http2.js';
import { RateLimit } from '../log/rate-limit.js';
import type { PolicyContext } from './policy.js';

/** What was written to the client past any response of Node's; `bodyBytes` is 0 where nothing could be. */
export interface RawRefusal {
  status: number;
  reason: string;
  bodyBytes: number;
}

/** A refusal of what never became a request with a response of its own: unreadable, too large for the parser, too late, or an upgrade. */
export interface SocketRefusal extends RawRefusal {
  socket: Duplex;
  /** As far as it could be read. */
  requestLine?: string;
}

const observers: ((refusal: SocketRefusal) => void)[] = [];

/** For who keeps account of requests: refused ones with a response pass as any request does; of these only this tells. */
export function onRefused(observer: (refusal: SocketRefusal) => void): void {
  observers.push(observer);
}

const LINGER_MS = 2_000;

const kRefused = Symbol('drover.refused');
const kRaw = Symbol('drover.rawRefusal');
type HttpSocket = Socket & { [kRefused]?: boolean; _httpMessage?: ServerResponse | null };
type RefusedRequest = object & { [kRaw]?: RawRefusal };

/** Whether what comes on this socket is to be ignored. */
export function isRefused(socket: object | null | undefined): boolean {
  return socket !== null && socket !== undefined && (socket as HttpSocket)[kRefused] === true;
}

/** What a client got in place of the answer to this request; undefined: it was not refused while under way. */
export function rawRefusalOf(request: object): RawRefusal | undefined {
  return (request as RefusedRequest)[kRaw];
}

export class Refusals {
  readonly #count: () => void;
  readonly #limit: RateLimit<{ status: number; reason: string; peer: string }>;

  constructor({ log, countRefused }: PolicyContext) {
    this.#count = countRefused;
    this.#limit = new RateLimit({
      tell: (fields, count) => log('request.refused', { ...fields, count }),
    });
  }

  /** Answer a request that the app has not seen. */
  refuse(request: IncomingMessage, response: ServerResponse, status: number, reason: string): true {
    this.#note(peerOf(request), status, reason);
    const text = textOf(reason);
    const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length };
    if (isHttp2(request)) {
      const { stream } = response as unknown as Http2ServerResponse;
      response.writeHead(status, headers);
      response.end(text);
      // A body that is still on its way is not wanted; what is sent is not lost.
      stream.once('finish', () => stream.close());
      return true;
    }
    const socket = request.socket as HttpSocket;
    markRefused(socket);
    // What node:http calls when the last response of a connection is written.
    socket.destroySoon = linger;
    response.writeHead(status, { ...headers, Connection: 'close' });
    response.end(text);
    return true;
  }

  /** Answer on a socket for which there is no response: what Node's parser refused, an upgrade. `underWay`: the request whose body it was; undefined: it has become none. */
  refuseSocket(socket: HttpSocket, status: number, reason: string, requestLine?: string, underWay?: IncomingMessage): void {
    if (socket[kRefused] === true) return;
    markRefused(socket);
    this.#note(socket.remoteAddress, status, reason);
    const response = socket._httpMessage;
    const isOthersTurn = response ? response.req !== underWay : false;
    // In the middle of a response there is nothing that could still be said; and what comes before one passes for it.
    const isSilent = response?.headersSent === true || isOthersTurn || !socket.writable;
    const bodyBytes = isSilent ? 0 : textOf(reason).length;
    if (!response || underWay === undefined) for (const observer of observers) observer({ socket, status, reason, bodyBytes, ...(requestLine === undefined ? {} : { requestLine }) });
    // The account of a request that is under way is its own.
    else if (!isSilent || isOthersTurn) (underWay as RefusedRequest)[kRaw] = { status, reason, bodyBytes };
    if (isSilent) return void socket.destroy();
    socket.write(rawResponse(status, reason));
    // A request that is under way hears of it: its socket closes.
    if (response) Socket.prototype.destroySoon.call(socket);
    else linger.call(socket);
  }

  /** The body of a request that the app has turned out unfit: `error` is what the app's reading ends with. */
  refuseUnderWay(request: IncomingMessage, response: ServerResponse, status: number, reason: string): void {
    this.#note(peerOf(request), status, reason);
    const error = Object.assign(new Error(reason), { code: 'ERR_DROVER_REFUSED', status, statusCode: status });
    if (isHttp2(request)) {
      const { stream } = response as unknown as Http2ServerResponse;
      // Of what the client has reset meanwhile, the end is told by Node all the same.
      if (!stream.headersSent && !stream.closed && !stream.destroyed) stream.respond({ ':status': status }, { endStream: true });
      // The session writes what it has before this runs: a reset in the same turn would overtake the response on Node 22 and 26.
      setImmediate(() => stream.close());
      return;
    }
    const socket = request.socket as HttpSocket;
    if (response.headersSent || socket._httpMessage !== response) {
      request.destroy(error);
      return;
    }
    markRefused(socket);
    (request as RefusedRequest)[kRaw] = { status, reason, bodyBytes: textOf(reason).length };
    // The app may go on writing: nobody hears it, and nothing throws.
    response.detachSocket(socket);
    response.destroy();
    process.nextTick(emitClose, response);
    socket.write(rawResponse(status, reason));
    linger.call(socket);
    request._destroy = destroyAlone;
    request.destroy(error);
  }

  #note(peer: string | undefined, status: number, reason: string): void {
    this.#count();
    this.#limit.note(`${status} ${reason}`, { status, reason, peer: peer ?? 'a unix socket' });
  }
}

function textOf(reason: string): string {
  return `${reason}\n`;
}

function rawResponse(status: number, reason: string): string {
  const text = textOf(reason);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length}\r\nDate: ${new Date().toUTCString()}\r\n\r\n${text}`;
}

/** From here on nothing that comes on it is a request. */
function markRefused(socket: HttpSocket): void {
  socket[kRefused] = true;
  // An upgrade or a CONNECT, this one or one that comes behind it, takes Node's listener away; that the client resets the connection says nothing to anybody.
  socket.on('error', ignore);
}

function ignore(): void {}

function linger(this: Socket): void {
  if (this.destroyed) return;
  this.end();
  this.resume();
  const timer = setTimeout(() => this.destroy(), LINGER_MS).unref();
  this.once('close', () => clearTimeout(timer));
}

/** What IncomingMessage.destroy does, but for the socket. */
function destroyAlone(this: IncomingMessage, error: Error | null, done: (error?: Error | null) => void): void {
  this.aborted = true;
  this.emit('aborted');
  process.nextTick(done, this.listenerCount('error') > 0 ? error : null);
}

/** As node:http does when the socket closes, which this response has no more. */
function emitClose(response: ServerResponse & { _closed?: boolean }): void {
  if (response._closed === true) return;
  response._closed = true;
  response.emit('close');
}

function peerOf(request: IncomingMessage): string | undefined {
  try {
    return request.socket.remoteAddress;
  } catch {
    return undefined;
  }
}
