/**
 * The text formats of the access log, compiled: a format becomes one function from an exchange to its line. In the worker.
 *
 * Decided once, called for every request: nothing here looks at a name or at the format when a request ends.
 */
import type { AtomName, NamedKind, Piece } from '../../config/access-log-format.js';
import type { LogClock } from './clock.js';
import { stripMount } from '../mount.js';
import { clientPortOf, mountOf } from '../request-info.js';
import { escapeText, escapeWord } from './escape.js';
import { pathOf, queryOf, requestIdOf, UNKNOWN, type Exchange } from './exchange.js';

export type Formatter = (exchange: Exchange) => string;

/** The worker a line is of. */
export interface Origin {
  pid: number;
  slot: number;
}

/** The line, with its end. */
export function compileFormat(pieces: readonly Piece[], origin: Origin, clock: LogClock): Formatter {
  const parts: Part[] = [{ cause: undefined, atoms: [], texts: [''] }];
  for (const piece of [...pieces, '\n']) {
    const atom = typeof piece === 'string' ? Buffer.from(piece, 'utf8').toString('latin1') : 'atom' in piece ? atomNamed(piece.atom, origin, clock) : named(piece.kind, piece.name);
    const last = parts.at(-1)!;
    if (typeof atom === 'string') {
      last.texts[last.texts.length - 1] += atom;
      continue;
    }
    const cause = typeof piece === 'object' && 'atom' in piece ? CAUSES[piece.atom] : undefined;
    if (cause !== undefined && last.cause === cause) {
      last.atoms.push(atom);
      last.texts.push('');
      continue;
    }
    // A text belongs to the side that is not put together for every line.
    const takes = cause !== undefined && last.cause === undefined;
    parts.push({ cause, atoms: [atom], texts: [takes ? last.texts.pop()! : '', ''] });
    if (takes) last.texts.push('');
  }
  const steps = parts.flatMap(compilePart);
  return (exchange) => {
    let line = '';
    for (let i = 0; i < steps.length; i++) line += steps[i]!(exchange);
    return line;
  };
}

/** Atoms that often print what they did in the line before, by what changes them: neighbours are put together when one changes, and not for every line. */
const CAUSES: Partial<Record<AtomName, 'client' | 'answer'>> = { u: 'client', t: 'client', m: 'client', H: 'client', f: 'client', a: 'client', s: 'answer', B: 'answer', b: 'answer' };

/** A part of a line. */
interface Part {
  /** undefined: it is one atom, that prints something else in most lines, or only a text. */
  cause: 'client' | 'answer' | undefined;
  atoms: Formatter[];
  /** Before the first, and behind each. */
  texts: string[];
}

function compilePart({ cause, atoms, texts }: Part): Formatter[] {
  const [before = '', behind = ''] = texts;
  const [atom] = atoms;
  if (atom === undefined) return before === '' ? [] : [() => before];
  if (cause !== undefined) return [repeating(atoms, texts)];
  return [behind === '' ? atom : (exchange) => atom(exchange) + behind];
}

/** So many times the same, and it will be so again. */
const OFTEN = 8;

function repeating(atoms: readonly Formatter[], [before = '', ...texts]: readonly string[]): Formatter {
  const values = atoms.map(() => '');
  let whole = before + texts.join('');
  let repeats = 0;
  return (exchange) => {
    let changed = false;
    for (let i = 0; i < atoms.length; i++) {
      const value = atoms[i]!(exchange);
      if (value === values[i]) continue;
      values[i] = value;
      changed = true;
    }
    if (changed) {
      whole = before;
      for (let i = 0; i < atoms.length; i++) whole += values[i]! + texts[i]!;
      repeats = 0;
    } else if (repeats < OFTEN && ++repeats === OFTEN) {
      // In one piece: V8 keeps a sum of strings as a tree of them, and would go through it for every line.
      whole = [before, ...values.map((value, i) => value + texts[i]!)].join('');
    }
    return whole;
  };
}

/**
 * The same for a value that is often the one before, whoever's it was: to see that costs a tenth of looking at each of its bytes. Compared as a whole, so nobody
 * gets what is another's.
 */
function remembering(escape: (value: string) => string): (value: string) => string {
  let last = '';
  let escaped = '';
  return (value) => {
    if (value === last) return escaped;
    escaped = escape(value);
    last = value;
    return escaped;
  };
}

/** The same for a number. */
function rememberingNumber(of: (exchange: Exchange) => number, print: (value: number) => string): Formatter {
  let last = NaN;
  let text = '';
  return (exchange) => {
    const value = of(exchange);
    if (value === last) return text;
    last = value;
    return (text = print(value));
  };
}

