/**
 * X-Sendfile and X-Accel-Redirect: the app names a file below --sendfile-root in a response header, and drover sends it in place of the body. In the worker.
 *
 * The header never reaches the client, whether it was set with setHeader or given to writeHead, and whatever the app writes as a body is dropped. Headers that the app has set
 * stay: Content-Type, Cache-Control, Content-Disposition, cookies. The path is below the root or answered with 403: neither `..` nor a symbolic link leads on. Where it cannot be
 * looked at for want of a descriptor the answer is 503.
 *
 * It stands in for four methods of each response, by one shared function each.
 */
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { MACHINE_OUT_OF_FILES, OPEN_FILES_LIMIT } from '../../errors.js';
import { RateLimit } from '../../log/rate-limit.js';
import { native } from '../../native.js';
import type { Policy, PolicyContext } from '../policy.js';
import { mediaTypeOf } from './media-type.js';
import { declareWriter } from './on-socket.js';
import { respondWithFile } from './respond.js';
import { ENFILE, isOutOfDescriptors, Root } from './root.js';
import { isBehind, whenSocket } from './turn.js';

const X_SENDFILE = 'x-sendfile';
const X_ACCEL_REDIRECT = 'x-accel-redirect';

const OF_THE_BODY = ['Content-Length', 'Transfer-Encoding', 'ETag'];

const ENOENT = -2;
const EACCES = -13;
const ENOTDIR = -20;
const ENAMETOOLONG = -36;

interface Refused {
  path: string;
  url: string | undefined;
  root: string;
}

interface Methods {
  writeHead: ServerResponse['writeHead'];
  write: ServerResponse['write'];
  end: ServerResponse['end'];
  flushHeaders: ServerResponse['flushHeaders'];
}

/** A response whose app may still name a file; `named` once it has, and what it writes is dropped from then on. */
interface Watched extends ServerResponse {
  [kState]?: State | undefined;
}

interface State extends Methods {
  request: IncomingMessage;
  owner: XSendfile;
  named: string | undefined;
  /** The app has ended it, and it waits for its turn: a client may pipeline many, and no file is open for those. */
  ended: boolean;
}

const kState = Symbol('drover.xSendfile');

export class XSendfile implements Policy {
  readonly #root: Root;
  readonly #refusals: RateLimit<Refused>;
  readonly #failures: RateLimit<Refused & { errno: number }>;
  readonly #giveBack: () => boolean;

  /** `giveBack`: closes files that are kept open only to be quicker. Throws if the directory is not there. */
  constructor(directory: string, log: PolicyContext['log'], giveBack: () => boolean = () => false) {
    this.#root = new Root(directory, false);
    this.#refusals = new RateLimit({ tell: (fields, count) => log('http.sendfile-refused', { ...fields, count }) });
    this.#failures = new RateLimit({ tell: ({ errno, ...fields }, count) => log('http.sendfile-failed', { ...fields, count, ...explain(errno) }) });
    this.#giveBack = giveBack;
  }

  request(request: IncomingMessage, response: Watched): boolean {
    const { writeHead, write, end, flushHeaders } = response;
    response[kState] = { writeHead, write, end, flushHeaders, request, owner: this, named: undefined, ended: false };
    response.writeHead = watchedWriteHead as ServerResponse['writeHead'];
    response.write = watchedWrite as ServerResponse['write'];
    response.end = watchedEnd as ServerResponse['end'];
    response.flushHeaders = watchedFlushHeaders;
    return false;
  }

  /** The app has ended the response, with this status: node's own methods are back. */
  send(request: IncomingMessage, response: ServerResponse, named: string, status: number): void {
    // Those of the body that the app has written, if any: express makes them, and an ETag, of an empty one.
    for (const name of OF_THE_BODY) if (response.hasHeader(name)) response.removeHeader(name);
    let file = this.#root.open(named);
    if (isOutOfDescriptors(file) && this.#giveBack()) file = this.#root.open(named);
    if (typeof file !== 'number' && file.isFile) {
      try {
        respondWithFile(request, response, file, { contentType: mediaTypeOf(named), status }, () => file.drop());
      } catch (error) {
        file.drop();
        throw error;
      }
      return;
    }
    if (typeof file !== 'number') file.drop();
    const errno = typeof file === 'number' ? file : EACCES;
    if (isOutOfDescriptors(errno)) {
      this.#failures.note('', { ...this.#fields(request, named), errno });
      return refuse(response, 503);
    }
    const missing = errno === ENOENT || errno === ENOTDIR || errno === ENAMETOOLONG;
    if (!missing) this.refused(request, named);
    refuse(response, missing ? 404 : 403);
  }

  refused(request: IncomingMessage, path: string): void {
    this.#refusals.note('', this.#fields(request, path));
  }

  #fields(request: IncomingMessage, path: string): Refused {
    return { path, url: request.url, root: this.#root.directory };
  }

  /** The path below the root that a header names; undefined: none of ours. */
  resolve(header: string, value: string): string | undefined {
    let path = value;
    if (header === X_ACCEL_REDIRECT) {
      // A URI, as nginx takes it: its query says nothing to a file.
      try {
        path = decodeURIComponent(value.split('?', 1)[0]!);
      } catch {
        return undefined;
      }
      path = path.replace(/^\/+/, '');
    } else if (path.startsWith('/')) {
      const { directory } = this.#root;
      const base = directory === '/' ? '/' : `${directory}/`;
      if (!path.startsWith(base)) return undefined;
      path = path.slice(base.length);
    }
    return path === '' || path.includes('\0') ? undefined : path;
  }
}

function explain(errno: number): { error: string; why: string; remedy: string } {
  if (errno === ENFILE) return { error: 'ENFILE', why: MACHINE_OUT_OF_FILES.what, remedy: MACHINE_OUT_OF_FILES.remedy };
  return { error: 'EMFILE', why: `the ${native.descriptorLimit()} open files that this process may have are all in use`, remedy: `raise the limit (${OPEN_FILES_LIMIT})` };
}

function refuse(response: ServerResponse, status: 403 | 404 | 503): void {
  for (const name of response.getHeaderNames()) if (name.startsWith('content-') || ['etag', 'last-modified', 'cache-control', 'accept-ranges'].includes(name)) response.removeHeader(name);
  response.statusMessage = '';
  const text = `${STATUS_CODES[status]}\n`;
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length, 'Cache-Control': 'no-store' });
  response.end(text);
}

