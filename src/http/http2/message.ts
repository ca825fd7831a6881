/**
 * A stream of HTTP/2 as a request and a response of node:http. In the worker.
 *
 * Node's own classes for HTTP/2 are others than those for HTTP/1, and frameworks that put their methods on the prototypes of node:http (Express sets
 * the prototype of every request and response) break them. Here it is http.IncomingMessage and http.ServerResponse themselves that
 * work; what leads to the stream hangs on the objects as own properties, which no change of prototypes touches:
 *
 * - the request's `_read`: its body is the stream's data;
 * - the response's `_storeHeader`: header fields become a HEADERS frame, where node:http would write text, and `_writeRaw`: informational responses;
 * - a socket of its own for each exchange (stream-socket.ts), to which node:http writes the body.
 */
import { IncomingMessage, ServerResponse, validateHeaderName, validateHeaderValue, type Server } from 'node:http';
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2';
import type { Socket } from 'node:net';
import { StreamSocket } from './stream-socket.js';

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  stream: ServerHttp2Stream;
  /** performance.now() */
  begun: number;
  /** What has come of the request is not to pass for the whole: drover has lost patience with it. */
  cut: boolean;
}

/** As a request's: set when they have come. */
const kTrailers = Symbol('trailers');

/** What node:http has inside, the same in 20, 22, 24 and 26. */
interface RequestInternals {
  _read(size: number): void;
  _consuming: boolean;
  _readableState: { readingMore: boolean };
  _dump(): void;
  _addHeaderLines(lines: string[], count: number): void;
  stream: ServerHttp2Stream;
  [kTrailers]?: string[];
}
interface ResponseInternals {
  _header: string | null;
  _headerSent: boolean;
  _hasBody: boolean;
  _contentLength: number | null;
  _removedContLen: boolean;
  _trailer: string;
  _storeHeader(statusLine: string, headers: unknown): void;
  _writeRaw(data: string | Buffer, encoding?: unknown, callback?: unknown): boolean;
  stream: ServerHttp2Stream;
  [symbol: symbol]: unknown;
}

/** Fields that belong to a connection of HTTP/1 (RFC 9113 8.2.2). */
const OF_CONNECTION = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings']);

/** Properties of a response whose names are symbols that node:http keeps to itself. */
const sample = new ServerResponse(new IncomingMessage(null as unknown as Socket));
const symbolNamed = (name: string): symbol => {
  const found = Object.getOwnPropertySymbols(sample).find((symbol) => symbol.description === name);
  if (found === undefined) throw new Error(`Node ${process.version} keeps responses in a way drover does not know (${name})`);
  return found;
};
/** The fields of setHeader(): by name in lower case, [name, value]. */
const kOutHeaders = symbolNamed('kOutHeaders');
/** write() has said that it is enough. */
const kNeedDrain = symbolNamed('kNeedDrain');

/** `connection`: what the session speaks over. */
export function openExchange(server: Server, stream: ServerHttp2Stream, connection: Socket, rawHeaders: readonly string[]): Exchange {
  const socket = new StreamSocket(stream, connection, server);
  const request = openRequest(socket, stream, rawHeaders, () => isWhole(exchange));
  const response = openResponse(request, socket, stream);

  const internals = request as unknown as RequestInternals;
  const exchange = { request, response, stream, begun: performance.now(), cut: false };

  // As node:http has it: what the app has left of the body is read away. A body that it has not begun to read, Node tells the client not to send.
  const isLeft = (): boolean => request.listenerCount('data') + request.listenerCount('readable') === 0;
  response.on('finish', () => {
    if (request.complete ? !internals._consuming : internals._consuming && isLeft()) internals._dump();
  });
  // And when a connection closes: both hear of it, and a request that was not answered, or had not come in whole, was aborted.
  stream.once('close', () => {
    if (!response.writableFinished || (internals._consuming && !request.complete && !isWhole(exchange))) request.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
    else if (!request.complete) {
      endRequest(request, internals[kTrailers]);
      if (isLeft()) internals._dump();
    }
    socket.destroy();
  });
  socket.on('drain', () => {
    if ((response as unknown as ResponseInternals)[kNeedDrain] !== true) return;
    (response as unknown as ResponseInternals)[kNeedDrain] = false;
    response.emit('drain');
  });
  socket.on('timeout', () => {
    const heard = [!request.complete && request.emit('timeout', socket), response.emit('timeout', socket), server.emit('timeout', socket as unknown as Socket)];
    if (!heard.includes(true)) socket.destroy();
  });
  if (server.timeout > 0) socket.setTimeout(server.timeout);
  return exchange;
}

/**
 * Whether all of a body has come whose stream has ended. Node ends one that was reset as well, and tells only afterwards, in the same turn of the loop, that
 * it is closed: no body that was cut off may pass for the whole.
 */
function isWhole({ stream, response, cut }: Exchange): boolean {
  if (cut || !stream.readableEnded) return false;
  return !stream.closed || (stream.rstCode === constants.NGHTTP2_NO_ERROR && response.writableFinished);
}

