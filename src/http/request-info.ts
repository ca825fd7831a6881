/**
 * `req.drover`: what drover knows of a request. In the worker.
 *
 * A getter of the prototypes, so that a request that nobody asks about costs nothing; what it answers is kept. config/request-info.ts has the type.
 */
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestInfo } from '../config/request-info.js';
import type { Told, Trust } from './trust.js';

const kInfo = Symbol('drover.info');
/** The mount of a request, where it has one. */
export const kMount = Symbol('drover.mount');
/**
 * Set on a request of a trusted peer that has forwarding fields: only of such is the client another than the peer. The text of X-Forwarded-For ('': it has none),
 * if that alone tells the client.
 */
export const kForwarded = Symbol('drover.forwarded');
/** Set on a request that came with an id, whoever sent it. */
export const kCarriesId = Symbol('drover.carriesId');

export interface InfoSource {
  trust: Trust;
  /** The id of a request, kept or made. Called once per request. */
  idOf: (request: IncomingMessage, trusted: boolean) => string;
}

type Known = IncomingMessage & { [kInfo]?: Info; [kMount]?: string; [kForwarded]?: string | true; [kCarriesId]?: true };

class Info implements RequestInfo {
  readonly scheme: 'http' | 'https';
  readonly clientAddress: string;
  readonly clientPort: number | undefined;
  readonly peerAddress: string;
  readonly peerPort: number | undefined;
  readonly trusted: boolean;
  readonly #request: Known;
  readonly #told: Told;
  readonly #idOf: InfoSource['idOf'];
  #id: string | undefined;

  constructor(request: Known, { trust, idOf }: InfoSource) {
    this.#request = request;
    this.#idOf = idOf;
    const socket = socketOf(request);
    this.peerAddress = socket?.remoteAddress ?? '';
    this.peerPort = socket?.remotePort;
    this.trusted = socket !== undefined && trust.trusts(socket);
    // What contradicts itself has been refused before anybody could ask.
    const told = this.trusted ? trust.told(request) : NOTHING;
    this.#told = typeof told === 'string' ? NOTHING : told;
    const { scheme, client } = this.#told;
    this.scheme = scheme ?? ((socket as { encrypted?: boolean } | undefined)?.encrypted === true ? 'https' : 'http');
    this.clientAddress = client?.address ?? this.peerAddress;
    this.clientPort = client === undefined ? this.peerPort : client.port;
  }

  // By getters, since they read request.headers, which not everybody who asks for the client needs.
  get host(): string {
    return this.#told.host ?? hostOf(this.#request);
  }

  get port(): number {
    return this.#told.port ?? portOf(this.host) ?? (this.scheme === 'https' ? 443 : 80);
  }

  get mount(): string {
    return mountOf(this.#request);
  }

  get knownId(): string | undefined {
    return this.#id;
  }

  get requestId(): string {
    return (this.#id ??= this.#idOf(this.#request, this.trusted));
  }
}

const NOTHING: Told = {};
/** Whom installRequestInfo was given. */
let trust: Trust | undefined;

/** For who asks of every request: the client's address where a trusted peer has told it, without making what only `req.drover` needs. */
export function toldClientOf(request: object): string | undefined {
  const forwarded = (request as Known)[kForwarded];
  if (forwarded === undefined) return undefined;
  return typeof forwarded === 'string' && trust !== undefined ? trust.clientIn(forwarded) : (request as Known).drover.clientAddress;
}

/** The same client's port; undefined: nobody knows it. */
export function clientPortOf(request: Pick<IncomingMessage, 'socket'>): number | undefined {
  return (request as Known)[kForwarded] === undefined ? request.socket.remotePort : (request as Known).drover.clientPort;
}

/** Where the app is mounted for this request; '': at the root. */
export function mountOf(request: object): string {
  return (request as Known)[kMount] ?? '';
}

/** Likewise: the id, if the request has got one, or came with one. */
export function knownIdOf(request: object): string | undefined {
  return (request as Known)[kCarriesId] === true ? (request as Known).drover.requestId : (request as Known)[kInfo]?.knownId;
}

/** From here on every request of this prototype, and of node:http's, has `drover`. */
export function installRequestInfo(source: InfoSource, prototype: object = IncomingMessage.prototype): void {
  ({ trust } = source);
  Object.defineProperty(prototype, 'drover', {
    configurable: true,
    enumerable: false,
    get(this: Known) {
      // A response that this process got as a client is an IncomingMessage too.
      if (this.statusCode !== null && this.statusCode !== undefined) return undefined;
      return (this[kInfo] ??= new Info(this, source));
    },
    set(this: object, value: unknown) {
      // Somebody else's property of that name.
      Object.defineProperty(this, 'drover', { value, writable: true, configurable: true, enumerable: true });
    },
  });
}

/** The socket of a request, while there is one: that of an HTTP/2 session throws once the session is gone. */
function socketOf(request: IncomingMessage): Socket | undefined {
  try {
    return request.socket ?? undefined;
  } catch {
    return undefined;
  }
}

function hostOf(request: IncomingMessage): string {
  const { headers } = request;
  return headers.host ?? (headers[':authority'] as string | undefined) ?? '';
}

function portOf(host: string): number | undefined {
  const [, port] = /:(\d+)$/.exec(host) ?? [];
  return port === undefined || Number(port) > 65535 ? undefined : Number(port);
}
