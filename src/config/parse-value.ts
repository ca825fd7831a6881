/**
 * Values of options as they are given (a flag, an environment variable, a config file) to what `Config` holds. Pure; where the value came
 * from is load.ts's, how a value is shown format-value.ts's.
 *
 * Rank 1. In the master.
 */
import { resolve } from 'node:path';
import { ADDRESS_SET_FORMS, parseAddressSet } from './address-set.js';
import { ADDRESS_FORMS, overlap, parseAddress, type ListenAddress } from './address.js';
import { boundsOfDuration, boundsOfInteger, formatBytes, UNITS_BYTES, UNITS_MS } from './format-value.js';
import { kebab, type Option, type StaticMount } from './options.js';
import { splitWords } from './shell-words.js';

/** What is wrong with a value, and what would be right. Both end up in one message. */
export class Unfit {
  constructor(
    /** For instance `not a duration`. */
    readonly what: string,
    /** A sentence: what to give instead. */
    readonly remedy: string,
    /** The piece that is wrong, when it is not all of what was given. */
    readonly piece?: string,
  ) {}
}

/**
 * The value as `Config` holds it. `given` is a text (flag, environment), a list of texts (a repeated flag) or anything at all (config file).
 * `directory`: what paths are relative to.
 */
export function parseValue(option: Option, given: unknown, directory: string): unknown {
  switch (option.type) {
    case 'int':
      return parseInteger(option, given);
    case 'duration':
      return parseDuration(option, given);
    case 'bytes':
      return parseBytes(option, given);
    case 'fieldNames':
      return parseFieldNames(given);
    case 'fieldValues':
      return parseFieldValues(given);
    case 'bool':
      if (given === true || (typeof given === 'string' && /^(?:true|yes|y|on|1)$/i.test(given))) return true;
      if (given === false || (typeof given === 'string' && /^(?:false|no|n|off|0)$/i.test(given))) return false;
      return new Unfit('neither true nor false', 'Give true or false.');
    case 'enum': {
      if (typeof given === 'string' || typeof given === 'number') {
        const value = option.synonyms?.[given] ?? given;
        if (typeof value === 'string' && option.values.includes(value)) return value;
      }
      return new Unfit('no such choice', `Choose one of ${option.values.join(', ')}.`);
    }
    case 'path':
      return parsePath(option, given, directory);
    case 'string': {
      if (typeof given !== 'string') return new Unfit('not a text', 'Give a text.');
      if (given === '' || given.includes('\0')) return new Unfit(given === '' ? 'an empty text' : 'a text with a NUL byte', 'Give a text, or leave the option out.');
      const problem = option.check?.(given);
      return problem === undefined ? given : new Unfit(problem.what, problem.remedy, problem.piece);
    }
    case 'mode':
      return parseMode(given);
    case 'module':
      return parseModule(option, given, directory);
    case 'addresses':
      return parseAddresses(given);
    case 'addressSet':
      return parseTrusted(given);
    case 'args':
      return parseArgs(given);
    case 'choices':
      return parseChoices(option, given);
    case 'envMap':
      return parseEnvMap(given);
    case 'mounts':
      return parseMounts(given, directory);
  }
}

function parseChoices(option: Extract<Option, { type: 'choices' }>, given: unknown): readonly string[] | Unfit {
  const { values, refused } = option;
  const remedy = `Give one or several of ${values.join(', ')}, with commas between: ${values.join(',')}.`;
  const words = typeof given === 'string' ? given.split(',').map((word) => word.trim()) : given;
  if (!Array.isArray(words) || words.length === 0 || !words.every((word) => typeof word === 'string')) return new Unfit('not a list of choices', remedy);
  for (const [i, word] of (words as string[]).entries()) {
    if (refused !== undefined && Object.hasOwn(refused, word)) return new Unfit(refused[word]!, remedy, word);
    if (!values.includes(word)) return new Unfit('no such choice', remedy, word);
    if (words.indexOf(word) !== i) return new Unfit('given twice', remedy, word);
  }
  return words as string[];
}

function parseInteger(option: Extract<Option, { type: 'int' }>, given: unknown): number | Unfit {
  const words = option.words ?? {};
  if (typeof given === 'string' && Object.hasOwn(words, given)) return Math.min(option.max, words[given]!());
  const remedy = `Give a whole number ${boundsOfInteger(option)}${Object.keys(words).map((word) => `, or ${word}`).join('')}.`;
  const value = typeof given === 'string' && /^[+-]?\d+$/.test(given.trim()) ? Number(given) : given;
  if (typeof value !== 'number' || !Number.isInteger(value)) return new Unfit('not a whole number', remedy);
  if (value < option.min || value > option.max) return new Unfit('out of bounds', remedy);
  return value;
}

