/**
 * Parses and formats the addresses of --bind. Resolves no names and opens nothing: that is the master's.
 *
 * Rank 1. In the master.
 */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { normalize } from 'node:path';

/** Where to listen, as --bind says it. `host` is a literal address or a name; never in brackets. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** `path` is as given (relative to the working directory), or starts with `@` for an abstract socket. */
  | { readonly kind: 'unix'; readonly path: string }
  /** A listening socket that drover inherits. */
  | { readonly kind: 'fd'; readonly fd: number };

export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_PORT = 8000;

/** Where to listen when nobody says: HOST and PORT of the environment, which load.ts has checked (--env's count). PORT alone is how platforms ask for all interfaces. */
export function defaultPlace({ HOST, PORT }: Readonly<Record<string, string | undefined>>): { host: string; port: number } {
  return { host: HOST || (PORT ? '0.0.0.0' : DEFAULT_HOST), port: PORT ? Number(PORT) : DEFAULT_PORT };
}

export const ADDRESS_FORMS = `HOST:PORT, [IPV6]:PORT, HOST or [IPV6] (port ${DEFAULT_PORT}), :PORT, PORT, unix:PATH, unix:@NAME or fd://N`;

/** sun_path of Linux is 108 bytes, of which a path needs one for its end and an abstract name one for its beginning. */
const UNIX_PATH_BYTES = 107;

// Labels as DNS and /etc/hosts allow them; the underscore is not in the RFC, but in Docker Compose.
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

/** The address, or a sentence that says what is wrong with the text. */
export function parseAddress(text: string): ListenAddress | string {
  if (text.startsWith('unix:')) return parseUnix(text.slice('unix:'.length));
  if (text.startsWith('fd://')) return parseFd(text.slice('fd://'.length));
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (scheme !== null && scheme[1] !== 'tcp') return `no scheme drover knows: ${scheme[1]}://`;
  return parseTcp(scheme === null ? text : text.slice(scheme[0].length));
}

function parseUnix(path: string): ListenAddress | string {
  if (path.startsWith('//')) path = path.slice(2); // unix:///run/x as others write it
  if (path === '' || path === '@') return 'the path is missing';
  if (path.includes('\0')) return 'the path holds a NUL byte';
  const bytes = Buffer.byteLength(path);
  if (bytes > UNIX_PATH_BYTES) return `a unix socket's path has at most ${UNIX_PATH_BYTES} bytes, this one has ${bytes}`;
  return { kind: 'unix', path };
}

function parseFd(text: string): ListenAddress | string {
  if (!/^\d{1,9}$/.test(text)) return 'not the number of a descriptor';
  const fd = Number(text);
  if (fd < 3) return 'descriptors 0, 1 and 2 are standard input, output and error';
  return { kind: 'fd', fd };
}

function parseTcp(text: string): ListenAddress | string {
  if (text === '') return 'it is empty';
  if (text.includes(',')) return 'several addresses: --bind is given once for each';
  let host: string;
  let port: string | undefined;
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    host = bracketed[1]!;
    port = bracketed[2];
    if (!isIPv6(host)) return `not an IPv6 address: [${host}]`;
  } else if (text.includes('[') || text.includes(']')) {
    return 'brackets are for an IPv6 address and stand around all of it: [::1]:8000';
  } else if (isIPv6(text)) {
    // Without brackets nobody can tell where the address ends and the port begins (::1:8000 is an address).
    host = text;
  } else if (/^\d+$/.test(text)) {
    host = DEFAULT_HOST;
    port = text;
  } else {
    const colon = text.indexOf(':');
    if (colon !== text.lastIndexOf(':')) return 'more than one colon, and not an IPv6 address';
    host = colon === -1 ? text : text.slice(0, colon);
    port = colon === -1 ? undefined : text.slice(colon + 1);
    if (colon === 0) host = '0.0.0.0';
    else if (/^[\d.]+$/.test(host) && !isIPv4(host)) return `not an IPv4 address: ${host}`;
    else if (!HOST_NAME.test(host)) return `not a host name: ${host}${host.includes('/') ? ` (a unix socket is unix:${text})` : ''}`;
  }
  if (port === undefined) return { kind: 'tcp', host, port: DEFAULT_PORT };
  const number = parsePort(port);
  return typeof number === 'string' ? number : { kind: 'tcp', host, port: number };
}

/** The port, or a sentence that says what is wrong with the text. */
export function parsePort(text: string): number | string {
  if (!/^\d+$/.test(text) || Number(text) > 65535) return `not a port (0 to 65535): ${text === '' ? 'nothing' : text}`;
  return Number(text);
}

/** Why the kernel lets nobody listen at both: `same` address, or one of them is `all` that the other is one of. Names are what they are: they may stand for any address. */
export function overlap(one: ListenAddress, other: ListenAddress): 'same' | 'all' | undefined {
  if (one.kind === 'unix' && other.kind === 'unix') return plainPath(one.path) === plainPath(other.path) ? 'same' : undefined;
  if (one.kind !== 'tcp' || other.kind !== 'tcp') return formatAddress(one) === formatAddress(other) ? 'same' : undefined;
  // Port 0 is another port each time.
  if (one.port !== other.port || one.port === 0) return undefined;
  const [host, theirs] = [plainHost(one.host), plainHost(other.host)];
  if (host === theirs) return 'same';
  return takes(host, theirs) || takes(theirs, host) ? 'all' : undefined;
}

/** Whether an address stands for all and so for the other. drover turns IPV6_V6ONLY off: `::` takes IPv4 as well. */
function takes(all: string, one: string): boolean {
  return all === '::' ? isIP(one) !== 0 : all === '0.0.0.0' && isIPv4(one);
}

function plainPath(path: string): string {
  return path.startsWith('@') ? `\0${path}` : normalize(path);
}

/** An address in its one form; IPv4 also where it is mapped into IPv6. */
function plainHost(host: string): string {
  if (!isIPv6(host) || host.includes('%')) return host.toLowerCase();
  const plain = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(plain);
  if (mapped === null) return plain;
  return mapped.slice(1).flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]).join('.');
}

/** The text that parses to this address. */
export function formatAddress(address: ListenAddress): string {
  switch (address.kind) {
    case 'tcp':
      return `${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
    case 'unix':
      return `unix:${address.path}`;
    case 'fd':
      return `fd://${address.fd}`;
  }
}
