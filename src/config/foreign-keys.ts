/**
 * Keys in a config file that other process managers have, each with the key of drover's to write instead. The hints are those for flags.
 *
 * Rank 1. In the master.
 */
import { unprintedHint } from './foreign-flags.js';
import { kebab, longFlags, options, type Option } from './options.js';
import { codeSpan, printable, splitWords } from './shell-words.js';

export function hintForKey(key: string, raw: unknown): string | undefined {
  // Gunicorn's and PM2's keys have underscores.
  const given = typeof raw === 'string' || typeof raw === 'number' ? String(raw) : undefined;
  const hint = unprintedHint(`--${kebab(key).replaceAll('_', '-')}`, given);
  const inKeys = hint?.replace(/(?<!`)(`+)(--[a-z0-9-]+)(?: (.+?))?\1(?!`)/gs, (asFlag, _fence: string, flag: string, value?: string) => {
    const option = options.find((option) => option.commandLineOnly !== true && longFlags(option).includes(flag));
    return option === undefined ? asFlag : codeSpan(`${option.name}${value === undefined ? '' : `: ${asWritten(value, option.type, given)}`}`);
  });
  return inKeys === undefined ? undefined : printable(inKeys);
}

/** A value of a command line in a config file; what stands for one (FILE, N) is left as it is. */
function asWritten(value: string, type: Option['type'], given: string | undefined): string {
  const words = splitWords(value);
  const text = typeof words === 'string' ? value : words.join(' ');
  const [, name, rest] = (type === 'envMap' ? /^([^=]+)=(.*)$/s.exec(text) : null) ?? [];
  if (name !== undefined) return `{ ${quoted(name)}: ${quoted(rest!)} }`;
  const isBare = ['int', 'duration', 'bytes'].includes(type) ? /^(\d+|[A-Z]+)$/.test(text) : text !== given && /^[A-Z]+$/.test(text);
  return isBare ? text : quoted(text);
}

/** JSON leaves the control characters behind ASCII as they are. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}
