/**
 * What of the limits Node itself enforces, set per server before it listens: the size of the head, the number of fields, the timeouts. In the
 * worker.
 *
 * A size that the app has set stays; a timeout given to drover takes the place of the app's.
 */
import { maxHeaderSize, type Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';
import type { ScreenConfig, ServerTimeouts } from '../config/edge-config.js';

/** As node:http keeps them; those of node:http2 with HTTP/1 have the same. */
export type LimitedServer = Server &
  Partial<Pick<HttpServer, 'maxHeadersCount' | 'headersTimeout' | 'requestTimeout' | 'keepAliveTimeout'>> & {
    maxHeaderSize?: number | undefined;
    insecureHTTPParser?: boolean | undefined;
    httpValidation?: 'strict' | 'relaxed' | 'insecure' | undefined;
    requireHostHeader?: boolean;
    connectionsCheckingInterval?: number;
  };

/** Whether it speaks HTTP/1. */
export function speaksHttp1(server: LimitedServer): boolean {
  return server.headersTimeout !== undefined;
}

/** The bytes of a head for which no limit of ours is too large. */
export function headBytes({ lineBytes, fieldBytes }: Pick<ScreenConfig, 'lineBytes' | 'fieldBytes'>): number {
  return Math.max(maxHeaderSize, lineBytes + FIELDS_OF_FULL_SIZE * fieldBytes);
}

/** nginx has as many of them (large_client_header_buffers). */
const FIELDS_OF_FULL_SIZE = 4;

/** Whether the app had asked for lenient parsing. It is switched off: what a lenient parser takes, another reads differently. */
export function limitHead(server: LimitedServer, config: ScreenConfig): { lenient: boolean } {
  server.maxHeaderSize ??= headBytes(config);
  if (config.fields > 0) {
    // One more than allowed: Node drops the rest and says nothing, and what was dropped could not be refused.
    const own = server.maxHeadersCount;
    if (typeof own !== 'number' || own === 0 || own > config.fields) server.maxHeadersCount = config.fields + 1;
  }
  // Node would answer a missing Host by itself, and read `headers` of every request for it.
  if (config.strict) server.requireHostHeader = false;
  const lenient = server.insecureHTTPParser === true || server.httpValidation === 'insecure' || server.httpValidation === 'relaxed' || LENIENT_PROCESS;
  if (server.httpValidation !== undefined) server.httpValidation = 'strict';
  else server.insecureHTTPParser = false;
  return { lenient };
}

const LENIENT_PROCESS = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) => text.includes('--insecure-http-parser'));

export function limitTimes(server: LimitedServer, { headerMs, requestMs, keepAliveMs }: ServerTimeouts): void {
  if (headerMs >= 0) server.headersTimeout = headerMs;
  if (requestMs >= 0) server.requestTimeout = requestMs;
  if (keepAliveMs >= 0) server.keepAliveTimeout = keepAliveMs;
  // Node exchanges the two where a whole request has less time than its head: it would have the head's, a minute by default.
  const { headersTimeout = 0, requestTimeout = 0 } = server;
  if (requestTimeout > 0 && headersTimeout > requestTimeout) server.headersTimeout = requestTimeout;
  // Node looks every 30 s, which would make 5 s 35.
  const shortest = Math.min(...[headerMs, requestMs].filter((ms) => ms > 0));
  if (shortest !== Infinity) server.connectionsCheckingInterval = Math.min(server.connectionsCheckingInterval ?? Infinity, Math.max(shortest / 4, 50));
}
