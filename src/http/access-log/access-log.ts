/**
 * The access log: a line for every request that has been answered, refused or given up. A policy of the edge, in the worker.
 *
 * It sees HTTP/1 requests where Node makes them, so also those that Node or another policy answers; of their begin and their end it is told by
 * Requests, which listens for both anyhow. HTTP/2 streams it watches itself. An upgrade is logged when it is answered, what could not be read as a
 * request when drover refuses it (`refused`). What a line says is atoms.ts's and json.ts's, how it gets out is writer.ts's.
 */
import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { parseLogFormat } from '../../config/access-log-format.js';
import type { AccessLogConfig } from '../../config/edge-config.js';
import { DroverError } from '../../errors.js';
import { isHttp2 } from '../is-http2.js';
import type { Policy, PolicyContext } from '../policy.js';
import { rawRefusalOf, type SocketRefusal } from '../refusal.js';
import type { StreamRequest } from '../stream-request.js';
import { toldClientOf } from '../request-info.js';
import { compileFormat, type Formatter, type Origin } from './atoms.js';
import { LogClock } from './clock.js';
import { bodyBytes, countBodyBytes, countStreamBytes, streamBytes, type CountedStream, type NodeResponse } from './count-bytes.js';
import { openDestination } from './destination.js';
import { escapeWord } from './escape.js';
import { addressOf, CLIENT_CLOSED, Exchange, peerOf, type AnyRequest } from './exchange.js';
import { watchFirstAnswer } from './first-answer.js';
import { compileJson } from './json.js';
import { LogWriter } from './writer.js';

const kExchange = Symbol('drover.exchange');
/** The global of that name is a getter. */
const monotonic = performance;

interface LoggedResponse extends NodeResponse {
  [kExchange]?: Exchange;
}

interface LoggedStream extends CountedStream {
  [kExchange]?: Exchange;
}

/** The socket of an upgrade that has not been answered yet. */
interface UpgradedSocket extends Duplex {
  [kExchange]?: Exchange;
}

export class AccessLog implements Policy {
  readonly #format: Formatter;
  /** Whether a line has to know when its request began: to look at a clock is no small part of what a line costs. */
  readonly #timed: boolean;
  /** Whether it asks for no header fields but the usual ones. */
  readonly #usual: boolean;
  readonly #writer: LogWriter;

