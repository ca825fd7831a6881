/**
 * TLS session tickets that any worker opens: puts the master's keys into every TLS server of this process, drover's own and the app's. In the worker.
 *
 * An app that has set keys itself (the option `ticketKeys`, or setTicketKeys() once it listens) keeps them. Node's setTicketKeys() knows one
 * key, so that a change would end every session; the callback it has beside (`enableTicketKeyCallback`, not documented; the same in Node 20, 22, 24 and
 * 26) knows as many as we do. Where a Node has it no more, one key is what there is.
 */
import type { Server } from 'node:net';

interface Key {
  name: Buffer;
  hmac: Buffer;
  aes: Buffer;
}

/** What Node asks: for a key to seal with (with its name and an IV), or for the one of that name. Every answer needs both keys: Node aborts else. */
type KeyCallback = (name: Buffer, iv: Buffer, seal: boolean) => [verdict: number, hmac: Buffer, aes: Buffer, name?: Buffer, iv?: Buffer];

interface Context {
  enableTicketKeyCallback?: () => void;
  onticketkeycallback?: KeyCallback;
}

/** tls.Server, https.Server, http2's secure server. */
interface TlsServer extends Server {
  ticketKeys?: Buffer;
  setTicketKeys(keys: Buffer): void;
  setSecureContext?(options: object): void;
  _sharedCreds?: { context?: Context };
}

/** Verdicts: unknown, so a full handshake; good; good, and give a new ticket for it. */
const UNKNOWN = 0;
const GOOD = 1;
const RENEW = 2;
const IV_BYTES = 16;

export class Tickets {
  #keys: readonly Key[] = [];
  #sealing!: Buffer;
  /** Servers whose Node knows one key only. */
  readonly #simple = new Map<TlsServer, (keys: Buffer) => void>();

  /** 48 bytes each, in base64: tickets are sealed with the first and opened with any. */
  constructor(keys: readonly string[]) {
    this.#take(keys);
  }

  change(keys: readonly string[]): void {
    this.#take(keys);
    for (const set of this.#simple.values()) set(this.#sealing);
  }

  /** A server of the app's begins to listen for the first time; one without TLS is left alone. */
  watch(server: Server): void {
    const tls = server as TlsServer;
    if (typeof tls.setTicketKeys !== 'function' || tls.ticketKeys !== undefined) return;
    this.share(tls);
  }

  share(server: Server): void {
    const tls = server as TlsServer;
    const { setTicketKeys, setSecureContext } = tls;
    let isOurs = true;
    this.#put(tls, setTicketKeys);
    tls.setTicketKeys = (keys) => {
      isOurs = false;
      this.#simple.delete(tls);
      const { context } = tls._sharedCreds ?? {};
      // The callback cannot be taken off a context; it can be given the app's key.
      if (context?.onticketkeycallback !== undefined) context.onticketkeycallback = callbackOf(() => [parse(keys)]);
      else setTicketKeys.call(tls, keys);
    };
    // A new certificate is a new context, with keys of its own.
    if (setSecureContext === undefined) return;
    tls.setSecureContext = (options) => {
      setSecureContext.call(tls, options);
      if (isOurs && (options as { ticketKeys?: unknown }).ticketKeys === undefined) this.#put(tls, setTicketKeys);
    };
  }

  #put(server: TlsServer, setTicketKeys: (keys: Buffer) => void): void {
    const context = server._sharedCreds?.context;
    if (typeof context?.enableTicketKeyCallback === 'function') {
      context.onticketkeycallback = callbackOf(() => this.#keys);
      context.enableTicketKeyCallback();
    } else {
      this.#simple.set(server, (keys) => setTicketKeys.call(server, keys));
      server.once('close', () => this.#simple.delete(server));
      setTicketKeys.call(server, this.#sealing);
    }
  }

  #take(keys: readonly string[]): void {
    const raw = keys.map((key) => Buffer.from(key, 'base64'));
    this.#sealing = raw[0]!;
    this.#keys = raw.map(parse);
  }
}

function parse(key: Buffer): Key {
  return { name: key.subarray(0, 16), hmac: key.subarray(16, 32), aes: key.subarray(32, 48) };
}

function callbackOf(keys: () => readonly Key[]): KeyCallback {
  return (name, _iv, seal) => {
    const [first, ...others] = keys() as [Key, ...Key[]];
    if (seal) return [GOOD, first.hmac, first.aes, first.name, crypto.getRandomValues(Buffer.allocUnsafe(IV_BYTES))];
    if (first.name.equals(name)) return [GOOD, first.hmac, first.aes];
    const other = others.find((key) => key.name.equals(name));
    return other === undefined ? [UNKNOWN, first.hmac, first.aes] : [RENEW, other.hmac, other.aes];
  };
}
