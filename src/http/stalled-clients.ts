/**
 * Disconnects clients that take nothing of what is to be sent to them: --write-timeout. In the worker.
 *
 * Node has no timeout for that: a client that never reads keeps its connection, and the response's memory or its open file, for ever. Looks at the accepted
 * sockets a few times per timeout: what Node has still and what the kernel has (SIOCOUTQ), whoever wrote it, http, TLS, HTTP/2 or sendfile(2). Costs nothing per
 * connection or request: whoever counts the connections knows them all.
 *
 * What a client takes is seen when its kernel says so: of TCP as it opens its window, by a sixteenth of its receive buffer and more, of a unix socket by whole buffers.
 */
import type { Socket } from 'node:net';
import { native } from '../native.js';
import { RateLimit } from '../log/rate-limit.js';
import { acceptedOf } from './connection.js';
import { bytesPastNode } from './files/on-socket.js';
import type { OpenStreams, Policy, PolicyContext } from './policy.js';

/** What of a handle is not in node's types. */
type Handled = Socket & { _handle?: { fd?: number; writeQueueSize?: number; bytesWritten?: number } | null };

interface Waiting {
  /** Bytes that the client has taken, from some beginning. */
  taken: number;
  /** Since when it has taken none of what waits. */
  since: number;
}

export class StalledClients implements Policy {
  readonly #timeoutMs: number;
  readonly #limit: RateLimit<{ peer: string; timeoutMs: number; ended: 'connection' | 'stream' }>;
  readonly #openSockets: () => readonly Socket[];
  /** By accepted socket: those that had something to send when we looked last. */
  #waiting = new Map<Socket, Waiting>();
  /** By accepted socket: of connections that speak HTTP/2. */
  readonly #streams = new WeakMap<Socket, OpenStreams>();

  constructor(timeoutMs: number, { log, openSockets }: PolicyContext) {
    this.#timeoutMs = timeoutMs;
    this.#openSockets = openSockets;
    this.#limit = new RateLimit({ tell: (fields, count) => log('connection.stalled', { ...fields, count }) });
    setInterval(() => this.#look(performance.now()), timeoutMs / 4).unref();
  }

  connection(socket: Socket, streams?: OpenStreams): void {
    if (streams !== undefined) this.#streams.set(acceptedOf(socket), streams);
  }

  #look(now: number): void {
    const waiting = new Map<Socket, Waiting>();
    for (const top of this.#openSockets()) {
      const accepted: Handled = acceptedOf(top);
      const { fd = -1, writeQueueSize = 0, bytesWritten = 0 } = accepted._handle ?? {};
      // A socket that the app has made itself has no descriptor.
      if (fd < 0) continue;
      const queued = Math.max(native.queuedBytes(fd), 0);
      const holds = writeQueueSize + queued > 0;
      const streams = this.#streams.get(accepted);
      if (!holds && streams?.owe() !== true) continue;
      const taken = bytesWritten - writeQueueSize + bytesPastNode(accepted) - queued;
      const before = this.#waiting.get(accepted);
      if (before === undefined || before.taken !== taken) waiting.set(accepted, { taken, since: now });
      else if (now - before.since < this.#timeoutMs) waiting.set(accepted, before);
      else this.#end(top, holds ? undefined : streams);
    }
    this.#waiting = waiting;
  }

  #end(top: Socket, streams: OpenStreams | undefined): void {
    this.#limit.note('', { peer: top.remoteAddress ?? 'a unix socket', timeoutMs: this.#timeoutMs, ended: streams === undefined ? 'connection' : 'stream' });
    // It reads the connection, but opens no window for some streams: the others may have nothing to say for now.
    if (streams === undefined) top.destroy();
    else streams.end();
  }
}
