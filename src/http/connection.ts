/** An open connection, as drover keeps account of it. In the worker. */
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';

/** A socket as node:http keeps it: `parser` while it speaks HTTP/1 (null after an upgrade), `_httpMessage` while a response is due. */
export type HttpSocket = Socket & { parser?: object | null; _httpMessage?: ServerResponse | null; _parent?: Socket; server?: Server };

export interface Connection {
  server: Server;
  readonly accepted: HttpSocket;
  /** performance.now() when it was accepted; 0 when that was before the drain began. */
  readonly came: number;
  /** What HTTP speaks over: the accepted socket, or the TLS socket on it once the handshake is done. */
  socket: HttpSocket;
  session: ServerHttp2Session | null;
  /** HTTP/2 streams open now, and performance.now() when the last one closed. */
  streams: number;
  quietSince: number;
  /** Its place among the open ones. */
  at: number;
}

/** The accepted socket under a TLS socket; any other is it itself. */
export function acceptedOf(socket: Socket): Socket {
  return (socket as HttpSocket)._parent ?? socket;
}

/** HTTP/1 servers have a keepAliveTimeout; http2 exports no class to test for. */
export function isHttp(server: Server): boolean {
  return (
    (server as Partial<HttpServer>).keepAliveTimeout !== undefined ||
    server.constructor.name === 'Http2Server' ||
    server.constructor.name === 'Http2SecureServer'
  );
}
