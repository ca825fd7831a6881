/**
 * The screen: looks at the head of every request before the app has it. Limits, strictness, whom to trust, where the app is mounted, the request's id.
 * In the worker; the hot path.
 *
 * One policy and not five, because all of it is in one pass over the header fields (header-scan.ts). What each rule means stands in its own file;
 * this one has their order.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type { ScreenConfig } from '../config/edge-config.js';
import { RateLimit } from '../log/rate-limit.js';
import { TOO_LARGE, watchBody } from './body-limit.js';
import { hasLarger, HeaderScan, isForwardingName, isNamed } from './header-scan.js';
import { isHttp2 } from './is-http2.js';
import { parseMount, stripMount } from './mount.js';
import { parseFailureOf, type ClientError } from './parse-failure.js';
import type { Policy, PolicyContext } from './policy.js';
import type { Refusals } from './refusal.js';
import { removeFields, setField } from './request-fields.js';
import { idOf } from './request-id.js';
import { installRequestInfo, kCarriesId, kForwarded, kMount } from './request-info.js';
import { limitHead, speaksHttp1, type LimitedServer } from './server-limits.js';
import { StreamRequest, type StreamResponse } from './stream-request.js';
import { problemOf, type Problem } from './strict.js';
import { Trust } from './trust.js';
import { headIsComplete, openingOf, watchLine } from './unfinished-line.js';

/** What a mounted request has beside its url, as Express users know it. */
type Mounted = IncomingMessage & { baseUrl?: string; originalUrl?: string; [kMount]?: string; [kForwarded]?: string | true | undefined; [kCarriesId]?: true };

/** `incoming`: the latest request whose head has come, until it has come whole and its answer is out. */
type ParsedSocket = Socket & { parser?: { incoming?: IncomingMessage | null } | null };

/** Of one peer, how long it is not told again. */
const WARN_EVERY_MS = 60 * 60 * 1000;
const WARNED_PEERS = 50;
/** GET, a blank, … */
const VERSION_BYTES = ' '.length + ' HTTP/1.1'.length;
const PSEUDO_FIELDS = 4;
/** Of a head, what stands around method, target and fields: two blanks, the version, CRLF and the empty line. */
const LINE_FRAME = VERSION_BYTES + '\r\n\r\n'.length;

export class Screen implements Policy {
  readonly #config: ScreenConfig;
  readonly #log: PolicyContext['log'];
  readonly #refusals: Refusals;
  readonly #scan: HeaderScan;
  readonly #trust: Trust;
  /** Header of the id, in lower case. */
  readonly #idHeader: string;
  /** Names with an underscore that trusted peers may send. */
  readonly #forwarderNames: ReadonlySet<string>;
  /** Names that tell the scheme, but for those that only proxies should send anyhow. In lower case. */
  readonly #ownSchemes: readonly string[];
  readonly #takesMounts: boolean;
  readonly #strangers: RateLimit<{ peer: string; removed: string }>;
  readonly #dropped: RateLimit<{ peer: string; removed: string }>;

