/**
 * Values of options: from what a flag, an environment variable or a config file gives to what `Config` holds, and the texts that
 * describe them. Pure; where the value came from is load.ts's.
 *
 * Rank 1. In the master.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ADDRESS_FORMS, formatAddress, parseAddress, type ListenAddress } from './address.js';
import { kebab, type Option } from './options.js';
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
    case 'bool':
      if (given === true || given === 'true') return true;
      if (given === false || given === 'false') return false;
      return new Unfit('neither true nor false', 'Give true or false.');
    case 'enum': {
      if (typeof given === 'string') {
        const value = option.synonyms?.[given] ?? given;
        if (option.values.includes(value)) return value;
      }
      return new Unfit('no such choice', `Choose one of ${option.values.join(', ')}.`);
    }
    case 'path':
      return parsePath(option, given, directory);
    case 'string':
      if (typeof given !== 'string') return new Unfit('not a text', 'Give a text.');
      if (given === '' || given.includes('\0')) return new Unfit(given === '' ? 'an empty text' : 'a text with a NUL byte', 'Give a text, or leave the option out.');
      return given;
    case 'mode':
      return parseMode(given);
    case 'module':
      return parseModule(option, given, directory);
    case 'addresses':
      return parseAddresses(given);
    case 'args':
      return parseArgs(given);
    case 'envMap':
      return parseEnvMap(given);
  }
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

export function boundsOfInteger({ min, max }: { min: number; max: number }): string {
  return max >= Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseDuration(option: Extract<Option, { type: 'duration' }>, given: unknown): number | Unfit {
  const remedy = `Give ${option.zero === undefined ? '' : `0 (${option.zero}), or `}a duration ${boundsOfDuration(option)}: a number of seconds, or with a unit as in 500ms, 30s, 2m.`;
  const [, number, unit] = /^([+-]?\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(String(given).trim()) ?? [];
  if ((typeof given !== 'string' && typeof given !== 'number') || number === undefined) return new Unfit('not a duration', remedy);
  const ms = Math.round(Number(number) * UNITS_MS[unit ?? 's']!);
  if (ms === 0 && Number(number) === 0 && option.zero !== undefined) return 0;
  if (ms < option.minMs || ms > option.maxMs) return new Unfit('out of bounds', remedy);
  return ms;
}

export function boundsOfDuration({ minMs, maxMs }: { minMs: number; maxMs: number }): string {
  return `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
}

/** In the largest unit that needs no fraction. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0';
  const [unit, size] = Object.entries(UNITS_MS).findLast(([, unitMs]) => ms % unitMs === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
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

/** What is wrong with a directory that must be there, or undefined. */
export function directoryProblem(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? undefined : 'not a directory';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such directory' : `cannot be used (${(error as NodeJS.ErrnoException).code})`;
  }
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
    // Port 0 is another port each time.
    const twice = addresses.some((other) => formatAddress(other) === formatAddress(address) && !(address.kind === 'tcp' && address.port === 0));
    if (twice) return new Unfit('given twice', 'Give each address once.', String(item));
    addresses.push(address);
  }
  return addresses;
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
  const remedy = 'Give NAME=VALUE, or in the config file an object of texts.';
  const entries: [string, unknown][] = [];
  if (Array.isArray(given)) {
    for (const item of given as unknown[]) {
      if (typeof item !== 'string') return new Unfit('not a text', remedy, typeof item);
      const cut = item.indexOf('=');
      if (cut < 1) return new Unfit('not of the form NAME=VALUE', remedy, cut === 0 ? '=...' : item);
      entries.push([item.slice(0, cut), item.slice(cut + 1)]);
    }
  } else if (typeof given === 'object' && given !== null && [Object.prototype, null].includes(Object.getPrototypeOf(given) as object | null)) {
    entries.push(...Object.entries(given));
  } else {
    return new Unfit('neither a plain object nor a list', remedy, typeof given);
  }
  for (const [name, value] of entries) {
    if (value === undefined) continue;
    if (typeof value !== 'string') return new Unfit(`the value is not a text but a ${typeof value}`, remedy, name);
    if (name === '' || name.includes('=') || name.includes('\0')) return new Unfit('not the name of a variable', remedy, name);
    if (value.includes('\0')) return new Unfit('the value has a NUL byte', remedy, name);
  }
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<string, string>;
}

/** A value of `Config` as a person reads it. */
export function formatValue(option: Option, value: unknown): string {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return '(none)';
  switch (option.type) {
    case 'duration':
      return value === 0 && option.zero !== undefined ? `0 (${option.zero})` : formatDuration(value as number);
    case 'mode':
      return value === 0 ? '0' : `0${(value as number).toString(8)}`;
    case 'addresses':
      return (value as ListenAddress[]).map(formatAddress).join(' ');
    case 'args':
      return (value as string[]).map((word) => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
    case 'envMap': {
      const entries = Object.entries(value as Record<string, string>);
      return entries.length === 0 ? '(none)' : entries.map(([name, text]) => `${name}=${option.secret === true ? '***' : text}`).join(' ');
    }
    default:
      return option.secret === true ? '***' : String(value);
  }
}
