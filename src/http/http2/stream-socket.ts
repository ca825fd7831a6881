/**
 * What a request and its response have for a socket when they are a stream of HTTP/2: it ends with the exchange, while the connection goes on. In the
 * worker.
 *
 * Tells of the connection what a socket tells (addresses, encrypted, the client's certificate); what is written to it is the response's body;
 * to destroy it is to reset the stream.
 */
import type { Server } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR } = constants;

export class StreamSocket extends Duplex {
  readonly server: Server;
  readonly connecting = false;
  readonly pending = false;
  timeout: number | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #connection: TLSSocket;

  constructor(stream: ServerHttp2Stream, connection: Socket, server: Server) {
    super({ allowHalfOpen: true, emitClose: true, autoDestroy: false, decodeStrings: false });
    this.#stream = stream;
    this.server = server;
    this.#connection = connection as TLSSocket;
  }

  override _read(): void {}

  /** At once to the stream: the last of the body and its end make one frame. */
  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error) => void): void {
    const stream = this.#stream;
    if (chunk.length === 0 || stream.destroyed || stream.writableEnded) return done();
    if (stream.write(chunk, encoding)) return done();
    const go = (): void => {
      stream.off('drain', go).off('close', go);
      done();
    };
    stream.on('drain', go).on('close', go);
  }

  /** End the stream after what has been written. */
  endStream(): void {
    // In the very tick of the last write, so that its frame is the last.
    if (this.writableLength === 0 && !this.#stream.destroyed) this.#stream.end();
    this.end();
  }

  override _final(done: () => void): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const stream = this.#stream;
    if (!stream.closed && !stream.destroyed) stream.close(error === null ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
    // Whoever destroys it has said so to the app already: an `error` that nobody listens to would end the process.
    done(null);
  }

  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.end(() => this.destroy());
  }

  setTimeout(ms: number, callback?: () => void): this {
    if (callback !== undefined) this.once('timeout', callback);
    this.timeout = ms;
    // Setting another replaces its listener.
    this.#stream.setTimeout(ms);
    this.#stream.off('timeout', this.#onTimeout).on('timeout', this.#onTimeout);
    return this;
  }

  readonly #onTimeout = (): void => void this.emit('timeout');

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  address(): ReturnType<Socket['address']> {
    return this.#connection.address();
  }

  get remoteAddress(): string | undefined {
    return this.#connection.remoteAddress;
  }
  get remotePort(): number | undefined {
    return this.#connection.remotePort;
  }
  get remoteFamily(): string | undefined {
    return this.#connection.remoteFamily;
  }
  get localAddress(): string | undefined {
    return this.#connection.localAddress;
  }
  get localPort(): number | undefined {
    return this.#connection.localPort;
  }
  get localFamily(): string | undefined {
    return this.#connection.localFamily;
  }
  get bytesRead(): number {
    return this.#connection.bytesRead;
  }
  get bytesWritten(): number {
    return this.#connection.bytesWritten;
  }
  get readyState(): string {
    return this.destroyed ? 'closed' : 'open';
  }

  // Of TLS; undefined, or not there to call, without it.

  get encrypted(): boolean | undefined {
    return this.#connection.encrypted;
  }
  get authorized(): boolean {
    return this.#connection.authorized;
  }
  get authorizationError(): Error | undefined {
    return this.#connection.authorizationError;
  }
  get alpnProtocol(): string | false | null {
    return this.#connection.alpnProtocol;
  }
  get servername(): unknown {
    return (this.#connection as unknown as { servername: unknown }).servername;
  }
  get getPeerCertificate(): unknown {
    return this.#bound('getPeerCertificate');
  }
  get getPeerX509Certificate(): unknown {
    return this.#bound('getPeerX509Certificate');
  }
  get getCipher(): unknown {
    return this.#bound('getCipher');
  }
  get getProtocol(): unknown {
    return this.#bound('getProtocol');
  }
  get getSession(): unknown {
    return this.#bound('getSession');
  }
  get isSessionReused(): unknown {
    return this.#bound('isSessionReused');
  }

  #bound(name: 'getPeerCertificate' | 'getPeerX509Certificate' | 'getCipher' | 'getProtocol' | 'getSession' | 'isSessionReused'): unknown {
    const method = this.#connection[name] as unknown;
    return typeof method === 'function' ? (method as (...args: unknown[]) => unknown).bind(this.#connection) : undefined;
  }
}
