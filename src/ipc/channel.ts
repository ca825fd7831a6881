/**
 * Typed messages over a native channel: JSON texts with descriptors attached. In the master (one per worker) and in the worker (one).
 *
 * The two ends don't trust each other alike. A worker runs the user's code, so whatever it sends may be nonsense: a text that is
 * no JSON, no object, or of a type the receiver doesn't know is given to `onNonsense`, its descriptors are closed, and the owner decides
 * (the master kills that worker). It never throws into the receiver.
 */
import { closeSync } from 'node:fs';
import { native, type NativeChannel } from '../native.js';

export interface ChannelHandlers<In> {
  /** One message; the receiver owns `fds`. */
  onMessage(message: In, fds: number[]): void;
  /** The peer is gone (0) or the socket broke (-errno). Once, and nothing comes after it. */
  onClose(errno: number): void;
  /** A text that is not a message: `why` is for the log. */
  onNonsense(why: string): void;
}

/** What receiveSync() answers: a message, or why there is none. */
export type Received<In> = { message: In; fds: number[] } | 'timeout' | 'closed';

export class Channel<In extends { type: string }, Out extends { type: string }> {
  readonly #native: NativeChannel;
  readonly #types: ReadonlySet<string>;
  #open = true;

  /** Owns `fd`. `types` are the message types this end understands. */
  constructor(fd: number, types: readonly In['type'][]) {
    this.#native = new native.Channel(fd);
    this.#types = new Set(types);
  }

  get open(): boolean {
    return this.#open;
  }

  start(handlers: ChannelHandlers<In>): void {
    this.#native.start(
      (text, fds) => {
        const message = parse<In>(text, this.#types);
        if (typeof message !== 'string') return handlers.onMessage(message, fds);
        closeAll(fds);
        handlers.onNonsense(message);
      },
      (errno) => {
        this.#open = false;
        handlers.onClose(errno);
      },
    );
  }

  /** 0, or -errno: -EPIPE when the peer is gone. The sender keeps its own `fds`. */
  send(message: Out, fds?: number[]): number {
    if (!this.#open) return EPIPE;
    const text = JSON.stringify(message);
    return fds === undefined || fds.length === 0 ? this.#native.send(text) : this.#native.send(text, fds);
  }

  /** The last words of a dying process: blocks up to `timeoutMs` for room. */
  sendSync(message: Out, timeoutMs: number): number {
    return this.#open ? this.#native.sendSync(JSON.stringify(message), timeoutMs) : EPIPE;
  }

  /** Block until the next message. Nonsense throws: only a worker waits so, and its master sends none. */
  receiveSync(timeoutMs: number): Received<In> {
    if (!this.#open) return 'closed';
    const received = this.#native.receiveSync(timeoutMs);
    if (received === 0) return 'timeout';
    if (typeof received === 'number') return 'closed';
    const message = parse<In>(received.text, this.#types);
    if (typeof message !== 'string') return { message, fds: received.fds };
    closeAll(received.fds);
    throw new Error(`the master sent ${message}`);
  }

  ref(): void {
    this.#native.ref();
  }

  unref(): void {
    this.#native.unref();
  }

  close(): void {
    this.#open = false;
    this.#native.close();
  }
}

const EPIPE = -32;

/** The message, or in words what the text is instead. */
function parse<In extends { type: string }>(text: string, types: ReadonlySet<string>): In | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `a text that is no JSON (${text.length} characters)`;
  }
  if (typeof value !== 'object' || value === null) return 'a JSON value that is no object';
  const type: unknown = (value as { type?: unknown }).type;
  if (typeof type !== 'string' || !types.has(type)) return `a message of unknown type ${JSON.stringify(type)?.slice(0, 60) ?? 'undefined'}`;
  return value as In;
}

function closeAll(fds: number[]): void {
  for (const fd of fds) closeSync(fd);
}
