/**
 * Ends a session of HTTP/2 whose client has broken the protocol. In the worker.
 *
 * nghttp2 answers with GOAWAY, and from then on neither reads nor writes. Of most such errors Node 20 tells nobody, and it stops reading from the
 * socket: nobody hears that the client has gone either, and the connection stays open for ever. All that Node has of it is its
 * notice that a session which was asked to close has nothing left to read or to write; here it is asked for from the beginning. Early releases of Node 22 are as
 * Node 20, and have no such notice: with those it stays so.
 */
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { native } from '../../native.js';

/** What node:http2 has inside. */
interface SessionHandle {
  setGracefulClose?(): void;
  ongracefulclosecomplete(): void;
}

const LINGER_MS = 2_000;

let kHandle: symbol | undefined;

/** `socket`: what the session speaks over. */
export function endWhenBroken(session: ServerHttp2Session, socket: Socket): void {
  kHandle ??= Object.getOwnPropertySymbols(session).find(({ description }) => description === 'kHandle');
  const handle = (session as unknown as Record<symbol, SessionHandle | undefined>)[kHandle!];
  if (handle?.setGracefulClose === undefined) return;
  const complete = handle.ongracefulclosecomplete;
  handle.ongracefulclosecomplete = () => {
    complete();
    // Newer Node has ended it by then, and does it better: with its error.
    setImmediate(() => {
      if (session.closed || session.destroyed) return;
      // Not at once: what the client has not read yet would be lost with what nobody here reads any more.
      socket.end();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    });
  };
  handle.setGracefulClose();
}

const ENOTCONN = -107;

/**
 * Of a connection that is reset just as its handshake ends, as health checks do it, node hears nothing once a session of HTTP/2 has taken the socket (seen on Node 20): it would stay open for ever, and
 * the drain wait for it. The kernel knows.
 */
export function endIfReset(socket: Socket, accepted: Socket & { _handle?: { fd: number } | null }): void {
  const { fd = -1 } = accepted._handle ?? {};
  if (fd >= 0 && native.peerAddress(fd) === ENOTCONN) socket.destroy();
}
