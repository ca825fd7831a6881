/**
 * One pass over the header fields of a request: finds all that the edge asks about. In the worker; the hot path.
 *
 * Node's `req.headers` is made of these fields when it is first read, which costs more than all of this; so the fields are looked at as they
 * came. What a name is is found out once: clients send the same few names, in the same spelling and order, again and again. The result stands in the scan
 * itself until the next one.
 */

/** Names that only proxies should send, beside those that begin with x-forwarded-. */
const FORWARDED = 'forwarded';
const REAL_IP = 'x-real-ip';
const X_FORWARDED = 'x-forwarded-';

// What a name is: the sum of these.
const HOST = 1;
const CONTENT_LENGTH = 2;
const TRANSFER_ENCODING = 4;
const AUTHORITY = 8;
const FORWARDING = 16;
const FORWARDED_FOR = 32;
const RFC7239 = 64;
const SCHEME = 128;
const REQUEST_ID = 256;
const UNDERSCORE = 512;

const KINDS: readonly (readonly [name: string, kind: number])[] = [
  ['host', HOST],
  ['content-length', CONTENT_LENGTH],
  ['transfer-encoding', TRANSFER_ENCODING],
  [':authority', AUTHORITY],
  [FORWARDED, FORWARDING | RFC7239],
  [REAL_IP, FORWARDING],
  ['x-forwarded-for', FORWARDING | FORWARDED_FOR],
];

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
  /** Size of all fields as on the wire, with ": " and CRLF. */
  bytes = 0;

  /** What is asked about, in lower case. */
  readonly #kinds = new Map(KINDS);
  /** Names as they have come, where `slotOf` says or shortly behind. Bounded, whatever clients send: one that finds no place takes another's. */
  readonly #seen: readonly Name[] = Array.from({ length: SLOTS }, () => new Name());
  /** Stands before the first field of every request. */
  readonly #first = new Name();
  /** The last name that was too long for a place. */
  readonly #long = new Name();

  /** Names in lower case. `schemeHeaders`: those that tell the scheme. */
  constructor(schemeHeaders: readonly string[], requestId: string) {
    const add = (name: string, kind: number): void => void this.#kinds.set(name, (this.#kinds.get(name) ?? 0) | kind);
    for (const name of schemeHeaders) add(name, FORWARDING | SCHEME);
    add(requestId, requestId.startsWith(X_FORWARDED) ? REQUEST_ID | FORWARDING : REQUEST_ID);
  }

  run(fields: readonly string[]): void {
    this.host = this.contentLength = this.transferEncoding = this.requestId = this.authority = this.forwardedFor = -1;
    this.hosts = this.codings = this.requestIds = this.forwarding = this.forwardedFors = this.schemes = this.rfc7239 = this.underscores = 0;
    let bytes = FIELD_FRAME * (fields.length / 2);
    let known = this.#first;
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at]!;
      bytes += name.length + fields[at + 1]!.length;
      const guess = known.next;
      known = guess.name === name ? guess : (known.next = this.#find(name));
      // Most are nothing to us.
      if (known.kind !== 0) this.#note(known.kind, at + 1);
    }
    this.bytes = bytes;
  }

  #note(kind: number, at: number): void {
    if ((kind & HOST) !== 0) {
      this.host = at;
      this.hosts++;
    }
    if ((kind & FORWARDING) !== 0) {
      this.forwarding++;
      if ((kind & FORWARDED_FOR) !== 0) {
        this.forwardedFor = at;
        this.forwardedFors++;
      }
      if ((kind & SCHEME) !== 0) this.schemes++;
      if ((kind & RFC7239) !== 0) this.rfc7239++;
    }
    if ((kind & CONTENT_LENGTH) !== 0) this.contentLength = at;
    if ((kind & TRANSFER_ENCODING) !== 0) {
      this.transferEncoding = at;
      this.codings++;
    }
    if ((kind & AUTHORITY) !== 0) this.authority = at;
    if ((kind & REQUEST_ID) !== 0) {
      this.requestId = at;
      this.requestIds++;
    }
    if ((kind & UNDERSCORE) !== 0) this.underscores++;
  }

  #find(name: string): Name {
    const home = slotOf(name);
    let found = this.#seen[home]!;
    for (let slot = home; slot < home + NEIGHBOURS; slot++) {
      const known = this.#seen[slot]!;
      if (known.name === name) return known;
      if (known.name !== NONE) continue;
      found = known;
      break;
    }
    const lower = name.toLowerCase();
    const kind = this.#kinds.get(lower) ?? (lower.length > X_FORWARDED.length && lower.startsWith(X_FORWARDED) ? FORWARDING : 0);
    if (name.length > LONGEST_SEEN) found = this.#long;
    found.name = name;
    found.kind = name.includes('_') ? kind | UNDERSCORE : kind;
    return found;
  }
}

/** The name of a free place: no field has it. */
const NONE = ' ';

/** A name as it has come, what it is, and the one that came behind it the last time: mostly it does so again, and need not be looked for. */
class Name {
  name = NONE;
  kind = 0;
  next: Name = this;
}

/** Whether one of the fields is larger than this, as on the wire. Not a part of the pass: of nearly all requests it is enough to know the size of all fields. */
export function hasLarger(fields: readonly string[], bytes: number): boolean {
  for (let at = 0; at < fields.length; at += 2) if (fields[at]!.length + fields[at + 1]!.length + FIELD_FRAME > bytes) return true;
  return false;
}

/** ": " and CRLF. */
const FIELD_FRAME = 4;
/** Many times the names that a server meets. */
const HOMES = 512;
const NEIGHBOURS = 4;
const SLOTS = HOMES + NEIGHBOURS;
/** Longer ones are rare. */
const LONGEST_SEEN = 64;
const X = 'x'.charCodeAt(0);
/** With bit 5 it is ~, which is another name's. */
const CARET = '^'.charCodeAt(0);

/** Where a name is looked for. Names of a family (sec-fetch-, x-forwarded-) differ near their ends. */
function slotOf(name: string): number {
  const { length } = name;
  return (length * 31 + name.charCodeAt(0) * 7 + name.charCodeAt(length > 2 ? length - 3 : 0) * 101) & (HOMES - 1);
}

/**
 * Whether a name of the same length is this one, in any case. Names are tokens, of which bit 5 tells the case of letters. Not by toLowerCase: that
 * calls out of compiled code and makes a string, for names that are often as long as another.
 */
function is(name: string, lower: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    const wanted = lower.charCodeAt(at);
    if (code !== wanted && ((code | 0x20) !== wanted || code === CARET)) return false;
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
