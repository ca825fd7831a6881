/**
 * The body of an HTTP/1 response, a range of a file, handed to the kernel on the connection's own socket: sendfile(2), past node's streams. In the worker.
 *
 * Only where the socket is plain (no TLS, no HTTP/2), nothing of node's waits on it, and it is this response's turn. What the socket does not take
 * at once a native transfer sends on; it costs no memory however slow the client reads. While it runs, the socket is corked and the response
 * refuses writes: no byte of anybody else's can get in between. Knows node's internals by name, the same on Node 20 to 26: `_header`, `_headerSent`,
 * `_httpMessage` and `_handle`; where one is not as expected the response is left to node's own way.
 */
import { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { native, type NativeFileTransfer } from '../../native.js';

/** Bytes of an open file. */
export interface FileRange {
  fd: number;
  offset: number;
  length: number;
  /** It is no file of a disk, which the kernel might have to wait for. */
  inMemory?: boolean;
}

/**
 * `sent`: the kernel has all of it. `gone`: the connection is. `truncated`: the file has become shorter than it was promised; the connection was closed, as the
 * promised length cannot be kept. `unable`: this file cannot be sent so, or not now, when descriptors or memory are short; `left` is what has to be read and written.
 */
export type Outcome = { how: 'sent' | 'gone' | 'truncated' } | { how: 'unable'; left: FileRange };

interface Handle {
  fd: number;
  writeQueueSize: number;
  constructor: { name: string };
}

export interface HttpSocket extends Socket {
  _handle: Handle | null;
  _httpMessage?: unknown;
  _unrefTimer(): void;
  encrypted?: boolean;
  [kWritten]?: number;
}

/** What of a ServerResponse is not in its types. */
export interface HttpResponse extends Omit<ServerResponse, 'socket'> {
  socket: HttpSocket | null;
  _header: string | null;
  _headerSent: boolean;
  _contentLength: number | null;
  _hasBody: boolean;
  _keepAliveTimeout?: number;
  _maxRequestsPerSocket?: number;
  maxRequestsOnConnectionReached?: boolean;
  _expect_continue?: boolean;
  [kBody]?: number | undefined;
  [kTransfer]?: Transfer | undefined;
}

const kBody = Symbol('drover.bodyBytes');
const kWritten = Symbol('drover.bytesWritten');
const kTransfer = Symbol('drover.transfer');

const originalWrite = ServerResponse.prototype.write;
const originalEnd = ServerResponse.prototype.end;

const EAGAIN = -11;
const EBUSY = -16;
const ENODATA = -61;
/**
 * Reading and writing may go on where these are answered: EINVAL, a file that sendfile(2) does not take; ENOSYS and EPERM, a filter of system calls; ENFILE, EMFILE, ENOMEM and ENOSPC (watches of epoll), nothing
 * left for a transfer to wait with.
 */
const UNABLE: ReadonlySet<number> = new Set([-22, -38, -1, -23, -24, -12, -28]);

/** Whether sendfile(2) is to be used at all: --sendfile. */
let enabled = true;

export function setSendfile(on: boolean): void {
  enabled = on;
}

/** Body bytes of this response that went to the kernel past node's streams; undefined when it was written as usual. */
export function bytesSentOf(response: object): number | undefined {
  return (response as HttpResponse)[kBody];
}

/** Writers of ours that stand in for node's and hand on to them: they do not make a response foreign. */
const ownWriters = new WeakSet<object>();

export function declareWriter(method: object): void {
  ownWriters.add(method);
}

/**
 * Whether this response may go past node's streams: a plain HTTP/1 response over TCP or a unix socket, which nobody has wrapped (compression), and of which no
 * byte has been written. Its turn may be yet to come.
 */
export function isPlain(response: object): response is HttpResponse {
  if (!enabled || !(response instanceof ServerResponse)) return false;
  const { write, end } = response;
  if ((write !== originalWrite && !ownWriters.has(write)) || (end !== originalEnd && !ownWriters.has(end))) return false;
  const plain = response as unknown as HttpResponse;
  if (plain._headerSent || plain.finished || plain.destroyed || plain.writableLength > 0) return false;
  const socket = (plain.socket ?? plain.req.socket) as HttpSocket;
  return isPlainSocket(socket);
}

function isPlainSocket(socket: HttpSocket): boolean {
  const handle = socket._handle;
  if (handle === null || handle === undefined || socket.encrypted === true || Object.getPrototypeOf(socket) !== Socket.prototype) return false;
  return handle.fd >= 0 && typeof handle.writeQueueSize === 'number' && (handle.constructor.name === 'TCP' || handle.constructor.name === 'Pipe');
}

/** Whether its headers, which must have been made, frame a body of exactly so many bytes. */
export function promises(response: HttpResponse, length: number): boolean {
  return response._header !== null && response._contentLength === length && response._hasBody && !response.chunkedEncoding;
}

/** Bytes that went to the kernel past node's streams. */
export function bytesPastNode(socket: Socket): number {
  return (socket as HttpSocket)[kWritten] ?? 0;
}

/** The response's headers as they go over the wire, to be sent by us: from here on node takes them for sent. */
export function takeHead(response: HttpResponse): Buffer | undefined {
  if (response._headerSent) return undefined;
  const head = Buffer.from(response._header!, 'latin1');
  response._headerSent = true;
  return head;
}

/**
 * Send the head and the file's bytes. It must be the response's turn, and the response framed for `file.length` bytes. `done` is called once, perhaps at once; the
 * response is then still to be ended, and the descriptor the caller's to close.
 */
export function sendOnSocket(response: HttpResponse, head: Buffer | undefined, file: FileRange, done: (outcome: Outcome) => void): void {
  const socket = response.socket!;
  const headBytes = head?.length ?? 0;
  const taken = native.sendFile(socket._handle!.fd, head, file.fd, file.offset, file.length, file.inMemory === true);
  if (taken === headBytes + file.length) {
    account(response, socket, taken, file.length);
    return done(SENT);
  }
  if (taken < 0 && taken !== EAGAIN && taken !== EBUSY) return done(failed(taken, socket, head && Buffer.from(head), file));
  const sent = Math.max(taken, 0);
  const body = Math.max(sent - headBytes, 0);
  account(response, socket, sent, body);
  new Transfer(response, socket, sent < headBytes ? Buffer.from(head!.subarray(sent)) : undefined, { fd: file.fd, offset: file.offset + body, length: file.length - body }, done);
}

/**
 * Send bytes that are a whole response, or its head and `file` after it, past node's making of headers; then end the response. It must be the response's turn. `head` is the head as text;
 * `wire` may be used again as soon as this returns. `bodyBytes`: how many of all these are body.
 */
export function sendReady(response: HttpResponse, head: string, wire: Buffer, bodyBytes: number, file: FileRange | undefined, done: (outcome: Outcome) => void): void {
  const socket = response.socket!;
  // That it is there says to node that the headers are made; the access log looks in it for what was sent.
  response._header = head;
  response._headerSent = true;
  if (file !== undefined) {
    return sendOnSocket(response, wire, file, (outcome) => {
      if (outcome.how === 'sent') endUnseen(response);
      done(outcome);
    });
  }
  const taken = native.sendFile(socket._handle!.fd, wire, -1, 0, 0, true);
  if (taken === wire.length) {
    account(response, socket, taken, bodyBytes);
    endUnseen(response);
    return done(SENT);
  }
  // Small enough to wait in node's hands; an error shows there, too.
  const left = Buffer.from(wire.subarray(Math.max(taken, 0)));
  account(response, socket, wire.length - left.length, bodyBytes);
  socket.write(left, (error) => {
    if (error === null || error === undefined) endUnseen(response);
  });
  done(SENT);
}

const SENT: Outcome = { how: 'sent' };

/** Node's own end of a response whose body it has not seen. */
export function endUnseen(response: HttpResponse): void {
  if (response.strictContentLength) response.strictContentLength = false;
  Reflect.apply(originalEnd, response, []);
}

/** `head`: what of it is not sent, which then goes node's way, before what the caller writes. A filter may refuse send(2) and let write(2) pass. */
function failed(errno: number, socket: HttpSocket, head: Buffer | undefined, left: FileRange): Outcome {
  if (UNABLE.has(errno)) {
    if (head !== undefined && head.length > 0) socket.write(head);
    return { how: 'unable', left };
  }
  socket.destroy();
  return { how: errno === ENODATA ? 'truncated' : 'gone' };
}

/** Node sees only the rest of it; who counts believes its length. */
function leaveRest(response: HttpResponse, length: number): void {
  response._contentLength = (response[kBody] ?? 0) + length;
  response[kBody] = undefined;
  if (response.strictContentLength) response.strictContentLength = false;
}

export function account(response: HttpResponse, socket: HttpSocket, bytes: number, body: number): void {
  response[kBody] = (response[kBody] ?? 0) + body;
  if (socket[kWritten] === undefined) {
    socket[kWritten] = bytes;
    // What we send counts there, too. Node's own property is not configurable, but it can be hidden.
    Object.defineProperty(socket, 'bytesWritten', BYTES_WRITTEN);
  } else {
    socket[kWritten] += bytes;
  }
}

/** Of Socket, or of what it extends where something preloaded has put a class of its own in its place. */
function getterOf(prototype: object, name: string): () => unknown {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get ?? getterOf(Object.getPrototypeOf(prototype) as object, name);
}

const nodesBytesWritten = getterOf(Socket.prototype, 'bytesWritten');
const BYTES_WRITTEN = {
  configurable: true,
  get(this: HttpSocket): number | undefined {
    const bytes = nodesBytesWritten.call(this) as number | undefined;
    return bytes === undefined ? bytes : bytes + this[kWritten]!;
  },
};

/** A body that the socket has not taken at once. */
class Transfer {
  readonly #response: HttpResponse;
  readonly #socket: HttpSocket;
  readonly #head: Buffer | undefined;
  readonly #file: FileRange;
  readonly #done: (outcome: Outcome) => void;
  readonly #native: NativeFileTransfer;
  readonly #onClose = (): void => this.#end({ how: 'gone' });
  #counted = 0;

  constructor(response: HttpResponse, socket: HttpSocket, head: Buffer | undefined, file: FileRange, done: (outcome: Outcome) => void) {
    this.#response = response;
    this.#socket = socket;
    this.#head = head;
    this.#file = file;
    this.#done = done;
    this.#native = new native.FileTransfer(
      (sent) => {
        this.#count(sent);
        // The socket's timeout is for a transfer that stands still.
        socket._unrefTimer();
      },
      (errno, sent) => {
        this.#count(sent);
        this.#end(errno === 0 ? { how: 'sent' } : errno);
      },
    );
    socket.cork();
    socket.once('close', this.#onClose);
    response[kTransfer] = this;
    const errno = this.#native.start(socket._handle!.fd, head, file.fd, file.offset, file.length);
    if (errno < 0) {
      this.#end(errno);
      return;
    }
    response.write = refuseWrite as typeof response.write;
    response.end = refuseEnd as typeof response.end;
  }

  /** Somebody writes into the response while it is not at its end: what goes out would be wrong, so nothing more does. */
  refuse(): void {
    this.#socket.destroy();
  }

  #count(sent: number): void {
    account(this.#response, this.#socket, sent - this.#counted, this.#body(sent) - this.#body(this.#counted));
    this.#counted = sent;
  }

  /** How much of so many bytes is not the head's. */
  #body(sent: number): number {
    return Math.max(sent - (this.#head?.length ?? 0), 0);
  }

  #end(result: Outcome | number): void {
    const [response, socket] = [this.#response, this.#socket];
    if (response[kTransfer] !== this) return;
    response[kTransfer] = undefined;
    this.#native.cancel();
    socket.off('close', this.#onClose);
    const body = this.#body(this.#counted);
    const left = { fd: this.#file.fd, offset: this.#file.offset + body, length: this.#file.length - body };
    const outcome = typeof result === 'number' ? failed(result, socket, this.#head?.subarray(this.#counted), left) : result;
    if (outcome.how === 'unable') leaveRest(response, outcome.left.length);
    if (!socket.destroyed) socket.uncork();
    this.#done(outcome);
  }
}

function refuseWrite(this: HttpResponse, ...args: unknown[]): boolean {
  if (this[kTransfer] === undefined) return Reflect.apply(originalWrite, this, args) as boolean;
  this[kTransfer].refuse();
  return false;
}

function refuseEnd(this: HttpResponse, ...args: unknown[]): unknown {
  if (this[kTransfer] === undefined) return Reflect.apply(originalEnd, this, args);
  this[kTransfer].refuse();
  return this;
}

declareWriter(refuseWrite);
declareWriter(refuseEnd);
