/**
 * Watches a body whose length nobody has told (chunked, or HTTP/2 without Content-Length) as it comes: --limit-request-body, and what may stand in
 * trailers. In the worker.
 *
 * The place is `push` of what the body is read from, the request or an app's stream, as an own property: node hands every piece of a body over by it. Requests with a Content-Length, or without
 * a body, are not touched: their size is known before, and the parser holds them to it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { isHttp2 } from './is-http2.js';
import type { Refusals } from './refusal.js';
import { problemOfTrailers } from './strict.js';

export interface BodyRules {
  /** 0: no limit. */
  limitBytes: number;
  /** Whether trailers are looked at. */
  strict: boolean;
  refusals: Refusals;
}

export const TOO_LARGE = 'the body of the request is too large';

type Pushed = IncomingMessage & { push: Readable['push'] };
type StreamedRequest = IncomingMessage & { stream: Readable };

export function watchBody(request: Pushed, response: ServerResponse, { limitBytes, strict, refusals }: BodyRules, body: Readable = request): void {
  // A stream of HTTP/2 is not closed before its end has been read, and the app must not take this for one. Not before the refusal is out, which a reset would overtake.
  const discard = (chunk: unknown): boolean => {
    if (chunk === null && body !== (request as Readable)) setImmediate(() => body.destroy());
    return true;
  };
  const stop = (): void => {
    body.push = discard;
    // node:http2 asserts that nobody reads what is closed, which its end, that nobody has, would have seen to.
    if (body === request && isHttp2(request)) body._read = () => void (request as StreamedRequest).stream.resume();
  };
  let left = limitBytes === 0 ? Infinity : limitBytes;
  body.push = (chunk: Buffer | null, encoding?: BufferEncoding): boolean => {
    if (chunk !== null) {
      left -= chunk.length;
      if (left < 0) {
        stop();
        refusals.refuseUnderWay(request, response, 413, TOO_LARGE);
        return true;
      }
    } else if (strict && request.rawTrailers.length > 0) {
      const problem = problemOfTrailers(request.rawTrailers);
      if (problem !== undefined) {
        stop();
        refusals.refuseUnderWay(request, response, problem.status, problem.reason);
        return false;
      }
    }
    return Readable.prototype.push.call(body, chunk, encoding);
  };
}