/** Looks for the header. From then on the response is ours, and nothing of it has gone out. */
function isNamed(response: Watched, state: State): boolean {
  if (state.named !== undefined) return true;
  if (response.headersSent) return false;
  for (const header of [X_SENDFILE, X_ACCEL_REDIRECT]) {
    const value = response.getHeader(header);
    if (value === undefined) continue;
    state.named = `${header} ${String(value)}`;
  }
  if (state.named === undefined) return false;
  response.removeHeader(X_SENDFILE);
  response.removeHeader(X_ACCEL_REDIRECT);
  return true;
}

function watchedWriteHead(this: Watched, status: number, ...rest: unknown[]): unknown {
  const state = this[kState]!;
  if (state.ended) return this;
  const given = rest.findLast((value) => typeof value === 'object' && value !== null);
  const names = given === undefined ? [] : namesOf(given);
  if (state.named === undefined && !names.some((name) => name === X_SENDFILE || name === X_ACCEL_REDIRECT) && !this.hasHeader(X_SENDFILE) && !this.hasHeader(X_ACCEL_REDIRECT)) {
    return Reflect.apply(state.writeHead, this, [status, ...rest]);
  }
  // As setHeader would have had it, so that it can be taken out again.
  this.statusCode = status;
  if (typeof rest[0] === 'string') this.statusMessage = rest[0];
  for (const [name, value] of pairsOf(given)) this.setHeader(name, value);
  isNamed(this, state);
  return this;
}

function watchedWrite(this: Watched, ...args: unknown[]): unknown {
  const state = this[kState]!;
  if (!isNamed(this, state)) return Reflect.apply(state.write, this, args);
  const callback = args.findLast((value) => typeof value === 'function') as (() => void) | undefined;
  if (callback !== undefined) process.nextTick(callback);
  return true;
}

function watchedFlushHeaders(this: Watched): void {
  const state = this[kState]!;
  if (!isNamed(this, state)) state.flushHeaders.call(this);
}

function watchedEnd(this: Watched, ...args: unknown[]): unknown {
  const state = this[kState]!;
  if (!isNamed(this, state)) return Reflect.apply(state.end, this, args);
  if (state.ended) return this;
  state.ended = true;
  const callback = args.findLast((value) => typeof value === 'function') as (() => void) | undefined;
  if (callback !== undefined) this.once('finish', callback);
  const { statusCode } = this;
  if (isBehind(this)) whenSocket(this, () => sendLate(this, state, statusCode), () => {});
  else sendNamed(this, state, statusCode);
  return this;
}

/** The app is no longer there to be told that its status or its reason cannot be sent. */
function sendLate(response: Watched, state: State, status: number): void {
  try {
    sendNamed(response, state, status);
  } catch (error) {
    process.emitWarning(error as Error);
    response.destroy();
  }
}

function sendNamed(response: Watched, state: State, status: number): void {
  const { owner, request, writeHead, write, end, flushHeaders } = state;
  // What ends it now is the file.
  Object.assign(response, { writeHead, write, end, flushHeaders });
  const [header, value] = [state.named!.slice(0, state.named!.indexOf(' ')), state.named!.slice(state.named!.indexOf(' ') + 1)];
  const path = owner.resolve(header, value);
  if (path === undefined) {
    owner.refused(request, value);
    refuse(response, 403);
  } else {
    owner.send(request, response, path, status);
  }
}

declareWriter(watchedWrite);
declareWriter(watchedEnd);

function pairsOf(given: unknown): [string, string | string[]][] {
  if (Array.isArray(given)) {
    if (Array.isArray(given[0])) return given as [string, string][];
    return given.flatMap((name, i) => (i % 2 === 0 ? [[name as string, given[i + 1] as string]] : [])) as [string, string][];
  }
  return Object.entries((given ?? {}) as Record<string, string>).filter(([, value]) => value !== undefined);
}

function namesOf(given: unknown): string[] {
  return pairsOf(given).map(([name]) => name.toLowerCase());
}
