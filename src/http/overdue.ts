/** Ends connections that Node would let hold up a drain: those on which nothing has come, and sessions of HTTP/2. In the worker. */
import type { Server as HttpServer } from 'node:http';
import { isHttp, type Connection } from './connection.js';

/** In ms of performance.now(). */
export interface Patience {
  since: number;
  ms: number;
}

const DEFAULT_KEEP_ALIVE_MS = 5_000;
/** A session is told to go away when no stream has been open for this long… */
const QUIET_MS = 1_000;
/** …or after this long anyhow; its streams then finish in the rest of the grace. */
const BUSY_MS = 5_000;

/**
 * A connection on which nothing has come yet gets the time an idle one is kept, from the begin of the drain or from its own. Node would wait a
 * minute for its first request (headersTimeout).
 */
export function endSilent({ server, came, socket }: Connection, since: number, now: number, patience: Patience | undefined): void {
  if (socket.bytesRead > 0 || !isHttp(server)) return;
  const keepMs = (server as Partial<HttpServer>).keepAliveTimeout || DEFAULT_KEEP_ALIVE_MS;
  if (now - Math.max(came, since) >= keepMs || (patience !== undefined && now - Math.max(came, patience.since) >= patience.ms)) socket.destroy();
}

/**
 * GOAWAY names the last stream seen: a request that crosses it on the way is refused, which the client may safely send again, but not every
 * client does. So it waits for a quiet moment. (The GOAWAY that refuses nothing, RFC 9113 6.8, cannot be had: nghttp2 ignores new streams after
 * any GOAWAY but its own shutdown notice, which node does not offer; and written to the socket as bytes it trips an assertion of node's when the
 * write does not finish at once.)
 */
export function endSession({ session, streams, quietSince }: Connection, since: number, now: number): void {
  if (session === null || session.closed || session.destroyed) return;
  if ((streams === 0 && now - Math.max(quietSince, since) >= QUIET_MS) || now - since >= BUSY_MS) session.close();
}