function parseDuration(option: Extract<Option, { type: 'duration' }>, given: unknown): number | Unfit {
  if (typeof given === 'string' && Object.hasOwn(option.words ?? {}, given)) return option.words![given]!;
  const remedy = `Give ${option.zero === undefined ? '' : `0 (${option.zero}), or `}${Object.keys(option.words ?? {}).map((word) => `${word}, or `).join('')}a duration ${boundsOfDuration(option)}: a number of seconds, or with a unit as in 500ms, 30s, 2m.`;
  const [, number, unit] = /^([+-]?\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(String(given).trim()) ?? [];
  if ((typeof given !== 'string' && typeof given !== 'number') || number === undefined) return new Unfit('not a duration', remedy);
  const ms = Math.round(Number(number) * UNITS_MS[unit ?? 's']!);
  if (ms === 0 && Number(number) === 0 && option.zero !== undefined) return 0;
  if (ms < option.minMs || ms > option.maxMs) return new Unfit('out of bounds', remedy);
  return ms;
}

function parseBytes({ max }: { max: number }, given: unknown): number | Unfit {
  const remedy = `Give a number of bytes up to ${formatBytes(max)}, or with a unit as in 64k, 10m, 1g.`;
  const [, number, unit] = /^(\d+)\s*([kmg]?)$/i.exec(String(given).trim()) ?? [];
  if ((typeof given !== 'string' && typeof given !== 'number') || number === undefined) return new Unfit('not a number of bytes', remedy);
  const bytes = Number(number) * UNITS_BYTES[unit!.toLowerCase()]!;
  return bytes <= max ? bytes : new Unfit('out of bounds', remedy);
}

/** RFC 9110's `token`. */
const FIELD_NAME = /^[\w!#$%&'*+.^`|~-]+$/;

function parseFieldNames(given: unknown): readonly string[] | Unfit {
  const remedy = 'Give names of headers with commas between them, or *.';
  const items: unknown[] = Array.isArray(given) ? given : [given];
  const names = new Set<string>();
  for (const item of items) {
    if (typeof item !== 'string') return new Unfit('not a text', remedy);
    for (const name of item.split(',').map((piece) => piece.trim())) {
      if (name === '' && item.trim() === '') continue;
      if (!FIELD_NAME.test(name)) return new Unfit('not the name of a header', remedy, name);
      names.add(name.toLowerCase());
    }
  }
  return [...names];
}

function parseFieldValues(given: unknown): Readonly<Record<string, string>> | Unfit {
  const remedy = 'Give NAME=VALUE, or in the config file an object of texts.';
  const items: unknown[] = Array.isArray(given) ? given : typeof given === 'string' ? [given] : [];
  const isPlain = isPlainObject(given);
  if (items.length === 0 && !isPlain && !Array.isArray(given)) return new Unfit('neither a plain object nor a list', remedy);
  const values: Record<string, string> = {};
  const pairs: [unknown, unknown][] = isPlain ? Object.entries(given) : items.map((item) => (typeof item === 'string' ? split(item) : [item, undefined]));
  for (const [name, value] of pairs) {
    if (typeof name !== 'string' || typeof value !== 'string') return new Unfit('not of the form NAME=VALUE', remedy, typeof name === 'string' ? name : typeof name);
    if (!FIELD_NAME.test(name)) return new Unfit('not the name of a header', remedy, name);
    values[name.toLowerCase()] = value;
  }
  return values;
}

function parsePath(option: Extract<Option, { type: 'path' }>, given: unknown, directory: string): string | Unfit {
  const remedy = `Give the path of a ${option.kind}${option.dash === true ? ', or -' : ''}.`;
  if (typeof given !== 'string' || given === '' || given.includes('\0')) return new Unfit('not a path', remedy);
  if (given === '-') return option.dash === true ? given : new Unfit('not a path', remedy);
  return resolve(directory, given);
}

/** A bare word is a name, so that a misspelt one is not taken for a file. */
function parseModule(option: Extract<Option, { type: 'module' }>, given: unknown, directory: string): string | Unfit {
  const remedy = `Give ${option.names.join(', ')}, or the path of a module, as in ./${kebab(option.name)}.js.`;
  if (typeof given !== 'string' || given.includes('\0')) return new Unfit('neither a name nor a path', remedy);
  if (option.names.includes(given)) return given;
  return /\/|\.[cm]?[jt]s$/.test(given) ? resolve(directory, given) : new Unfit('no such choice', remedy);
}

function parseMode(given: unknown): number | Unfit {
  const remedy = 'Give mode bits from 0 to 0777, in octal with a leading 0: 022.';
  let value = given;
  if (typeof given === 'string') {
    // A text without the leading 0 is refused: Gunicorn takes 22 as decimal, chmod as octal.
    if (!/^0o?[0-7]*$/.test(given)) return new Unfit(/^[0-7]+$/.test(given) ? 'octal or decimal? the leading 0 is missing' : 'no octal number', remedy);
    value = parseInt(given.replace('o', ''), 8);
  }
  if (typeof value !== 'number' || !Number.isInteger(value)) return new Unfit('no octal number', remedy);
  return value >= 0 && value <= 0o777 ? value : new Unfit('out of bounds', remedy);
}

function parseAddresses(given: unknown): readonly ListenAddress[] | Unfit {
  const remedy = `Give ${ADDRESS_FORMS}.`;
  const items: unknown[] = Array.isArray(given) ? given : [given];
  if (items.length === 0) return new Unfit('an empty list', remedy);
  const addresses: ListenAddress[] = [];
  for (const item of items) {
    if (typeof item !== 'string' && !Number.isInteger(item)) return new Unfit('not an address', remedy, String(item));
    const address = parseAddress(String(item).trim());
    if (typeof address === 'string') return new Unfit(address, remedy, String(item));
    for (const [i, other] of addresses.entries()) {
      const why = overlap(other, address);
      const theirs = String(items[i]);
      if (why === 'all') return new Unfit(`overlaps with ${JSON.stringify(theirs)}, and no two sockets may listen at one address`, 'Give the one alone that stands for all: 0.0.0.0 for those of IPv4, [::] for IPv4 and IPv6.', String(item));
      if (why === 'same') return new Unfit(theirs === String(item) ? 'given twice' : `the same address as ${JSON.stringify(theirs)}`, 'Give each address once.', String(item));
    }
    addresses.push(address);
  }
  return addresses;
}

function parseTrusted(given: unknown): readonly string[] | Unfit {
  const remedy = `Give ${ADDRESS_SET_FORMS}.`;
  const items: unknown[] = Array.isArray(given) ? given : [given];
  if (!items.every((item) => typeof item === 'string')) return new Unfit('not a text', remedy);
  const parsed = parseAddressSet(items as string[]);
  return 'piece' in parsed ? new Unfit(parsed.what, remedy, parsed.piece) : parsed;
}

function parseArgs(given: unknown): readonly string[] | Unfit {
  const remedy = 'Give a text that is split as a shell does, or in the config file a list of texts.';
  if (typeof given === 'string') {
    const words = splitWords(given);
    return typeof words === 'string' ? new Unfit(words, remedy) : words;
  }
  if (!Array.isArray(given) || !given.every((item) => typeof item === 'string' && !item.includes('\0'))) return new Unfit('not a list of texts', remedy);
  return given as string[];
}

/** Messages never show the value of a variable: it may be a secret. */
function parseEnvMap(given: unknown): Readonly<Record<string, string>> | Unfit {
  const remedy = 'Give NAME=VALUE, or in the config file an object of texts and numbers.';
  const entries: [string, unknown][] = [];
  if (Array.isArray(given)) {
    for (const item of given as unknown[]) {
      if (typeof item !== 'string') return new Unfit('not a text', remedy, typeof item);
      const cut = item.indexOf('=');
      // As PM2 has it: --env production.
      if (cut < 1) return new Unfit('not of the form NAME=VALUE', `${remedy} PM2's --env production is NODE_ENV=production.`, cut === 0 ? '=...' : item);
      entries.push([item.slice(0, cut), item.slice(cut + 1)]);
    }
  } else if (isPlainObject(given)) {
    entries.push(...Object.entries(given));
  } else {
    return new Unfit('neither a plain object nor a list', remedy, typeof given);
  }
  const variables: [string, string][] = [];
  for (const [name, value] of entries) {
    if (value === undefined || value === null) continue;
    // What a variable holds is text; { PORT: 3000, DEBUG: true } says which.
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return new Unfit(`the value is not a text but ${typeof value === 'object' ? 'an object' : `a ${typeof value}`}`, remedy, name);
    if (name === '' || name.includes('=') || name.includes('\0')) return new Unfit('not the name of a variable', remedy, name);
    const text = String(value);
    if (text.includes('\0')) return new Unfit('the value has a NUL byte', remedy, name);
    variables.push([name, text]);
  }
  return Object.fromEntries(variables);
}

function parseMounts(given: unknown, directory: string): readonly StaticMount[] | Unfit {
  const remedy = 'Give PREFIX=DIR, as in /assets=./public.';
  const isObject = isPlainObject(given);
  const items: unknown[] = isObject ? Object.entries(given) : Array.isArray(given) ? given : [given];
  const mounts: StaticMount[] = [];
  for (const item of items) {
    if (!isObject && typeof item !== 'string') return new Unfit('not PREFIX=DIR', remedy);
    const [prefix, path] = isObject ? (item as [string, unknown]) : split(item as string);
    const piece = isObject ? prefix : (item as string);
    if (typeof path !== 'string' || path === '' || path.includes('\0')) return new Unfit('no directory', remedy, piece);
    // Compared with paths as they come in, before anything is decoded.
    if (!/^\/(?:[\w~!$&'()*+,;:@-][\w.~!$&'()*+,;:@-]*\/?)*$/.test(prefix)) return new Unfit('the prefix is no plain path of a URL', 'Begin it with a slash, without escapes, empty names or dots at the begin of a name.', piece);
    const mount = { prefix: prefix === '/' ? prefix : prefix.replace(/\/$/, ''), directory: resolve(directory, path) };
    if (mounts.some((other) => other.prefix === mount.prefix)) return new Unfit('given twice', 'Give each prefix once.', piece);
    mounts.push(mount);
  }
  return mounts;
}

function split(item: string): [string, string | undefined] {
  const cut = item.indexOf('=');
  return cut === -1 ? [item, undefined] : [item.slice(0, cut), item.slice(cut + 1)];
}

/** An object literal, and not an instance of anything. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);
}
