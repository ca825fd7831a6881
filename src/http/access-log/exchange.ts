/**
 * A request and its answer as the access log sees them: what is noted when it begins, and what is added when it has ended. In the worker.
 *
 * Method and target are noted at the begin: frameworks write `req.url` and `req.method` over on their way.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { knownIdOf } from '../request-info.js';
import { escapeWord } from './escape.js';

export const UNKNOWN = -1;
/** As nginx has it: the client went away before an answer began. No response ever says so. */
export const CLIENT_CLOSED = 499;

const NO_HEADERS: IncomingHttpHeaders = {};

const NOBODY: Peer = { address: '', word: '-' };

/** A request, of HTTP/1 or of HTTP/2's compatibility API. */
export type AnyRequest = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'socket'>;

export class Exchange {
  /** performance.now() when it was seen. */
  readonly startMs: number;
  /** Safe to print. */
  readonly method: string;
  /** As the client sent it. */
  readonly url: string;
  protocol: string;
  /** The request line as it came, where it was none; else null. */
  line: string | null = null;
  request: AnyRequest | null = null;
  headers: IncomingHttpHeaders = NO_HEADERS;
  /** Trusted, or the peer; '' where there is no address, as on a unix socket. */
  client = '';
  /** Of HTTP/1: who may be the client. */
  peer: Peer = NOBODY;
  response: ServerResponse | ServerHttp2Stream | null = null;
  endMs = 0;
  status = 0;
  /** Of the body; or UNKNOWN. */
  bytes = UNKNOWN;
  /** The connection was closed before the answer was out. */
  aborted = false;
  /** Why drover refused it. */
  refusal: string | null = null;

  constructor(startMs: number, method: string, url: string, protocol: string) {
    this.startMs = startMs;
    this.method = method;
    this.url = url;
    this.protocol = protocol;
  }

  get durationMs(): number {
    return this.endMs - this.startMs;
  }
}

/** The other end of a connection: its address, and that as a line has it. */
export interface Peer {
  readonly address: string;
  readonly word: string;
}

export function addressOf(socket: Socket | undefined): string {
  return socket?.remoteAddress ?? '';
}

const kPeer = Symbol('drover.peer');

/** Kept with its socket: to ask Node for the address, and to look at each of its bytes, costs a tenth of a line. */
export function peerOf(socket: Socket & { [kPeer]?: Peer }): Peer {
  return (socket[kPeer] ??= peerAt(addressOf(socket)));
}

function peerAt(address: string): Peer {
  return { address, word: escapeWord(address) || '-' };
}

/** The request's id: the one it has got, or brings along. None is made for the log alone. */
export function requestIdOf({ request }: Exchange): string | undefined {
  return request === null ? undefined : knownIdOf(request);
}

/** The target without its query, and the query without its question mark. The origin of an absolute target is no part of either. */
export function pathOf(url: string): string {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  if (path.charCodeAt(0) === SLASH) return path;
  const [, absolute] = /^[a-z][a-z0-9+.-]*:\/\/[^/]*(.*)$/is.exec(path) ?? [];
  return absolute === undefined ? path : absolute || '/';
}

export function queryOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? '' : url.slice(query + 1);
}

const SLASH = 47;