  constructor({ file, format }: AccessLogConfig, { log, origin, onRequestBegin, onResponseEnd }: PolicyContext) {
    ({ formatter: this.#format, timed: this.#timed, usual: this.#usual } = compile(format, origin, new LogClock()));
    let destination;
    try {
      destination = openDestination(file);
    } catch (error) {
      const cause = error as NodeJS.ErrnoException;
      throw new DroverError('ERR_DROVER_LOG_FILE', `--access-logfile ${file} cannot be opened: ${cause.code ?? cause.message}`, 'Let standard output be open, or give the path of a file.');
    }
    this.#writer = new LogWriter({ destination, log });
    countBodyBytes();
    onRequestBegin((request, response: LoggedResponse, socket) => {
      response[kExchange] = this.#begin(request, socket);
    });
    onResponseEnd((response) => this.#onResponseEnd(response));
  }

  server(server: Server): void {
    this.streams(server);
  }

  streams(server: Server): void {
    server.prependListener('stream', (stream: LoggedStream, headers: Record<string, string | undefined>) => this.#onStream(stream, headers));
  }

  /** Of HTTP/2's compatibility API the request is kept, for what the edge says of its client. */
  request(request: IncomingMessage): boolean {
    if (isHttp2(request)) {
      const exchange = (request as unknown as { stream: LoggedStream }).stream[kExchange];
      if (exchange !== undefined) exchange.request = request;
    }
    return false;
  }

  stream(request: StreamRequest): boolean {
    const stream = request.stream as LoggedStream;
    // The event that the app hears comes only when nobody has answered.
    this.#onStream(stream, request.headers as Record<string, string | undefined>);
    stream[kExchange]!.request = request as unknown as AnyRequest;
    return false;
  }

  upgrade(request: IncomingMessage, socket: UpgradedSocket): boolean {
    const exchange = (socket[kExchange] = this.#begin(request, request.socket));
    watchFirstAnswer(socket, (status) => {
      delete socket[kExchange];
      if (!this.#usual) exchange.headers = request.headers;
      exchange.client = toldClientOf(request) ?? exchange.client;
      exchange.status = status || CLIENT_CLOSED;
      exchange.aborted = status === 0;
      this.#finish(exchange);
    });
    return false;
  }

  /** Drover or Node refused what came before it was a request, or an upgrade. */
  refused({ socket, status, reason, bodyBytes: bytes, requestLine = '' }: SocketRefusal): void {
    const upgrade = (socket as UpgradedSocket)[kExchange];
    if (upgrade !== undefined) {
      // Its answer is about to be written, and has its line then.
      upgrade.refusal = reason;
      upgrade.bytes = bytes;
      return;
    }
    const [, method = '', url = '', protocol = ''] = /^([!#$%&'*+.^_`|~\w-]+) (\S+) (HTTP\/\d\.\d)$/.exec(requestLine) ?? [];
    const exchange = new Exchange(monotonic.now(), method, url, protocol);
    exchange.line = requestLine;
    exchange.client = addressOf(socket as Socket);
    exchange.status = status;
    exchange.refusal = reason;
    exchange.bytes = bytes;
    this.#finish(exchange);
  }

  reopen(): void {
    this.#writer.reopen();
  }

  flush(until: number): void {
    this.#writer.flush(until);
  }

  writeOut(): void {
    this.#writer.writeOut();
  }

  #onResponseEnd(response: LoggedResponse): void {
    const exchange = response[kExchange];
    if (exchange === undefined) return;
    // Node takes the socket from a response that is out; one that never had it still holds its bytes.
    const aborted = response.socket !== null || !response.writableFinished;
    const request = exchange.request!;
    if (!this.#usual) exchange.headers = request.headers;
    exchange.client = toldClientOf(request) ?? exchange.client;
    const refusal = rawRefusalOf(request);
    if (refusal === undefined) {
      exchange.response = response;
      exchange.status = response.headersSent ? response.statusCode : CLIENT_CLOSED;
      exchange.aborted = aborted;
      exchange.bytes = bodyBytes(response, aborted);
    } else {
      exchange.status = refusal.status;
      exchange.refusal = refusal.reason;
      exchange.bytes = refusal.bodyBytes;
    }
    this.#finish(exchange);
  }

  #onStream(stream: LoggedStream, headers: Record<string, string | undefined>): void {
    if (stream[kExchange] !== undefined) return;
    const method = escapeWord(headers[':method'] ?? '');
    const exchange = new Exchange(monotonic.now(), method, headers[':path'] ?? headers[':authority'] ?? '', 'HTTP/2.0');
    exchange.headers = headers;
    exchange.client = addressOf(stream.session?.socket);
    stream[kExchange] = exchange;
    countStreamBytes(stream);
    stream.once('close', () => this.#onStreamEnd(stream, exchange));
  }

  #onStreamEnd(stream: ServerHttp2Stream, exchange: Exchange): void {
    const status = (stream.sentHeaders as { ':status'?: number } | undefined)?.[':status'];
    const aborted = status === undefined || stream.aborted || stream.rstCode !== 0;
    if (exchange.request !== null) exchange.client = toldClientOf(exchange.request) ?? exchange.client;
    exchange.response = stream;
    exchange.status = status ?? CLIENT_CLOSED;
    exchange.aborted = aborted;
    exchange.bytes = streamBytes(stream, exchange.method === 'HEAD', aborted);
    this.#finish(exchange);
  }

  #begin(request: IncomingMessage, socket: Socket): Exchange {
    const exchange = new Exchange(this.#timed ? monotonic.now() : 0, request.method!, request.url!, request.httpVersionMinor === 1 ? 'HTTP/1.1' : 'HTTP/1.0');
    exchange.request = request as AnyRequest;
    // Made when first read: of HTTP/1.1 Node reads it next, whoever asks. Apps write to it.
    if (this.#usual) {
      const { authorization, host, referer, 'user-agent': agent } = request.headers;
      exchange.headers = { authorization, host, referer, 'user-agent': agent };
    }
    // Now: once the connection has gone nobody knows any more.
    exchange.peer = peerOf(socket);
    exchange.client = exchange.peer.address;
    return exchange;
  }

  #finish(exchange: Exchange): void {
    exchange.endMs = monotonic.now();
    this.#writer.add(this.#format(exchange));
  }
}

/** The formatter; whether it needs to know how long a request took; whether it asks for usual header fields only. */
function compile(format: string, origin: Origin, clock: LogClock): { formatter: Formatter; timed: boolean; usual: boolean } {
  if (format === 'json') return { formatter: compileJson(origin, clock), timed: true, usual: true };
  const pieces = parseLogFormat(format);
  if (!Array.isArray(pieces)) throw new Error(`the access log's format was not checked: ${pieces.what}`);
  return {
    formatter: compileFormat(pieces, origin, clock),
    timed: pieces.some((piece) => typeof piece === 'object' && 'atom' in piece && 'TMDL'.includes(piece.atom)),
    usual: pieces.every((piece) => typeof piece === 'string' || 'atom' in piece || piece.kind === 'o'),
  };
}
