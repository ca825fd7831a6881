/**
 * Whom to believe, and what a trusted peer's headers say of the client: scheme, address, host (--forwarded-allow-ips). In the worker.
 *
 * Asked only for requests that have such headers. A peer is judged once per connection, by socket.remoteAddress. Contradictions are refused,
 * not resolved: where two headers disagree, one of them is the client's own, passed on by a proxy that sets only the other.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { AddressSet } from '../config/address-set.js';
import { clientIn, clientOf, parseForwarded, type Found } from './forwarded.js';
import { isNamed } from './header-scan.js';
import { isHost } from './strict.js';

/** What is told of the client; what is not told is undefined. */
export interface Told {
  scheme?: 'http' | 'https' | undefined;
  client?: Found | undefined;
  host?: string | undefined;
  port?: number | undefined;
}

const kTrusted = Symbol('drover.trusted');
type Judged = Socket & { [kTrusted]?: boolean | undefined };

export class Trust {
  readonly #peers: AddressSet;
  readonly #schemes: Readonly<Record<string, string>>;
  readonly #trusts: (address: string) => boolean;
  /** The last X-Forwarded-For, and the client in it: who loads a page asks many times in a row. */
  #lastText = '';
  #lastClient: string | undefined;

  constructor(allowIps: readonly string[], secureSchemeHeaders: Readonly<Record<string, string>>) {
    this.#peers = new AddressSet(allowIps);
    this.#schemes = secureSchemeHeaders;
    this.#trusts = (address) => this.#peers.matches(address);
  }

  /**
   * For every socket, before its first request. If only some had the property, there would be two kinds of sockets for V8, and all of Node's code that handles
   * them would have to tell them apart.
   */
  expect(socket: Judged): void {
    socket[kTrusted] = undefined;
  }

  /** Whether the other end of a socket is trusted. */
  trusts(socket: Judged): boolean {
    return (socket[kTrusted] ??= this.#judge(socket));
  }

  #judge(socket: Socket): boolean {
    const { remoteAddress } = socket;
    if (remoteAddress !== undefined) return this.#peers.matches(remoteAddress);
    // A unix socket has no addresses at all; a TCP socket whose peer has gone still has its own.
    return !socket.destroyed && socket.localAddress === undefined;
  }

  /** Of what `told` says only the client's address, from the text of the one X-Forwarded-For, where there is no Forwarded beside it. */
  clientIn(forwardedFor: string): string | undefined {
    if (forwardedFor !== this.#lastText) {
      this.#lastClient = clientIn(forwardedFor, this.#trusts);
      this.#lastText = forwardedFor;
    }
    return this.#lastClient;
  }

  /** What the headers of a trusted peer say; a text: they contradict each other, or cannot be read. */
  told(request: IncomingMessage): Told | string {
    const x = this.#toldByX(request.rawHeaders);
    if (typeof x === 'string') return x;
    const forwarded = join(request.rawHeaders, 'forwarded');
    if (forwarded === undefined) return x;
    const rfc = this.#toldByForwarded(forwarded);
    if (typeof rfc === 'string') return rfc;
    if (x.scheme !== undefined && rfc.scheme !== undefined && x.scheme !== rfc.scheme) return 'Forwarded and another header tell two schemes';
    if (x.client !== undefined && rfc.client !== undefined && x.client.address !== rfc.client.address) return 'Forwarded and X-Forwarded-For tell two clients';
    if (x.host !== undefined && rfc.host !== undefined && x.host.toLowerCase() !== rfc.host.toLowerCase()) return 'Forwarded and X-Forwarded-Host tell two hosts';
    return { scheme: x.scheme ?? rfc.scheme, client: x.client ?? rfc.client, host: x.host ?? rfc.host, port: x.port };
  }

  #toldByX(fields: readonly string[]): Told | string {
    const nodes = list(join(fields, 'x-forwarded-for'));
    const client = clientOf(nodes, this.#trusts);
    // A proxy that adds to one list adds to all: then the client's element has the same place. A single value is the only one there is.
    const pick = (name: string): string | undefined => {
      const values = list(join(fields, name));
      return values.length === nodes.length && client !== undefined ? values[client.index] : values.at(-1);
    };
    let scheme: Told['scheme'];
    for (const name of Object.keys(this.#schemes)) {
      const value = pick(name);
      if (value === undefined) continue;
      const says = isSecure(value, this.#schemes[name]!) ? 'https' : 'http';
      if (scheme !== undefined && scheme !== says) return 'the headers that tell the scheme contradict each other';
      scheme = says;
    }
    const host = pick('x-forwarded-host');
    const port = Number(pick('x-forwarded-port') ?? NaN);
    return { scheme, client, host: host !== undefined && host !== '' && isHost(host) ? host : undefined, port: Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined };
  }

  #toldByForwarded(text: string): Told | string {
    const elements = parseForwarded(text);
    if (elements === undefined) return 'Forwarded is malformed';
    const client = clientOf(elements.map((element) => element.get('for')), this.#trusts);
    const element = client === undefined ? elements.at(-1) : elements[client.index];
    const proto = element?.get('proto')?.toLowerCase();
    const host = element?.get('host');
    return { client, scheme: proto === undefined ? undefined : isSecure(proto, 'https') ? 'https' : 'http', host: host !== undefined && host !== '' && isHost(host) ? host : undefined };
  }
}

/** Of a WebSocket's request Traefik says `wss`. */
function isSecure(value: string, secure: string): boolean {
  return value === secure || (value === 'wss' && secure === 'https');
}

/** The values of all fields of a name (in lower case), as one list; undefined: there is none. */
function join(fields: readonly string[], lower: string): string | undefined {
  let joined: string | undefined;
  for (let at = 0; at < fields.length; at += 2) {
    if (!isNamed(fields[at]!, lower)) continue;
    joined = joined === undefined ? fields[at + 1]! : `${joined},${fields[at + 1]!}`;
  }
  return joined;
}

function list(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').map((item) => item.trim());
}
