/** Whether a request is one of node:http2's compatibility API. Its version alone does not tell: node:http takes `GET / HTTP/2.0` for a request. */
import type { IncomingMessage } from 'node:http';

export function isHttp2(request: IncomingMessage): boolean {
  return request.httpVersionMajor === 2 && (request as IncomingMessage & { stream?: object }).stream !== undefined;
}
