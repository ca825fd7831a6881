/**
 * Sets of addresses, as options name those they trust: single addresses, networks in CIDR notation, `*` for all.
 *
 * Pure. `parseAddressSet` makes the canonical texts that Config holds and that travel to the workers; `AddressSet` looks addresses up in them.
 * Not net.BlockList, which takes 2 µs for a look-up and keeps no text to show: this is asked per connection, and per element of X-Forwarded-For.
 *
 * An IPv4 address mapped into IPv6 (::ffff:10.0.0.1, what a socket at [::] tells) is that IPv4 address, in a set and when asked about. Networks
 * hold addresses of their own family only: ::/0 is all of IPv6, 0.0.0.0/0 all of IPv4.
 *
 * Rank 1. In the master and in the workers.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

export const ADDRESS_SET_FORMS = 'addresses and networks with commas between them, as in 10.0.0.0/8,::1, or * for all';

export const ANY_ADDRESS = '*';

/** An IPv4 address is one number of 32 bits, an IPv6 address four. */
type Words = readonly number[];

const DOT = '.'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);

/**
 * An IPv4 address as one number of 32 bits, with a sign; undefined: it is none. As isIPv4 has it, which is a regular expression: this is asked for every request
 * that has come by a proxy.
 */
export function ipv4Of(text: string): number | undefined {
  const { length } = text;
  if (length > '255.255.255.255'.length) return undefined;
  let word = 0;
  let dots = 0;
  let octet = -1;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (octet === -1 || ++dots > 3) return undefined;
      word = (word << 8) | octet;
      octet = -1;
      continue;
    }
    const digit = code - ZERO;
    // Nothing but digits, and none after a leading zero.
    if (digit < 0 || digit > 9 || octet === 0) return undefined;
    octet = octet === -1 ? digit : octet * 10 + digit;
    if (octet > 255) return undefined;
  }
  return dots === 3 && octet !== -1 ? (word << 8) | octet : undefined;
}

/** What is wrong with one piece of a set. */
export interface AddressSetProblem {
  piece: string;
  /** For instance `not an address`. */
  what: string;
}

/**
 * The entries in their canonical form: as inet_ntop(3) writes them, mapped ones as IPv4, none twice. An empty text is an empty set. Host names are
 * refused: whom to trust must not hang on DNS.
 */
export function parseAddressSet(texts: readonly string[]): readonly string[] | AddressSetProblem {
  const entries = new Set<string>();
  for (const text of texts) {
    if (text.trim() === '') continue;
    for (const item of text.split(',')) {
      const piece = item.trim();
      const entry = canonical(piece);
      if (typeof entry !== 'string') return { piece: piece === '' ? text : piece, what: entry.problem };
      entries.add(entry);
    }
  }
  return [...entries];
}

function canonical(piece: string): string | { problem: string } {
  if (piece === ANY_ADDRESS) return piece;
  if (piece === '') return { problem: 'nothing between two commas' };
  const [address = '', bits, ...more] = piece.split('/');
  if (address.includes('%')) return { problem: 'an address with a zone, which cannot be compared' };
  const words = toWords(address);
  if (words === undefined) return { problem: 'not an address' };
  const written = isIPv4(address) ? 32 : 128;
  if (bits === undefined) return formatWords(words);
  if (more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > written) return { problem: `not a network: after the slash comes a number of bits from 0 to ${written}` };
  // Written as IPv6, counted as the IPv4 network it is. One that reaches beyond the mapped addresses has host bits set, and ends here as well.
  const prefix = Number(bits) - (written - words.length * 32);
  const network = prefix < 0 ? undefined : masked(words, prefix);
  if (network === undefined || !sameWords(words, network)) return { problem: `host bits are set${network === undefined ? '' : `: the network is ${formatWords(network)}/${prefix}`}` };
  return prefix === words.length * 32 ? formatWords(words) : `${formatWords(words)}/${prefix}`;
}

