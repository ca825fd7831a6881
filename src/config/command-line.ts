/**
 * Command line → options and their texts, in the order given. Knows the flags from the table, not what their values mean.
 *
 * `--flag value`, `--flag=value`, `-w4`, `-w 4`, `--bool`, `--no-bool`, APP, and all after `--` for the app. Not node:util parseArgs: it knows
 * no source for its messages, refuses no repeated text, and takes `-w -1` for two flags.
 *
 * Rank 1. In the master.
 */
import { DroverError } from '../errors.js';
import { parseAddress } from './address.js';
import { hintForFlag, hintForPort } from './foreign-flags.js';
import { nearest } from './nearest.js';
import { kebab, longFlags, options, type Option } from './options.js';

/** One option as it was given. */
export interface Given {
  option: Option;
  /** As it was written: `--workers`, `-w`, `APP`. */
  flag: string;
  /** Its text; the words after `--` for the rest; true or false for a flag without value. */
  value: string | string[] | boolean;
  /** It may have a value, and was given without. */
  bare?: true;
}

const byFlag = new Map<string, Option>();
for (const option of options) {
  for (const flag of longFlags(option)) byFlag.set(flag, option);
  if (option.short !== undefined) byFlag.set(`-${option.short}`, option);
}

/** `origin`: what to add to messages, for instance ` in DROVER_CMD_ARGS`. Throws DroverError. */
export function parseCommandLine(words: readonly string[], origin: string): Given[] {
  const given: Given[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === '--') {
      const option = options.find((row) => row.positional === 'rest')!;
      given.push({ option, flag: '--', value: words.slice(i + 1) });
      break;
    }
    if (word === '-' || !word.startsWith('-')) {
      const option = options.find((row) => row.positional === 'app')!;
      const before = given.at(-1);
      if (before !== undefined && before.bare === true && isMeantFor(before.option, word)) throw noValue(before, word, origin);
      const app = given.find((earlier) => earlier.option === option);
      if (app !== undefined) {
        if (before?.option.name === 'bind' && /:|^\d+$/.test(word) && typeof parseAddress(word) !== 'string') {
          throw new DroverError('ERR_DROVER_VALUE', `unexpected argument ${quote(word)}${origin}: ${before.flag} takes one address`, `Give it once for each: ${before.flag} ${word}`);
        }
        // Which of the two is the app, and which was meant for the flag before it?
        const flags = [before, given[given.indexOf(app) - 1]].map((earlier) => (earlier?.bare === true && earlier.option.type === 'enum' ? ` ${earlier.flag} takes ${valuesOf(earlier.option)}.` : ''));
        throw new DroverError('ERR_DROVER_VALUE', `unexpected argument ${quote(word)}${origin}: the app is ${quote(app.value as string)} already`, `Arguments for the app come after --.${flags.find((text) => text !== '') ?? ''}`);
      }
      given.push({ option, flag: 'APP', value: word });
      continue;
    }

    let flag: string;
    let text: string | undefined;
    const cut = word.indexOf('=');
    const head = cut === -1 ? word : word.slice(0, cut);
    const tail = cut === -1 ? undefined : word.slice(cut + 1);
    if (word.startsWith('--')) {
      flag = head;
      text = tail;
    } else {
      // -version as -v with the value "ersion" is nothing that anybody means.
      const meant = `-${head}`;
      if (head.length > 2 && (byFlag.has(meant) || hintForFlag(meant) !== undefined)) throw unknownFlag(head, origin, tail ?? words[i + 1], meant);
      flag = word.slice(0, 2);
      text = word.length === 2 ? undefined : word.slice(2).replace(/^=/, '');
    }

    const negated = flag.startsWith('--no-') ? byFlag.get(`--${flag.slice('--no-'.length)}`) : undefined;
    if (negated?.type === 'bool') {
      if (text !== undefined) throw new DroverError('ERR_DROVER_VALUE', `${flag} takes no value: ${quote(text)}${origin}`, `Leave ${quote(`=${text}`)} out.`);
      given.push({ option: negated, flag, value: false });
      continue;
    }
    const option = byFlag.get(flag);
    if (option === undefined) throw unknownFlag(flag, origin, text ?? words[i + 1]);
    if (option.type === 'bool') {
      // -vh would be two flags; nobody needs that, and -v4 would be an accident.
      if (text !== undefined && !word.startsWith('--')) throw unknownFlag(word, origin);
      given.push(text === undefined ? { option, flag, value: true, bare: true } : { option, flag, value: text });
      continue;
    }
    if (text === undefined) {
      const next = words[i + 1];
      if (option.type === 'enum' && option.bare !== undefined && !option.values.includes(next ?? '')) {
        given.push({ option, flag, value: option.bare, bare: true });
        continue;
      }
      if (next === undefined || !mayBeValue(option, next)) throw new DroverError('ERR_DROVER_VALUE', `${flag} needs a value${origin}${next === undefined ? '' : `, but ${quote(next)} follows`}`, `Write ${flag} ${placeholderOf(option)}: ${firstLine(option.help)}`);
      text = next;
      i++;
    }
    const hint = hintForPort(flag, text);
    if (hint !== undefined) throw new DroverError('ERR_DROVER_VALUE', `${flag} is ${longFlags(option)[0]!}, and ${quote(text)} looks like a port${origin}`, hint);
    given.push({ option, flag, value: text });
  }
  return given;
}

