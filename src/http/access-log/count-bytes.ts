/**
 * Counts the body bytes of responses for the access log. In the worker, once the access log is on.
 *
 * HTTP/1: a response that has a length is believed. Only one without (chunked, or ended by closing) has its chunks counted, in `write` and `end` that
 * ServerResponse inherits and is given of its own here: Node keeps no such count, and the bytes of the socket include heads, framing and, when
 * requests are pipelined, other responses.
 * HTTP/2: `_write` of the stream, which all ways of writing lead to but respondWithFile; that sets a length.
 */
import { ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { bytesSentOf, declareWriter } from '../files/on-socket.js';
import { UNKNOWN } from './exchange.js';

const kBytes = Symbol('drover.bodyBytes');

/** What Node has of a response that no type tells. */
export interface NodeResponse extends ServerResponse {
  _contentLength?: number | null;
  /** False for HEAD, 204, 304. */
  _hasBody?: boolean;
  _header?: string | null;
  outputSize?: number;
  [kBytes]?: number;
}

let counting = false;

export function countBodyBytes(): void {
  if (counting) return;
  counting = true;
  const { write, end } = ServerResponse.prototype as { write: Write; end: End };
  const own = ServerResponse.prototype as { write: Write; end: End };
  own.write = function (chunk, encoding, callback) {
    const isLate = this.finished;
    const result = write.call(this, chunk, encoding, callback);
    if (this._contentLength === null && !isLate) count(this, chunk, encoding);
    return result;
  };
  own.end = function (chunk, encoding, callback) {
    const isLate = this.finished;
    const result = end.call(this, chunk, encoding, callback);
    if (this._contentLength === null && !isLate && chunk !== undefined && chunk !== null && typeof chunk !== 'function') count(this, chunk, encoding);
    return result;
  };
  // A response that goes past Node's streams is counted where it is sent.
  declareWriter(own.write);
  declareWriter(own.end);
}

type Write = (this: NodeResponse, chunk: unknown, encoding?: unknown, callback?: unknown) => boolean;
type End = (this: NodeResponse, chunk?: unknown, encoding?: unknown, callback?: unknown) => ServerResponse;

function count(response: NodeResponse, chunk: unknown, encoding: unknown): void {
  response[kBytes] = (response[kBytes] ?? 0) + lengthOf(chunk, encoding);
}

function lengthOf(chunk: unknown, encoding: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  return (chunk as Uint8Array).byteLength;
}

/** Body bytes of a response that was sent in full, or UNKNOWN. */
export function bodyBytes(response: NodeResponse, aborted: boolean): number {
  const sent = bytesSentOf(response);
  if (sent !== undefined) return sent;
  if (aborted) return UNKNOWN;
  return response._hasBody === false ? 0 : (response._contentLength ?? response[kBytes] ?? 0);
}

/** A stream of HTTP/2 whose bytes are counted. */
export interface CountedStream extends ServerHttp2Stream {
  [kBytes]?: number;
}

type StreamWrite = (this: CountedStream, chunk: unknown, encoding: unknown, callback: unknown) => void;
type StreamWritev = (this: CountedStream, chunks: { chunk: unknown; encoding: unknown }[], callback: unknown) => void;

let streamWrite: StreamWrite;
let streamWritev: StreamWritev;

export function countStreamBytes(stream: CountedStream): void {
  const writable = stream as unknown as { _write: StreamWrite; _writev: StreamWritev };
  streamWrite ??= writable._write;
  streamWritev ??= writable._writev;
  stream[kBytes] = 0;
  writable._write = countingWrite;
  writable._writev = countingWritev;
}

const countingWrite: StreamWrite = function (chunk, encoding, callback) {
  this[kBytes]! += lengthOf(chunk, encoding);
  streamWrite.call(this, chunk, encoding, callback);
};

const countingWritev: StreamWritev = function (chunks, callback) {
  for (const { chunk, encoding } of chunks) this[kBytes]! += lengthOf(chunk, encoding);
  streamWritev.call(this, chunks, callback);
};

export function streamBytes(stream: CountedStream, isHead: boolean, aborted: boolean): number {
  const sent = bytesSentOf(stream);
  if (sent !== undefined) return sent;
  if (aborted) return UNKNOWN;
  const headers = stream.sentHeaders;
  if (isHead || headers[':status'] === 304) return 0;
  return stream[kBytes] || Number(headers['content-length'] ?? 0);
}