/** A text, for what is always the same. */
function atomNamed(name: AtomName, { pid, slot }: Origin, clock: LogClock): Formatter | string {
  switch (name) {
    case 'h': {
      const escaped = remembering(escapeWord);
      return ({ client, peer }) => (client === peer.address ? peer.word : escaped(client) || '-');
    }
    case 'l':
      return '-';
    case 'u':
      return ({ headers }) => (headers.authorization === undefined ? '-' : escapeWord(userOf(headers.authorization)) || '-');
    case 't':
      return ({ endMs }) => clock.common(endMs);
    case 'r': {
      let [lastMethod, lastUrl, lastProtocol, text] = ['', '', '', '  '];
      return ({ line, method, url, protocol }) => {
        if (line !== null) return escapeText(line) || '-';
        if (url !== lastUrl || method !== lastMethod || protocol !== lastProtocol) {
          [lastMethod, lastUrl, lastProtocol] = [method, url, protocol];
          text = `${method} ${escapeText(url)} ${protocol}`;
        }
        return text;
      };
    }
    case 'm':
      return ({ method }) => method || '-';
    case 'U':
      return ({ url }) => escapeText(pathOf(url)) || '-';
    case 'q':
      return ({ url }) => escapeText(queryOf(url));
    case 'H':
      return ({ protocol }) => protocol || '-';
    case 's':
      return rememberingNumber(({ status }) => status, String);
    case 'B':
      return rememberingNumber(({ bytes }) => bytes, (bytes) => (bytes === UNKNOWN ? '-' : String(bytes)));
    case 'b':
      return rememberingNumber(({ bytes }) => bytes, (bytes) => (bytes > 0 ? String(bytes) : '-'));
    case 'f': {
      const escaped = remembering(escapeText);
      return ({ headers: { referer } }) => (referer === undefined ? '-' : escaped(referer));
    }
    case 'a': {
      const escaped = remembering(escapeText);
      return ({ headers: { 'user-agent': agent } }) => (agent === undefined ? '-' : escaped(agent));
    }
    case 'T':
      return (exchange) => String(Math.floor(exchange.durationMs / 1000));
    case 'M':
      return (exchange) => String(Math.floor(exchange.durationMs));
    case 'D':
      return (exchange) => String(Math.floor(exchange.durationMs * 1000));
    case 'L':
      return (exchange) => (exchange.durationMs / 1000).toFixed(6);
    case 'p':
      return `<${pid}>`;
    case 'id':
      return (exchange) => escapeText(requestIdOf(exchange) ?? '-');
    case 'slot':
      return String(slot);
  }
}

/** The name in `Authorization: Basic`, or ''. */
export function userOf(authorization: string): string {
  const [, encoded] = /^basic +(\S+)/i.exec(authorization) ?? [];
  return encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('latin1').split(':', 1)[0]!;
}

function named(kind: NamedKind, name: string): Formatter | string {
  switch (kind) {
    case 'i':
      return ({ headers }) => orDash(headers[name]);
    case 'o': {
      // HTTP/1: looked up in what was sent, as headers given to writeHead() are kept nowhere else.
      const sent = new RegExp(`^${name.replace(/[^a-z0-9-]/g, '\\$&')}: (.*?)\\r?$`, 'gim');
      return ({ response }) => orDash(response === null ? undefined : 'sentHeaders' in response ? response.sentHeaders?.[name] : sentValues(response as unknown as Sent, sent));
    }
    case 'e':
      return variable(name);
  }
}

/** A ServerResponse whose head is made: it holds the text. */
interface Sent {
  readonly _header?: string | null;
}

function sentValues({ _header }: Sent, pattern: RegExp): string[] {
  return Array.from((_header ?? '').matchAll(pattern), ([, value]) => value!);
}

function orDash(value: string | number | readonly string[] | undefined): string {
  const text = Array.isArray(value) ? value.join(', ') : (value as string | number | undefined);
  return text === undefined || text === '' ? '-' : escapeText(String(text));
}

/** The names WSGI gives to what a request has; `http_` is a header; anything else is a variable of the environment, as it was at start. */
const VARIABLES: Readonly<Record<string, (exchange: Exchange) => string | number | undefined>> = {
  remote_addr: ({ client }) => client,
  remote_port: ({ request }) => (request === null ? undefined : clientPortOf(request)),
  remote_user: ({ headers }) => (headers.authorization === undefined ? undefined : userOf(headers.authorization)),
  request_method: ({ method }) => method,
  request_uri: ({ url }) => url,
  raw_uri: ({ url }) => url,
  script_name: ({ request }) => (request === null ? undefined : mountOf(request)),
  path_info: ({ request, url }) => (request === null ? undefined : stripMount(pathOf(url), mountOf(request))) ?? pathOf(url),
  query_string: ({ url }) => queryOf(url),
  server_protocol: ({ protocol }) => protocol,
  server_name: ({ headers }) => hostOf(headers)?.replace(/:\d+$/, ''),
  server_port: ({ request }) => request?.socket.localPort,
  content_type: ({ headers }) => headers['content-type'],
  content_length: ({ headers }) => headers['content-length'],
};

/** HTTP/2 has it in a pseudo-header. */
export function hostOf(headers: Exchange['headers']): string | undefined {
  return headers.host ?? (headers[':authority'] as string | undefined);
}

function variable(name: string): Formatter | string {
  const known = VARIABLES[name];
  if (known !== undefined) return (exchange) => orDash(known(exchange));
  if (name.startsWith('http_')) {
    const header = name.slice('http_'.length).replaceAll('_', '-');
    return ({ headers }) => orDash(headers[header]);
  }
  const [, value] = Object.entries(process.env).find(([key]) => key.toLowerCase() === name) ?? [];
  return orDash(value === undefined ? undefined : Buffer.from(value, 'utf8').toString('latin1'));
}
