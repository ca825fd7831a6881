/**
 * What RFC 9112 forbids and Node's parser lets pass: two readers of such a request may see two different ones (request smuggling). Pure. In the
 * worker.
 *
 * What is written as bytes (line ends, spaces, chunk sizes, Content-Length) is the parser's, and refused there.
 */
import type { IncomingMessage } from 'node:http';
import type { HeaderScan } from './header-scan.js';
import { isHttp2 } from './is-http2.js';

export interface Problem {
  status: number;
  reason: string;
}

/** undefined: nothing. */
export function problemOf(request: IncomingMessage, scan: HeaderScan): Problem | undefined {
  const { rawHeaders, httpVersionMajor, url } = request;
  if (httpVersionMajor !== 1) return isHttp2(request) ? problemOfStream(request, scan) : UNSUPPORTED_VERSION;
  if (scan.hosts !== 1) {
    if (scan.hosts > 1) return bad('more than one Host header');
    if (request.httpVersionMinor > 0) return bad('no Host header');
  } else if (!isHost(rawHeaders[scan.host]!)) return bad('Host is not the name of a host');
  if (scan.codings > 0) {
    if (request.httpVersionMinor === 0) return bad('Transfer-Encoding under HTTP/1.0');
    if (scan.codings > 1) return bad('more than one Transfer-Encoding header');
    const coding = rawHeaders[scan.transferEncoding]!;
    if (coding !== 'chunked' && coding.toLowerCase() !== 'chunked') return problemOfCoding(coding);
    if (scan.contentLength !== -1) return bad('both Transfer-Encoding and Content-Length');
  }
  if (url!.charCodeAt(0) !== SLASH) return problemOfTarget(request.method!, url!, scan.host === -1 ? undefined : rawHeaders[scan.host]);
  return url!.includes('#') ? FRAGMENT : undefined;
}

/** Of one that does not begin with a slash. */
function problemOfTarget(method: string, target: string, host: string | undefined): Problem | undefined {
  if (target === '*') return method === 'OPTIONS' ? undefined : bad('the target * is for OPTIONS alone');
  if (method === 'CONNECT') return undefined;
  if (target.includes('#')) return FRAGMENT;
  const [, authority] = /^https?:\/\/([^/?#]*)/i.exec(target) ?? [];
  if (authority === undefined || !isHost(authority) || authority === '') return bad('not a request target');
  return host === undefined || host.toLowerCase() === authority.toLowerCase() ? undefined : bad('Host and the request target name two hosts');
}

function problemOfCoding(coding: string): Problem {
  const codings = coding.split(',').map((piece) => piece.trim().toLowerCase());
  return codings.includes('') ? bad('Transfer-Encoding is malformed') : { status: 501, reason: 'a transfer coding other than chunked' };
}

function problemOfStream(request: IncomingMessage, scan: HeaderScan): Problem | undefined {
  const { rawHeaders } = request;
  if (scan.hosts > 1) return bad('more than one Host header');
  const authority = scan.authority === -1 ? undefined : rawHeaders[scan.authority]!;
  const host = scan.hosts === 0 ? undefined : rawHeaders[scan.host]!;
  if (!isHost(authority ?? host ?? '')) return bad('Host is not the name of a host');
  const { method, url } = request;
  if (method !== 'CONNECT' && (url!.charCodeAt(0) !== SLASH ? url !== '*' || method !== 'OPTIONS' : url!.includes('#'))) return bad('not a request target');
  return host === undefined || authority === undefined || host.toLowerCase() === authority.toLowerCase() ? undefined : bad('Host and :authority name two hosts');
}

/** Fields that say how to read a message, to whom it goes or who sends it: too late in a trailer (RFC 9110 6.5.1). */
const NOT_IN_TRAILERS = new Set(['host', 'content-length', 'transfer-encoding', 'trailer', 'te', 'connection', 'content-encoding', 'content-type', 'content-range', 'authorization', 'cookie', 'expect', 'forwarded', 'x-real-ip']);

export function problemOfTrailers(rawTrailers: readonly string[]): Problem | undefined {
  for (let at = 0; at < rawTrailers.length; at += 2) {
    const name = rawTrailers[at]!.toLowerCase();
    if (NOT_IN_TRAILERS.has(name) || name.startsWith('x-forwarded-')) return bad('a trailer that must not be one');
  }
  return undefined;
}

/** The last good one: clients ask the same host again and again. */
let known = '';

/** uri-host [":" port], or empty (RFC 9112 3.2). */
export function isHost(text: string): boolean {
  if (text === known) return true;
  if (!HOST.test(text)) return false;
  known = text;
  return true;
}

const HOST = /^(?:[\w.~!$&'()*+;=%-]*|\[[\da-f:.]+\]|\[v[\da-f]+\.[\w.~!$&'()*+;=:-]+\])(?::\d{0,5})?$/i;
const SLASH = '/'.charCodeAt(0);
const FRAGMENT = bad('a request target with a fragment');
const UNSUPPORTED_VERSION: Problem = { status: 505, reason: 'a version of HTTP that is not served' };

function bad(reason: string): Problem {
  return { status: 400, reason };
}
