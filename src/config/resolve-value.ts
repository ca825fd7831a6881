/**
 * An option's value, read from where it was given; of one that is wrong, the error with its place.
 *
 * Rank 1. In the master.
 */
import { DroverError } from '../errors.js';
import { unfitPlace } from './directories.js';
import { longFlags, options, type Option, type OptionName } from './options.js';
import { parseValue, Unfit } from './parse-value.js';

/** Where a value came from. */
export interface ValueSource {
  source: 'default' | 'supervisor' | 'environment' | 'file' | 'DROVER_CMD_ARGS' | 'flag';
  /** For people: `environment variable PORT`, `flag --workers`, the path of the config file. */
  where: string;
  /** As it was given; undefined for a default. */
  raw: unknown;
}

/** What one source gives, by the names of the options. */
export type Layer = ReadonlyMap<string, ValueSource>;

/** Throws DroverError. */
export function resolveValue(option: Option, given: ValueSource, directory: string): unknown {
  const value: unknown = parseValue(option, given.raw, directory);
  if (value instanceof Unfit) throw valueError(option, given, value);
  return value;
}

export function valueError(option: Option, { source, where, raw }: ValueSource, unfit: Unfit): DroverError {
  const name = source === 'file' ? option.name : (longFlags(option)[0] ?? option.placeholder ?? option.name);
  return new DroverError('ERR_DROVER_VALUE', `${name}: ${unfit.what}: ${show(unfit.piece ?? raw)} (${where})`, unfit.remedy);
}

/** A value as it was given, short enough for a message. */
function show(raw: unknown): string {
  if (typeof raw === 'function') return 'a function';
  const list = Array.isArray(raw) && raw.length === 1 ? (raw as unknown[])[0] : raw;
  let text: string;
  try {
    text = JSON.stringify(list) ?? String(list);
  } catch {
    text = String(list); // a cycle, a bigint
  }
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

/** What is wrong with values that a later layer covers, which nobody else judges. A sentence each, without its full stop. */
export function mistakenBelow(layers: readonly Layer[], { directory, cwd }: { directory: string; cwd: string }): string[] {
  return options.flatMap((option) => {
    // Variables add up, and each has been judged; what is for the command line alone is of no file.
    if (option.type === 'envMap' || option.commandLineOnly === true) return [];
    const given = layers.map((layer) => layer.get(option.name)).filter((value) => value !== undefined);
    const top = given.pop();
    return given.flatMap((value) => {
      // What the others' paths are relative to is relative to where drover is started.
      const parsed: unknown = parseValue(option, value.raw, option.name === 'chdir' ? cwd : directory);
      const unfit = parsed instanceof Unfit ? parsed : unfitPlace(option.name as OptionName, parsed);
      return unfit !== undefined ? [`${valueError(option, value, unfit).message}, which does nothing while ${top!.where} gives another`] : [];
    });
  });
}