/** Whether a word after a flag that stands without value is one for it all the same, though a wrong one; rather than the app. */
function isMeantFor(option: Option, word: string): boolean {
  if (/^(?:true|false|yes|no|on|off|1|0)$/i.test(word)) return true;
  return option.type === 'enum' && !/[/:]|\.[cm]?[jt]s$/.test(word) && nearest(word, option.values) !== undefined;
}

function noValue({ option, flag }: Given, word: string, origin: string): DroverError {
  if (option.type !== 'enum') return new DroverError('ERR_DROVER_VALUE', `${flag} takes no value after a blank: ${quote(word)}${origin}`, `Write ${flag}=${word}, or ${flag} alone${option.default === true ? `, or ${flag.replace('--', '--no-')}` : ''}.`);
  return new DroverError('ERR_DROVER_VALUE', `${flag}: no such choice: ${quote(word)}${origin}`, `Choose one of ${valuesOf(option)}. An app of that name comes before the flag.`);
}

function valuesOf(option: Extract<Option, { type: 'enum' }>): string {
  return `${option.values.join(', ')}; alone it means ${option.bare!}`;
}

/** Whether a word that follows a flag can be its value, rather than the next flag after a value that was forgotten. */
function mayBeValue(option: Option, word: string): boolean {
  if (word === '-' || !word.startsWith('-') || /^-\d/.test(word)) return true;
  // Arguments for node begin with dashes: --node-args --expose-gc
  return option.type === 'args' && word !== '--';
}

/** `next`: the text after it, its value with others. `meant`: what it is known to be a slip for. */
function unknownFlag(flag: string, origin: string, next?: string, meant = flag): DroverError {
  const hint = hintForFlag(meant, next);
  if (hint !== undefined) return new DroverError('ERR_DROVER_UNKNOWN_FLAG', `unknown flag ${flag}${origin}`, hint);
  const near = byFlag.has(meant) ? meant : flag.startsWith('--') ? nearest(flag, [...byFlag.keys()].filter((known) => known.startsWith('--'))) : undefined;
  return new DroverError('ERR_DROVER_UNKNOWN_FLAG', `unknown flag ${flag}${origin}`, near === undefined ? 'drover --help lists the flags; arguments for the app come after --.' : `Did you mean ${near}?`);
}

/** What stands for a value in --help. */
export function placeholderOf(option: Option): string {
  if (option.placeholder !== undefined) return option.placeholder;
  switch (option.type) {
    case 'int':
      return 'N';
    case 'duration':
      return 'TIME';
    case 'bytes':
      return 'BYTES';
    case 'enum':
      return kebab(option.name).split('-').at(-1)!.toUpperCase();
    case 'path':
      return option.kind === 'file' ? 'FILE' : 'DIR';
    case 'bool':
      return '';
    default:
      return option.name.toUpperCase();
  }
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
