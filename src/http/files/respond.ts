/**
 * Answers a request with a file: status and headers by the request's conditions and ranges, then the body. In the worker. For HTTP/1 and, through Node's
 * compatibility API, HTTP/2. What the app has set of the headers stays.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendBody, type BodyOutcome } from './body.js';
import { evaluate, rangeApplies, type Conditions } from './conditional.js';
import type { HttpResponse } from './on-socket.js';
import type { OpenFile } from './open-file.js';
import { parseRange } from './range.js';

export interface RespondOptions {
  contentType: string;
  /** Other headers, by name. */
  headers?: Readonly<Record<string, string>>;
  /** Status of the whole file; another than 200 means that conditions and ranges are not looked at. */
  status?: number;
}

/** `file` is the caller's to drop, when `done` is called: once, perhaps at once. */
export function respondWithFile(request: IncomingMessage, response: ServerResponse, file: OpenFile, options: RespondOptions, done: (outcome: BodyOutcome) => void): void {
  const set = (name: string, value: string): void => {
    if (!response.hasHeader(name)) response.setHeader(name, value);
  };
  const status = options.status ?? 200;
  for (const [name, value] of Object.entries(options.headers ?? {})) set(name, value);
  set('Content-Type', options.contentType);
  set('Last-Modified', file.lastModified);
  set('ETag', file.etag);
  if (response.hasHeader('Transfer-Encoding')) response.removeHeader('Transfer-Encoding');

  // The app names a file, and a status that has no body (RFC 9110 6.4.1).
  if (status < 200 || status === 204 || status === 304) return withoutBody(response, status, done);
  let range = { start: 0, end: file.size - 1 };
  let answer = status;
  if (status === 200) {
    set('Accept-Ranges', 'bytes');
    const conditions = request.headers as Conditions;
    const validators = { etag: text(response.getHeader('etag')), lastModifiedMs: dateOf(response.getHeader('last-modified')) };
    const verdict = evaluate(conditions, validators);
    if (verdict !== undefined) return withoutBody(response, verdict, done);
    const asked = request.headers.range;
    // Only of GET (RFC 9110 14.2).
    if (asked !== undefined && request.method === 'GET' && rangeApplies(conditions, validators)) {
      const parsed = parseRange(asked, file.size);
      if (parsed === 'unsatisfiable') {
        response.setHeader('Content-Range', `bytes */${file.size}`);
        return withoutBody(response, 416, done);
      }
      if (parsed !== undefined) {
        range = parsed;
        answer = 206;
        response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${file.size}`);
      }
    }
  }

  const length = range.end - range.start + 1;
  response.setHeader('Content-Length', length);
  response.writeHead(answer);
  // Node knows better than the request, of which an app may have changed the method.
  if (request.method === 'HEAD' || length === 0 || (response as Partial<HttpResponse>)._hasBody === false) {
    response.end();
    return done('sent');
  }
  if (file.content !== undefined) {
    response.end(file.content.subarray(range.start, range.end + 1));
    return done('sent');
  }
  sendBody(response, { fd: file.fd, offset: range.start, length }, done);
}

/** 204, 304, 412 and 416: what describes a body goes (RFC 9110 15.4.5). */
function withoutBody(response: ServerResponse, status: number, done: (outcome: BodyOutcome) => void): void {
  for (const name of ['Content-Type', 'Content-Length', 'Content-Encoding', ...(status < 400 ? [] : ['ETag', 'Last-Modified', 'Cache-Control'])]) response.removeHeader(name);
  if (status >= 400) response.setHeader('Content-Length', 0);
  response.writeHead(status);
  response.end();
  done('sent');
}

function text(value: number | string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function dateOf(value: number | string | string[] | undefined): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
