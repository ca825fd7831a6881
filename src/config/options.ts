/**
 * THE table: every option drover has, one row each, in a file per section (options/). From the rows come, by code: the types `Config` and `OptionInput`, the parsing of
 * flags, environment and config file (load.ts, parse-value.ts), --help, docs/options.md and --print-config (render.ts, format-value.ts).
 *
 * Adding an option is adding a row there and reading `config.<name>` where it acts; then `npm run docs`.
 *
 * Rank 1. In the master; workers import types only.
 */
import type { ListenAddress } from './address.js';
import { type Option, type StaticMount } from './option.js';
import { APP } from './options/app.js';
import { FILES } from './options/files.js';
import { HTTP } from './options/http.js';
import { LIMITS } from './options/limits.js';
import { LISTENING } from './options/listening.js';
import { LOG } from './options/log.js';
import { PROCESS } from './options/process.js';
import { RUN } from './options/run.js';
import { TIMEOUTS } from './options/timeouts.js';
import { TLS } from './options/tls.js';
import { WORKERS } from './options/workers.js';

export { MAX_WORKERS, SECTIONS, type DefaultContext, type Env, type Option, type Reload, type Section, type StaticMount } from './option.js';

export const OPTIONS = [...APP, ...LISTENING, ...WORKERS, ...TIMEOUTS, ...HTTP, ...LIMITS, ...FILES, ...TLS, ...PROCESS, ...LOG, ...RUN] as const satisfies readonly Option[];

type Row = (typeof OPTIONS)[number];
export type OptionName = Row['name'];
type ConfigRow = Exclude<Row, { commandLineOnly: true }>;

type Key<R extends Row> = R['type'] extends 'duration' ? `${R['name']}Ms` : R['type'] extends 'bytes' ? `${R['name']}Bytes` : R['name'];

type Value<R extends Row> = R extends { type: 'enum'; values: infer V extends readonly string[] }
  ? V[number]
  : R extends { type: 'choices'; values: infer V extends readonly string[] }
  ? readonly V[number][]
  : {
      int: number;
      duration: number;
      bytes: number;
      fieldNames: readonly string[];
      fieldValues: Readonly<Record<string, string>>;
      bool: boolean;
      enum: never;
      path: R extends { default: null } ? string | null : string;
      string: string;
      mode: number;
      module: string;
      addresses: readonly ListenAddress[];
      addressSet: readonly string[];
      args: readonly string[];
      choices: never;
      envMap: Readonly<Record<string, string>>;
      mounts: readonly StaticMount[];
    }[R['type']];

/** A number in a text, with a unit or without. */
type Amount<Unit extends string> = `${number}` | `${number}${Unit}` | `${number} ${Unit}`;

type Input<R extends Row> = R extends { type: 'enum'; values: infer V extends readonly string[] }
  ? V[number] | (R extends { synonyms: infer S } ? keyof S : never)
  : R extends { type: 'choices'; values: infer V extends readonly string[] }
  ? V[number] | readonly V[number][] | `${V[number]},${V[number]}`
  : {
      int: number | `${number}` | (R extends { words: infer W } ? keyof W : never);
      duration: number | Amount<'ms' | 's' | 'm' | 'h' | 'd'> | (R extends { words: infer W } ? keyof W : never);
      bytes: number | Amount<'k' | 'm' | 'g' | 'K' | 'M' | 'G'>;
      fieldNames: string | readonly string[];
      fieldValues: Readonly<Record<string, string>> | readonly string[];
      bool: boolean;
      enum: never;
      path: string;
      string: string;
      mode: number | '0' | `0${number}` | `0o${number}`;
      module: string;
      addresses: string | number | readonly (string | number)[];
      addressSet: string | readonly string[];
      args: string | readonly string[];
      choices: never;
      envMap: Readonly<Record<string, string | number | boolean | null | undefined>> | readonly string[];
      mounts: Readonly<Record<string, string>> | string | readonly string[];
    }[R['type']];

/**
 * The configuration, resolved: every option has its value. Durations are in milliseconds and named `<name>Ms`; paths are absolute
 * (those of unix sockets as given); `app` is '' only when drover is not to serve.
 */
export type Config = { readonly [R in ConfigRow as Key<R>]: Value<R> };

/** What a config file may give for each option; option-input.ts says what the options are. */
export type Inputs = { [R in ConfigRow as R['name']]: Input<R> };

export type AcceptStrategyName = Config['acceptStrategy'];
export type SteeringName = Config['steer'];

/** The rows without their literal types, for code that walks them. */
export const options: readonly Option[] = OPTIONS;

/** `maxRequests` → `max-requests`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The long flags of an option, with dashes, its own name first; none for what is positional. */
export function longFlags(option: Option): string[] {
  if (option.positional !== undefined) return [];
  return [kebab(option.name), ...(option.aliases ?? [])].map((flag) => `--${flag}`);
}

/** The key of an option in `Config`. */
export function configKey(option: Option): string {
  return option.type === 'duration' ? `${option.name}Ms` : option.type === 'bytes' ? `${option.name}Bytes` : option.name;
}