  constructor(config: ScreenConfig, context: PolicyContext, refusals: Refusals) {
    this.#config = config;
    this.#log = context.log;
    this.#refusals = refusals;
    this.#idHeader = config.requestIdHeader.toLowerCase();
    this.#scan = new HeaderScan(Object.keys(config.secureSchemeHeaders), this.#idHeader);
    this.#trust = new Trust(config.forwardedAllowIps, config.secureSchemeHeaders);
    this.#forwarderNames = new Set(config.forwarderHeaders);
    this.#ownSchemes = Object.keys(config.secureSchemeHeaders).filter((name) => !isForwardingName(name));
    this.#takesMounts = this.#forwards(SCRIPT_NAME);
    const limit = { periodMs: WARN_EVERY_MS, keys: WARNED_PEERS };
    this.#strangers = new RateLimit({ ...limit, tell: (fields, count) => context.log('edge.untrusted-forwarder', { ...fields, count }) });
    this.#dropped = new RateLimit({ ...limit, tell: (fields, count) => context.log('edge.header-dropped', { ...fields, count }) });
    installRequestInfo(this.#infoSource);
  }

  get #infoSource(): Parameters<typeof installRequestInfo>[0] {
    return { trust: this.#trust, idOf: (request, trusted) => idOf(request, trusted, this.#idHeader) };
  }

  server(server: LimitedServer): void {
    if (speaksHttp1(server)) {
      const { lenient } = limitHead(server, this.#config);
      if (lenient) this.#log('edge.lenient-parser', {});
      server.on('setTicketKeys' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
        watchLine(socket);
        this.#trust.expect(socket);
      });
    }
    const ofHttp2 = /^Http2/.test(server.constructor.name);
    // Where nobody listens, node:http ends the connection without a word.
    if (!ofHttp2) server.on('connect', noTunnel);
    else for (const { prototype } of [StreamRequest, process.getBuiltinModule('node:http2').Http2ServerRequest]) installRequestInfo(this.#infoSource, prototype);
  }

  /** `body`: what the body is read from. */
  request(request: Mounted, response: ServerResponse, body: Readable = request): boolean {
    const problem = this.#judge(request);
    if (problem !== undefined) return this.#refusals.refuse(request, response, problem.status, problem.reason);
    const { bodyBytes, closes, requestId, strict } = this.#config;
    const { contentLength, transferEncoding } = this.#scan;
    const { rawHeaders } = request;
    const length = contentLength === -1 ? 0 : Number(rawHeaders[contentLength]);
    if (request.httpVersionMajor === 1) headIsComplete(request.socket, request.method!.length + request.url!.length + LINE_FRAME + this.#scan.bytes + length);
    if (bodyBytes > 0 && length > bodyBytes) return this.#refusals.refuse(request, response, 413, TOO_LARGE);
    const streams = transferEncoding !== -1 ? strict || bodyBytes > 0 : bodyBytes > 0 && contentLength === -1 && isHttp2(request);
    // From here on the scan does not hold: the fields may change.
    const change = this.#change(request);
    if (change !== undefined) return this.#refusals.refuse(request, response, change.status, change.reason);
    if (streams) watchBody(request, response, { limitBytes: bodyBytes, strict, refusals: this.#refusals }, body);
    if (closes && !isHttp2(request)) response.shouldKeepAlive = false;
    if (requestId !== 'lazy') this.#identify(request, response);
    return false;
  }

  stream(request: StreamRequest, response: StreamResponse): boolean {
    return this.request(request as unknown as Mounted, response as unknown as ServerResponse, request.stream);
  }

  upgrade(request: Mounted, socket: Duplex): boolean {
    const problem = this.#judge(request) ?? (isTunnel(request) ? NO_TUNNEL : this.#change(request));
    if (problem === undefined) {
      if (this.#config.requestId !== 'lazy') this.#identify(request, undefined);
      return false;
    }
    const line = `${request.method} ${request.originalUrl ?? request.url} HTTP/${request.httpVersion}`;
    this.#refusals.refuseSocket(socket as Socket, problem.status, problem.reason, line);
    return true;
  }

  clientError(error: ClientError, socket: Socket): boolean {
    const latest = (socket as ParsedSocket).parser?.incoming;
    // Behind one that has come whole, it is the head of the next.
    const underWay = latest?.complete === false ? latest : undefined;
    const failure = parseFailureOf(error, openingOf(socket), underWay === undefined);
    if (failure === undefined) return false;
    this.#refusals.refuseSocket(socket, failure.status, failure.reason, failure.requestLine, underWay);
    return true;
  }

  /** What is wrong with a request as it came. Scans it. */
  #judge(request: IncomingMessage): Problem | undefined {
    const { fields, lineBytes, fieldBytes, strict } = this.#config;
    const { rawHeaders } = request;
    if (fields > 0 && rawHeaders.length > 2 * (isHttp2(request) ? fields + PSEUDO_FIELDS : fields)) return TOO_MANY_FIELDS;
    if (lineBytes > 0 && request.url!.length + request.method!.length + VERSION_BYTES > lineBytes) return LINE_TOO_LONG;
    const scan = this.#scan;
    scan.run(rawHeaders);
    if (fieldBytes > 0 && scan.bytes > fieldBytes && hasLarger(rawHeaders, fieldBytes)) return FIELD_TOO_LARGE;
    return strict ? problemOf(request, scan) : undefined;
  }

  /** What the app is not to see, and what it is to see instead. */
  #change(request: Mounted): Problem | undefined {
    const scan = this.#scan;
    let { mount } = this.#config;
    if (scan.underscores > 0) {
      const problem = this.#mapUnderscores(request);
      if (problem !== undefined) return problem;
      if (this.#takesMounts) {
        const given = request.headers[SCRIPT_NAME];
        const parsed = given === undefined ? mount : parseMount(String(given));
        if (parsed === undefined) return BAD_MOUNT;
        mount = parsed;
      }
    }
    if (scan.requestIds > 0) request[kCarriesId] = true;
    // On every request, as on every socket (trust.ts): else there would be two kinds of requests.
    request[kForwarded] = undefined;
    if (scan.forwarding > 0) {
      const problem = this.#trust.trusts(request.socket) ? this.#believe(request) : this.#config.dropUntrusted && this.#dropForged(request);
      if (problem) return problem;
    }
    return mount === '' ? undefined : this.#mount(request, mount);
  }

  /** Takes out the names with an underscore that are not wanted; what stays of --forwarder-headers is a trusted peer's. */
  #mapUnderscores(request: Mounted): Problem | undefined {
    const trusted = this.#trust.trusts(request.socket);
    const { headerMap } = this.#config;
    const goes = (name: string): boolean => name.includes('_') && (this.#forwards(name.toLowerCase()) ? !trusted : headerMap !== 'dangerous');
    if (!request.rawHeaders.some((text, at) => at % 2 === 0 && goes(text))) return undefined;
    if (headerMap === 'refuse') return UNDERSCORE;
    const removed = removeFields(request, goes);
    this.#dropped.note(`${request.socket.remoteAddress}`, { peer: peerOf(request), removed: removed.join(', ') });
    return undefined;
  }

  #forwards(name: string): boolean {
    return this.#forwarderNames.has(name) || this.#forwarderNames.has('*');
  }

  /** A trusted peer tells of its client: not two things at once. */
  #believe(request: Mounted): Problem | undefined {
    const { schemes, rfc7239, forwardedFor, forwardedFors } = this.#scan;
    // One list of clients, and nothing that could contradict it, need not be read before somebody asks.
    const isPlain = schemes < 2 && rfc7239 === 0;
    request[kForwarded] = isPlain && forwardedFors < 2 ? (forwardedFors === 0 ? '' : request.rawHeaders[forwardedFor]!) : true;
    // Of HTTP/2 the socket is gone when the access log asks.
    if (request.httpVersionMajor === 2) void request.drover;
    if (isPlain) return undefined;
    const told = this.#trust.told(request);
    return typeof told === 'string' ? { status: 400, reason: told } : undefined;
  }

  #dropForged(request: Mounted): undefined {
    const removed = removeFields(request, (name) => isForwardingName(name) || this.#ownSchemes.some((own) => isNamed(name, own)));
    this.#strangers.note(`${request.socket.remoteAddress}`, { peer: peerOf(request), removed: removed.join(', ') });
  }

  #mount(request: Mounted, mount: string): Problem | undefined {
    const { url } = request;
    const below = stripMount(url!, mount);
    if (below === undefined) return OUTSIDE;
    request.originalUrl = url!;
    request.baseUrl = mount;
    request[kMount] = mount;
    request.url = below;
    return undefined;
  }

  #identify(request: Mounted, response: ServerResponse | undefined): void {
    const { requestIdHeader, requestId } = this.#config;
    const id = request.drover.requestId;
    if (request.headers[this.#idHeader] !== id) setField(request, requestIdHeader, id);
    if (requestId === 'echo') response?.setHeader(requestIdHeader, id);
  }
}

function noTunnel(): void {}

/** A CONNECT that the app does not listen for. */
function isTunnel({ method, socket }: IncomingMessage): boolean {
  return method === 'CONNECT' && (socket as Socket & { server?: Server }).server?.listenerCount('connect') === 1;
}

const SCRIPT_NAME = 'script_name';
const NO_TUNNEL: Problem = { status: 405, reason: 'CONNECT is not served' };
const TOO_MANY_FIELDS: Problem = { status: 431, reason: 'too many header fields' };
const LINE_TOO_LONG: Problem = { status: 414, reason: 'the request line is too long' };
const FIELD_TOO_LARGE: Problem = { status: 431, reason: 'a header field is too large' };
const UNDERSCORE: Problem = { status: 400, reason: 'a header name with an underscore' };
const BAD_MOUNT: Problem = { status: 400, reason: 'the header SCRIPT_NAME is not a path' };
const OUTSIDE: Problem = { status: 404, reason: 'nothing is served at this path' };

function peerOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? 'a unix socket';
}
