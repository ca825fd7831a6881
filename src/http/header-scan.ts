/**
 * One pass over the header fields of a request: finds all that the edge asks about. In the worker; the hot path.
 *
 * Node's `req.headers` is made of these fields when it is first read, which costs more than all of this; so the fields are looked at as they
 * came. Most names are told apart by their length and first letter. The result stands in the scan itself until the next one.
 */

/** Names that only proxies should send, beside those that begin with x-forwarded-. */
const FORWARDED = 'forwarded';
const REAL_IP = 'x-real-ip';
const FORWARDED_FOR = 'x-forwarded-for';

export class HeaderScan {
  // Indices into rawHeaders of the value of the last such field, -1: none; and how many there are.
  host = -1;
  hosts = 0;
  contentLength = -1;
  transferEncoding = -1;
  codings = 0;
  requestId = -1;
  requestIds = 0;
  /** HTTP/2. */
  authority = -1;
  /** Fields that only proxies should send. */
  forwarding = 0;
  /** Of these, those that tell the scheme: two can contradict each other. */
  schemes = 0;
  /** Of these, X-Forwarded-For. */
  forwardedFor = -1;
  forwardedFors = 0;
  /** Of these, Forwarded: it can contradict any of the others. */
  rfc7239 = 0;
  underscores = 0;
  /** Size of the largest field as on the wire, with ": " and CRLF. */
  largest = 0;
  /** Of all fields, likewise. */
  bytes = 0;

  /** By length: names that are not found by rule. */
  readonly #extra: readonly (readonly Extra[] | undefined)[];

  /** Names in lower case. `schemeHeaders`: those that tell the scheme. */
  constructor(schemeHeaders: readonly string[], requestId: string) {
    const extra: (Extra[] | undefined)[] = Array<Extra[] | undefined>(MAX_NAME).fill(undefined);
    for (const name of new Set([...schemeHeaders, requestId])) {
      if (name.length < MAX_NAME) (extra[name.length] ??= []).push({ name, first: name.charCodeAt(0) | 0x20, isId: name === requestId, isScheme: schemeHeaders.includes(name), isForwarded: name.startsWith(X_FORWARDED) });
    }
    this.#extra = extra;
  }

  run(fields: readonly string[]): void {
    this.host = this.contentLength = this.transferEncoding = this.requestId = this.authority = this.forwardedFor = -1;
    this.hosts = this.codings = this.requestIds = this.forwarding = this.forwardedFors = this.schemes = this.rfc7239 = this.underscores = 0;
    let largest = 0;
    let bytes = 0;
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at]!;
      const length = name.length;
      const size = length + fields[at + 1]!.length;
      if (size > largest) largest = size;
      bytes += size + FIELD_FRAME;
      const first = name.charCodeAt(0) | 0x20;
      switch (length) {
        case 4:
          if (first === H && is(name, 'host')) {
            this.host = at + 1;
            this.hosts++;
          }
          break;
        case 9:
          if ((first === F && is(name, FORWARDED)) || (first === X && is(name, REAL_IP))) {
            this.forwarding++;
            if (first === F) this.rfc7239++;
          }
          break;
        case 10:
          if (first === COLON && name === ':authority') this.authority = at + 1;
          break;
        case 14:
          if (first === C && is(name, 'content-length')) this.contentLength = at + 1;
          break;
        case 17:
          if (first === T && is(name, 'transfer-encoding')) {
            this.transferEncoding = at + 1;
            this.codings++;
          }
          break;
      }
      if (first === X && length > 12 && (name.charCodeAt(2) | 0x20) === F && beginsForwarded(name)) {
        this.forwarding++;
        if (length === 15 && is(name, FORWARDED_FOR)) {
          this.forwardedFor = at + 1;
          this.forwardedFors++;
        }
      }
      if (name.includes('_')) this.underscores++;
      const extra = this.#extra[length];
      if (extra !== undefined) this.#look(extra, name, first, at);
    }
    this.largest = largest + FIELD_FRAME;
    this.bytes = bytes;
  }

  #look(extra: readonly Extra[], name: string, first: number, at: number): void {
    for (let i = 0; i < extra.length; i++) {
      const candidate = extra[i]!;
      if (candidate.first !== first || !is(name, candidate.name)) continue;
      if (candidate.isId) {
        this.requestId = at + 1;
        this.requestIds++;
      }
      if (candidate.isScheme) {
        if (!candidate.isForwarded) this.forwarding++;
        this.schemes++;
      }
    }
  }
}

/** A name that an option gives. */
interface Extra {
  name: string;
  first: number;
  isId: boolean;
  isScheme: boolean;
  isForwarded: boolean;
}

/** ": " and CRLF. */
const FIELD_FRAME = 4;
/** Longer names than any that is asked about. */
const MAX_NAME = 128;
const X_FORWARDED = 'x-forwarded-';
const H = 'h'.charCodeAt(0);
const F = 'f'.charCodeAt(0);
const X = 'x'.charCodeAt(0);
const C = 'c'.charCodeAt(0);
const T = 't'.charCodeAt(0);
const COLON = ':'.charCodeAt(0);

/**
 * Whether a name of the same length is this one, in any case. Names are tokens, of which bit 5 tells but the case of letters (and ^ from ~). Not by toLowerCase: that
 * calls out of compiled code and makes a string, for names that are often as long as another.
 */
function is(name: string, lower: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    const wanted = lower.charCodeAt(at);
    if (code !== wanted && (code | 0x20) !== wanted) return false;
  }
  return true;
}

/** The same for one that need not be as long. */
export function isNamed(name: string, lower: string): boolean {
  return name.length === lower.length && is(name, lower);
}

function beginsForwarded(name: string): boolean {
  for (let at = 1; at < X_FORWARDED.length; at++) if ((name.charCodeAt(at) | 0x20) !== X_FORWARDED.charCodeAt(at)) return false;
  return true;
}

/** Whether a name, in any case, is one that only proxies should send, whatever the options say. */
export function isForwardingName(name: string): boolean {
  return isNamed(name, FORWARDED) || isNamed(name, REAL_IP) || ((name.charCodeAt(0) | 0x20) === X && beginsForwarded(name));
}