/** Looks addresses up. `entries` as parseAddressSet makes them. */
export class AddressSet {
  /** Whether it holds every address, so that nobody need find out which one it is. */
  readonly holdsAll: boolean;
  /** Those of IPv4, as ipv4Of has them. */
  readonly #single4: ReadonlySet<number>;
  readonly #networks4: readonly { word: number; mask: number }[];
  /** Those of IPv6, as they are mostly written, and in whatever way they are: as words. */
  readonly #single6: ReadonlySet<string>;
  readonly #singleWords6: ReadonlySet<string>;
  readonly #networks6: readonly { words: Words; prefix: number }[];

  constructor(entries: readonly string[]) {
    this.holdsAll = entries.includes(ANY_ADDRESS);
    const single = entries.filter((entry) => entry !== ANY_ADDRESS && !entry.includes('/'));
    const networks = entries
      .filter((entry) => entry.includes('/'))
      .map((entry) => {
        const [address = '', prefix] = entry.split('/');
        return { words: wordsOf(address), prefix: Number(prefix) };
      });
    this.#single4 = new Set(single.map(ipv4Of).filter((word) => word !== undefined));
    this.#networks4 = networks.filter(({ words }) => words.length === 1).map(({ words, prefix }) => ({ word: words[0]! | 0, mask: maskOf(prefix) }));
    this.#single6 = new Set(single.filter((entry) => ipv4Of(entry) === undefined));
    this.#singleWords6 = new Set([...this.#single6].map((entry) => wordsOf(entry).join()));
    this.#networks6 = networks.filter(({ words }) => words.length > 1);
  }

  /**
   * Whether an address (a text, as in socket.remoteAddress) is in the set. What is no address is not, whatever the set holds: a peer that has gone, or one
   * at a unix socket, about whom the caller decides.
   */
  matches(address: string | undefined): boolean {
    if (address === undefined) return false;
    const word = ipv4Of(address);
    if (word !== undefined) return this.#holds4(word);
    // Node writes addresses in their canonical form, so this is nearly always all.
    if (this.#single6.has(address)) return true;
    const words = toWords(address.includes('%') ? address.slice(0, address.indexOf('%')) : address);
    if (words === undefined) return false;
    if (words.length === 1) return this.#holds4(words[0]! | 0);
    return this.holdsAll || this.#singleWords6.has(words.join()) || this.#networks6.some((network) => sameWords(network.words, masked(words, network.prefix)));
  }

  #holds4(address: number): boolean {
    if (this.holdsAll || this.#single4.has(address)) return true;
    for (const { word, mask } of this.#networks4) if ((address & mask) === word) return true;
    return false;
  }
}

/** The first `bits` of 32, at most. */
function maskOf(bits: number): number {
  // A shift by 32 is a shift by 0.
  return bits <= 0 ? 0 : -1 << Math.max(32 - bits, 0);
}

/** undefined: not an address. */
function toWords(text: string): Words | undefined {
  return ipv4Of(text) !== undefined || isIPv6(text) ? wordsOf(text) : undefined;
}

/** Of what is known to be an address. Without isIPv6, whose regular expression takes 7 ms to compile: every worker would pay that as it starts. */
function wordsOf(text: string): Words {
  const word = ipv4Of(text);
  if (word !== undefined) return [word >>> 0];
  const [before = [], after = []] = withoutDots(text)
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => parseInt(group, 16))));
  const eight = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  const words = [0, 2, 4, 6].map((at) => ((eight[at]! << 16) | eight[at + 1]!) >>> 0);
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff ? [words[3]!] : words;
}

/** ::ffff:10.0.0.1 → ::ffff:a00:1 */
function withoutDots(text: string): string {
  if (!text.includes('.')) return text;
  const at = text.lastIndexOf(':') + 1;
  const word = ipv4Of(text.slice(at))!;
  return `${text.slice(0, at)}${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;
}

function formatWords(words: Words): string {
  if (words.length === 1) return [24, 16, 8, 0].map((shift) => (words[0]! >>> shift) & 0xff).join('.');
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]).map((group) => group.toString(16));
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address;
}

/** With all bits but the first `prefix` cleared. */
function masked(words: Words, prefix: number): Words {
  return words.map((word, at) => (word & maskOf(prefix - at * 32)) >>> 0);
}

function sameWords(one: Words, other: Words): boolean {
  return one.every((word, at) => word === other[at]);
}
