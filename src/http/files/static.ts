/**
 * --static PREFIX=DIR: files of directories, before the app. In the worker.
 *
 * What is not there is the app's, as with Express's static middleware: also names that begin with a dot, and all that is no plain path. Of what is there: GET and HEAD, 405 for
 * other methods (OPTIONS is the app's). The plain case, a whole file over HTTP/1 keep-alive, goes out with a head that was made once; only its date changes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StaticMount } from '../../config/options.js';
import type { Policy } from '../policy.js';
import type { StreamRequest } from '../stream-request.js';
import { acceptedCodings } from './encoding.js';
import { COPIED_BYTES, FileCache, UNAVAILABLE, type Entry, type Variant, type Wire } from './file-cache.js';
import { isPlain, sendReady, type FileRange, type HttpResponse } from './on-socket.js';
import type { OpenFile } from './open-file.js';
import { copyRest } from './body.js';
import { respondWithFile } from './respond.js';
import { Root } from './root.js';
import { parseUrlPath, splitTarget } from './url-path.js';
import { isBehind, isTurn, whenSocket } from './turn.js';

export class StaticFiles implements Policy {
  readonly #cache: FileCache;
  readonly #cacheControl: string;

  /** Throws if a directory is not there. */
  constructor(mounts: readonly StaticMount[], maxAgeMs: number) {
    this.#cacheControl = `public, max-age=${Math.floor(maxAgeMs / 1000)}`;
    const places = mounts
      .map(({ prefix, directory }) => ({ base: prefix === '/' ? '' : prefix, root: new Root(directory, true) }))
      .sort((a, b) => b.base.length - a.base.length);
    this.#cache = new FileCache(function* (urlPath) {
      for (const { base, root } of places) {
        if (!urlPath.startsWith(base) || (urlPath.length > base.length && urlPath[base.length] !== '/')) continue;
        const parsed = parseUrlPath(urlPath.slice(base.length));
        if (parsed !== undefined) yield { root, ...parsed };
      }
    });
  }

  request(request: IncomingMessage, response: ServerResponse): boolean {
    const target = request.url!;
    const plain = target.charCodeAt(0) === SLASH && !target.includes('?');
    const urlPath = plain ? target : splitTarget(target)?.path;
    if (urlPath === undefined) return false;
    const entry = this.#cache.get(urlPath);
    if (entry === undefined) return false;
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') return method !== 'OPTIONS' && refuseMethod(response);
    if (entry === UNAVAILABLE) return refuseForNow(response);
    if (entry.redirect) return redirect(request, response);
    // Who waits for its turn holds no file open: a client may pipeline many.
    if (isBehind(response)) whenSocket(response, () => this.#answerLate(request, response, urlPath), ignore);
    else this.#answer(request, response, entry);
    return true;
  }

  stream(request: StreamRequest): boolean {
    const path = splitTarget(request.url)?.path;
    if (request.method === 'OPTIONS' || path === undefined || this.#cache.get(path) === undefined) return false;
    // It listens to the stream, so it is made only when the app will not have it.
    const response = new (process.getBuiltinModule('node:http2').Http2ServerResponse)(request.stream as never);
    // What waits to be read of a body is not wanted.
    request.stream.resume();
    return this.request(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  }

  /** Whether there was any. */
  giveBack(): boolean {
    return this.#cache.giveBack();
  }

  /** Its turn has come. */
  #answerLate(request: IncomingMessage, response: ServerResponse, urlPath: string): void {
    if (response.headersSent || response.destroyed) return;
    const entry = this.#cache.get(urlPath);
    if (entry === UNAVAILABLE) return void refuseForNow(response);
    if (entry !== undefined && !entry.redirect) return this.#answer(request, response, entry);
    // Removed in the meantime, when the app can no longer be asked.
    response.writeHead(404, { 'Content-Length': 0 });
    response.end();
  }

  #answer(request: IncomingMessage, response: ServerResponse, entry: Entry): void {
    const asked = askedFor(request);
    const variant = entry.compressed.length === 0 ? entry.plain : choose(entry, request.headers['accept-encoding']);
    if (request.method === 'GET' && !asked && isPlain(response) && isOrdinary(request, response) && isTurn(response)) this.#sendWhole(response, entry, variant);
    else this.#respond(request, response, entry, variant);
  }

  #sendWhole(response: HttpResponse, entry: Entry, variant: Variant): void {
    const { file } = variant;
    const { bytes, head, body } = this.#wire(response, entry, variant);
    if (body === undefined) return sendReady(response, head, bytes, file.size, undefined, ignore);
    file.use();
    sendReady(response, head, bytes, file.size, body, (outcome) => {
      if (outcome.how !== 'unable') return file.drop();
      const { content } = file;
      if (content !== undefined) {
        const { offset, length } = outcome.left;
        response.end(content.subarray(offset, offset + length));
        return file.drop();
      }
      copyRest(response as unknown as ServerResponse, outcome.left, () => file.drop());
    });
  }

  /** The head as it goes over the wire, and behind it the bytes of a file that is copied. */
  #wire(response: HttpResponse, entry: Entry, variant: Variant): Wire {
    const keepAliveTimeoutMs = response._keepAliveTimeout ?? 0;
    const second = Math.floor(Date.now() / 1000);
    let { wire } = variant;
    if (wire === undefined || wire.keepAliveTimeoutMs !== keepAliveTimeoutMs) variant.wire = wire = this.#makeWire(entry, variant, keepAliveTimeoutMs);
    if (wire.second !== second) {
      wire.second = second;
      const date = dateOf(second);
      wire.bytes.write(date, wire.before.length, 29, 'latin1');
      wire.head = wire.before + date + wire.after;
    }
    return wire;
  }

  #makeWire(entry: Entry, variant: Variant, keepAliveTimeoutMs: number): Wire {
    const { file } = variant;
    const headers: [string, string][] = [
      ['Content-Type', entry.contentType], ['Last-Modified', file.lastModified], ['ETag', file.etag], ['Accept-Ranges', 'bytes'],
      ...Object.entries(this.#headers(entry, variant)), ['Content-Length', String(file.size)],
    ];
    const before = `HTTP/1.1 200 OK\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}Date: `;
    const after = `\r\nConnection: keep-alive\r\n${keepAliveTimeoutMs > 0 ? `Keep-Alive: timeout=${Math.floor(keepAliveTimeoutMs / 1000)}\r\n` : ''}\r\n`;
    const head = Buffer.from(before + ' '.repeat(29) + after, 'latin1');
    const body = bodyOf(file);
    return { bytes: body === undefined ? Buffer.concat([head, file.content!]) : head, body, head: '', before, after, second: -1, keepAliveTimeoutMs };
  }

  #respond(request: IncomingMessage, response: ServerResponse, entry: Entry, variant: Variant): void {
    const file = variant.file.use();
    respondWithFile(request, response, file, { contentType: entry.contentType, headers: this.#headers(entry, variant) }, () => file.drop());
  }

  #headers(entry: Entry, variant: Variant): Record<string, string> {
    return {
      'Cache-Control': this.#cacheControl,
      'X-Content-Type-Options': 'nosniff',
      ...(variant.coding === undefined ? {} : { 'Content-Encoding': variant.coding }),
      ...(entry.compressed.length === 0 ? {} : { Vary: 'Accept-Encoding' }),
    };
  }
}