/** `isWhole`: to be asked a turn after the stream has ended. */
function openRequest(socket: StreamSocket, stream: ServerHttp2Stream, rawHeaders: readonly string[], isWhole: () => boolean): IncomingMessage {
  const request = new IncomingMessage(socket as unknown as Socket);
  const internals = request as unknown as RequestInternals;
  request.httpVersion = '2.0';
  request.httpVersionMajor = 2;
  request.httpVersionMinor = 0;
  let authority: string | undefined;
  let host = false;
  let length = false;
  const lines: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]!, rawHeaders[i + 1]!];
    switch (name) {
      case ':method':
        request.method = value;
        continue;
      case ':path':
        request.url = value;
        continue;
      case ':authority':
        authority = value;
        continue;
      case 'host':
        host = true;
        break;
      case 'content-length':
        length = true;
        break;
      default:
        if (name.startsWith(':')) continue;
    }
    lines.push(name, value);
  }
  // RFC 9113 8.3.1: what makes an HTTP/1 request of it makes a Host of it.
  if (!host && authority !== undefined) lines.unshift('host', authority);
  // How a body of unknown length is told in HTTP/1, and how body parsers know that there is one.
  if (!length && !stream.endAfterHeaders) lines.push('transfer-encoding', 'chunked');
  // A method, as the parser calls it: it also leaves the fields to be parsed when somebody asks.
  internals._addHeaderLines(lines, lines.length);
  internals.stream = stream;
  if (stream.endAfterHeaders) endRequest(request);
  internals._read = () => {
    if (!internals._consuming) {
      internals._readableState.readingMore = false;
      internals._consuming = true;
      if (!request.complete) {
        stream.on('data', (chunk: Buffer) => {
          if (!request.push(chunk)) stream.pause();
        });
        stream.on('trailers', (_fields, _flags, raw: string[] = []) => (internals[kTrailers] = raw));
        stream.on('end', () => {
          setImmediate(() => {
            // If not, its closing ends the request, or has done so.
            if (!request.complete && !request.destroyed && isWhole()) endRequest(request, internals[kTrailers]);
          });
        });
      }
    }
    if (!request.complete) stream.resume();
  };
  return request;
}

/** All of it has come. */
function endRequest(request: IncomingMessage, trailers: string[] = []): void {
  request.complete = true;
  // After `complete`, so that they are taken for trailers.
  (request as unknown as RequestInternals)._addHeaderLines(trailers, trailers.length);
  request.push(null);
}

function openResponse(request: IncomingMessage, socket: StreamSocket, stream: ServerHttp2Stream): ServerResponse {
  const response = new ServerResponse(request);
  const internals = response as unknown as ResponseInternals;
  internals.stream = stream;

  internals._storeHeader = (_statusLine, headers) => {
    internals._header = `HTTP/2 ${response.statusCode}`;
    internals._headerSent = true;
    if (stream.destroyed || stream.closed || stream.headersSent) return;
    const fields = collect(headers, headers === internals[kOutHeaders]);
    if (internals._hasBody && fields['content-length'] === undefined && !internals._removedContLen && typeof internals._contentLength === 'number') {
      fields['content-length'] = internals._contentLength;
    }
    fields[':status'] = response.statusCode;
    const waitForTrailers = internals._hasBody && (fields['trailer'] !== undefined || internals._trailer !== '');
    stream.respond(fields, { sendDate: response.sendDate, waitForTrailers } as ServerStreamResponseOptions);
    if (waitForTrailers) stream.once('wantTrailers', () => stream.sendTrailers(parseLines(internals._trailer)));
  };
  const writeRaw = ServerResponse.prototype as unknown as ResponseInternals;
  internals._writeRaw = (data, encoding, callback) => {
    // 100, 102, 103: node:http writes them as text before the header of the response.
    const informational = internals._header === null && typeof data === 'string' ? /^HTTP\/1\.1 (1\d\d)[^\r]*\r\n([\s\S]*)$/.exec(data) : null;
    if (informational === null) return writeRaw._writeRaw.call(response, data, encoding, callback);
    if (!stream.destroyed && !stream.closed && !stream.headersSent) stream.additionalHeaders({ ':status': Number(informational[1]), ...parseLines(informational[2]!) });
    const done = [encoding, callback].find((argument) => typeof argument === 'function') as (() => void) | undefined;
    if (done !== undefined) process.nextTick(done);
    return true;
  };
  // All of the body has been given to the socket.
  response.on('prefinish', () => socket.endStream());
  response.assignSocket(socket as unknown as Socket);
  return response;
}

/** The header fields that writeHead() has come to, as http2 wants them. */
function collect(headers: unknown, fromSetHeader: boolean): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = {};
  const add = (name: string, value: unknown): void => {
    const key = name.toLowerCase();
    if (OF_CONNECTION.has(key) || (key === 'te' && value !== 'trailers')) return;
    const before = fields[key];
    const list = Array.isArray(value) ? (value as unknown[]).map(String) : [String(value)];
    if (key === 'set-cookie') fields[key] = [...((before as string[] | undefined) ?? []), ...list];
    else fields[key] = before === undefined ? list.join(', ') : `${String(before)}, ${list.join(', ')}`;
  };
  // setHeader() has looked at them; what writeHead() was given, nobody has.
  const check = (name: string, value: unknown): void => {
    validateHeaderName(name);
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) validateHeaderValue(name, item as string);
    add(name, value);
  };
  if (fromSetHeader) for (const [name, value] of Object.values((headers ?? {}) as Record<string, [string, unknown]>)) add(name, value);
  else if (!Array.isArray(headers)) for (const [name, value] of Object.entries((headers ?? {}) as object)) check(name, value);
  else if (Array.isArray(headers[0])) for (const [name, value] of headers as [string, unknown][]) check(name, value);
  else for (let i = 0; i + 1 < headers.length; i += 2) check(String(headers[i]), headers[i + 1]);
  return fields;
}

/** Lines as node:http has made them of fields it has checked. */
function parseLines(text: string): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = {};
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(': ');
    if (colon < 1) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 2);
    fields[name] = fields[name] === undefined ? value : `${String(fields[name])}, ${value}`;
  }
  return fields;
}
