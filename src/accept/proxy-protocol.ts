/**
 * --proxy-protocol: every connection begins with a PROXY header that says who the client is. In a worker, loaded only when the option is on.
 *
 * Stands between accepting and Node: a connection is handed on when its header has been read (native/proxy_reader.cc), before HTTP or TLS has seen
 * a byte. Required of every connection, never guessed: else a client that reaches us past the proxy could pretend to be anybody. Who
 * may send one is --proxy-allow-from; at a unix socket, whoever may connect.
 */
import { AddressSet } from '../config/address-set.js';
import { closeFd, native, PROXY_VERSIONS, type NativeProxyReader, type ProxyHeader, type ProxyRefusal, type SocketAddress } from '../native.js';
import { RateLimit } from '../log/rate-limit.js';
import { formatBound } from './bound.js';
import type { ConnectionKind } from './wrap.js';

/** Fields of the event proxy.refused. */
export interface ProxyRefused {
  reason: 'not-allowed' | Exclude<ProxyRefusal['refusal'], 'empty'>;
  peer: string;
  /** The reason in words. */
  why: string;
}

export interface ProxyProtocolOptions {
  protocol: 'v1' | 'v2' | 'auto';
  /** As parseAddressSet makes them. */
  allowFrom: readonly string[];
  timeoutMs: number;
  /** A connection waits for its header: it is open, and counts. `connection` stands for it. */
  onWaiting: (connection: object) => void;
  /** It does so no longer: it has been handed on, or closed. */
  onSettled: (connection: object) => void;
  /** One was refused. */
  onRefused: () => void;
  /** What is to be logged of those. */
  onTell: (refused: ProxyRefused & { count: number }) => void;
}

/** Connections of one worker that may wait for their header at a time. */
export const MAX_WAITING = 1024;

interface Waiting {
  peer: string;
  handOn: (header: ProxyHeader) => void;
}

export class ProxyProtocol {
  readonly #options: ProxyProtocolOptions;
  readonly #allowed: AddressSet;
  readonly #reader: NativeProxyReader;
  /** By descriptor. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #refusals: RateLimit<ProxyRefused>;

  constructor(options: ProxyProtocolOptions) {
    this.#options = options;
    this.#refusals = new RateLimit({ tell: (refused, count) => options.onTell({ ...refused, count }) });
    this.#allowed = new AddressSet(options.allowFrom);
    this.#reader = new native.ProxyReader(
      { version: PROXY_VERSIONS[options.protocol], timeoutMs: options.timeoutMs, waiting: MAX_WAITING },
      (fd, header) => this.#settle(fd, ({ handOn }) => handOn(header)),
      (fd, refusal) => this.#settle(fd, ({ peer }) => this.#refused(refusal, peer)),
    );
  }

  /** Takes an accepted connection, and hands it on, at once or later, when its header has been read; the descriptor is then the receiver's. */
  take(kind: ConnectionKind, fd: number, handOn: (header: ProxyHeader) => void): void {
    const peer = kind === 'unix' ? undefined : native.peerAddress(fd);
    if (typeof peer === 'number') return closeFd(fd); // it has gone already
    const name = nameOf(peer);
    if (!this.#mayName(peer)) {
      closeFd(fd);
      return this.#refuse({ reason: 'not-allowed', peer: name, why: 'its address is not in --proxy-allow-from' });
    }
    const read = this.#reader.take(fd);
    if (read === null) {
      const waiting = { peer: name, handOn };
      this.#waiting.set(fd, waiting);
      this.#options.onWaiting(waiting);
    } else if ('refusal' in read) {
      this.#refused(read, name);
    } else {
      handOn(read);
    }
  }

  /** Tells what has not been told yet: the worker is about to leave. */
  tellRest(): void {
    this.#refusals.flush();
  }

  #mayName(peer: SocketAddress | undefined): boolean {
    return peer === undefined || peer.family === 'unix' || this.#allowed.matches(peer.address);
  }

  #settle(fd: number, use: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(fd)!;
    this.#waiting.delete(fd);
    try {
      use(waiting);
    } finally {
      // After it was handed on: a worker that drains must not find itself without connections in between.
      this.#options.onSettled(waiting);
    }
  }

  #refused({ refusal, fault }: ProxyRefusal, peer: string): void {
    // Nobody has asked for anything: a health check that only connects, or a client that thought better of it.
    if (refusal === 'empty') return;
    this.#refuse({ reason: refusal, peer, why: this.#explain(refusal, fault) });
  }

  #explain(refusal: Exclude<ProxyRefusal['refusal'], 'empty'>, fault: string | null): string {
    const { protocol, timeoutMs } = this.#options;
    switch (refusal) {
      case 'missing':
        return 'it does not begin with a PROXY header';
      case 'other-version':
        return `its PROXY header is of another version than --proxy-protocol ${protocol}`;
      case 'malformed':
        return `its PROXY header is malformed: ${fault}`;
      case 'broken-off':
        return 'it ended within its PROXY header';
      case 'late':
        return `its PROXY header did not come within ${timeoutMs} ms`;
      case 'crowded':
        return `${MAX_WAITING} connections wait for their PROXY header, and it has waited longest`;
    }
  }

  #refuse(refused: ProxyRefused): void {
    this.#options.onRefused();
    this.#refusals.note(refused.reason, refused);
  }
}

function nameOf(peer: SocketAddress | undefined): string {
  return peer === undefined || peer.family === 'unix' ? 'a unix socket' : formatBound(peer);
}
