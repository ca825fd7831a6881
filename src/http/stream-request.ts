/**
 * A stream of HTTP/2 as the policies see it where an app listens to `stream` alone, and no request of node:http2's compatibility API is made. In the worker.
 *
 * It is what Node hands to the app, not a copy: fields that are taken out of it, or put in, the app sees so in the headers of its event, and a path below a mount in `:path`. Nothing
 * listens to the stream, which is the app's.
 */
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

export class StreamRequest {
  readonly httpVersion = '2.0';
  readonly httpVersionMajor = 2;
  readonly httpVersionMinor = 0;
  readonly rawTrailers: string[] = [];
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: string[]) {
    this.stream = stream;
    this.headers = headers;
    this.rawHeaders = rawHeaders;
  }

  get method(): string {
    return this.headers[':method'] ?? '';
  }

  get url(): string {
    return this.headers[':path'] ?? '';
  }

  set url(path: string) {
    this.headers[':path'] = path;
    const at = this.rawHeaders.indexOf(':path');
    if (at !== -1) this.rawHeaders[at + 1] = path;
  }

  /** Of what has ended nothing is known any more. */
  get socket(): Socket {
    const { session } = this.stream;
    return session === undefined || session.destroyed ? GONE : (session.socket as Socket);
  }
}

const GONE = {} as Socket;

/** What a policy may do with its response. */
export class StreamResponse {
  readonly stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.stream = stream;
  }

  writeHead(status: number, headers: Record<string, string | number>): void {
    this.stream.respond({ ':status': status, ...headers });
  }

  end(text: string): void {
    this.stream.end(text);
  }

  /** In whatever response the app begins. */
  setHeader(name: string, value: string): void {
    const stream = this.stream as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const [method, at] of [['respond', 0], ['respondWithFD', 1], ['respondWithFile', 1]] as const) {
      const original = stream[method]!;
      stream[method] = function (...args: unknown[]): unknown {
        const headers = args[at] as object | undefined;
        args[at] = Array.isArray(headers) ? [...(headers as unknown[]), name, value] : { ...headers, [name]: value };
        return Reflect.apply(original, this, args);
      };
    }
  }
}