/** Undefined: its bytes are in memory, and are copied. */
function bodyOf(file: OpenFile): FileRange | undefined {
  const length = file.size;
  if (file.content === undefined) return { fd: file.fd, offset: 0, length };
  const fd = length > COPIED_BYTES ? file.memory() : undefined;
  return fd === undefined ? undefined : { fd, offset: 0, length, inMemory: true };
}

const SLASH = 0x2f;
const ignore = (): void => {};

let dateSecond = -1;
let dateText = '';

function dateOf(second: number): string {
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** Whether conditions or a range are given. Without making the object of headers, which costs more than the rest of a small answer. */
function askedFor({ rawHeaders }: IncomingMessage): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    // Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range.
    const first = name.charCodeAt(0) | 0x20;
    if (first === 0x72 ? name.length === 5 && name.toLowerCase() === 'range' : first === 0x69 && (name.charCodeAt(1) | 0x20) === 0x66 && name.charCodeAt(2) === 0x2d) return true;
  }
  return false;
}

/** What the ready-made head would say of this response is so: kept alive, nothing set by anybody, no count of requests told. */
function isOrdinary(request: IncomingMessage, response: HttpResponse): boolean {
  return (
    request.httpVersionMinor === 1 && request.httpVersionMajor === 1 && response.shouldKeepAlive && response.sendDate && response.statusCode === 200 &&
    !response.maxRequestsOnConnectionReached && !response._maxRequestsPerSocket && !response._expect_continue && response.getHeaderNames().length === 0
  );
}

function choose(entry: Entry, acceptEncoding: string | string[] | undefined): Variant {
  for (const coding of acceptedCodings(String(acceptEncoding ?? ''))) {
    const variant = entry.compressed.find((candidate) => candidate.coding === coding);
    if (variant !== undefined) return variant;
  }
  return entry.plain;
}

function refuseMethod(response: ServerResponse): true {
  response.writeHead(405, { Allow: 'GET, HEAD', 'Content-Length': 0 });
  response.end();
  return true;
}

/** The file is there, and this process may not open one more. */
function refuseForNow(response: ServerResponse): true {
  response.writeHead(503, { 'Cache-Control': 'no-store', 'Content-Length': 0 });
  response.end();
  return true;
}

function redirect(request: IncomingMessage, response: ServerResponse): true {
  // As the client wrote it: below a mount (--script-name) `url` is without it.
  const { originalUrl } = request as { originalUrl?: string };
  const { path, query } = splitTarget(originalUrl ?? request.url!)!;
  // `//host` would lead elsewhere.
  response.writeHead(301, { Location: `/${path.replace(/^\/+/, '')}/${query}`, 'Content-Length': 0 });
  response.end();
  return true;
}
