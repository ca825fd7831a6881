/**
 * HTTP/1 or HTTP/2, told by the first bytes of a connection without TLS: a client that knows of HTTP/2 begins with the preface (RFC 9113 3.4),
 * whose method no HTTP/1 client uses. In the worker.
 *
 * What has been read is put back. A client that says nothing, or half a preface, has the time that a request's header has.
 */
import type { Socket } from 'node:net';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Whether these bytes begin a connection of HTTP/2; undefined when there are too few to know. */
export function beginsHttp2(bytes: Buffer): boolean | undefined {
  const length = Math.min(bytes.length, PREFACE.length);
  if (bytes.compare(PREFACE, 0, length, 0, length) !== 0) return false;
  return length === PREFACE.length ? true : undefined;
}

export class FirstBytes {
  readonly #socket: Socket;
  readonly #decide: (isHttp2: boolean) => void;
  readonly #timer: NodeJS.Timeout | undefined;
  #bytes: Buffer | undefined;

  /** `timeoutMs` 0: no limit. `decide` is called once, or never when the client goes away before. */
  constructor(socket: Socket, timeoutMs: number, decide: (isHttp2: boolean) => void) {
    this.#socket = socket;
    this.#decide = decide;
    if (timeoutMs > 0) this.#timer = setTimeout(() => socket.destroy(), timeoutMs).unref();
    socket.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes = this.#bytes === undefined ? chunk : Buffer.concat([this.#bytes, chunk]);
    const isHttp2 = beginsHttp2(this.#bytes);
    if (isHttp2 === undefined) return;
    this.#leave();
    const socket = this.#socket;
    socket.pause();
    socket.unshift(this.#bytes);
    this.#decide(isHttp2);
    // An HTTP/2 session reads the buffer and the handle by itself.
    if (!isHttp2) socket.resume();
  };

  readonly #onEnd = (): void => void this.#socket.destroy();
  readonly #onError = (): void => {};
  readonly #onClose = (): void => this.#leave();

  #leave(): void {
    clearTimeout(this.#timer);
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose);
  }
}
