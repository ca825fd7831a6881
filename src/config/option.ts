/**
 * What a row of the table of options (options.ts) says of its option, and the sections of the manual.
 *
 * Rank 1.
 */
import type { ListenAddress } from './address.js';

export type Env = Readonly<Record<string, string | undefined>>;

/** What a default that is computed may look at. */
export interface DefaultContext {
  env: Env;
  /** Where drover was started. */
  cwd: string;
  /** The option `app`, '' when there is none. */
  app: string;
}

interface Common {
  /** Key in the config file; the flag is the same in kebab case. */
  readonly name: string;
  /** One letter, without its dash. */
  readonly short?: string;
  /** Further long flags, without dashes: what Gunicorn calls it where that is another name. */
  readonly aliases?: readonly string[];
  /** Environment variable that sets it. */
  readonly env?: string;
  /** Given on the command line without a flag: APP, or everything after `--`. */
  readonly positional?: 'app' | 'rest';
  /** Makes no sense in a config file: says what to do instead of serving, or which file to read. */
  readonly commandLineOnly?: true;
  readonly section: Section;
  /**
   * What HUP does with a new value. `live`: the master goes by it at once. `respawn`: the workers of the new generation have it.
   * `restart`: the old value stays until drover is started anew, and the log says so.
   */
  readonly reload: Reload;
  /** Its values are not shown. */
  readonly secret?: true;
  /** What stands for the value in --help. */
  readonly placeholder?: string;
  /** First line for --help; all of it for the manual. */
  readonly help: string;
}

type Default<T> = { readonly default: T; readonly defaultSays?: string } | { readonly default: (context: DefaultContext) => T; readonly defaultSays: string };

export type Option = Common &
  (
    | ({
        readonly type: 'int';
        readonly min: number;
        readonly max: number;
        /** Words accepted in place of a number, and the number each stands for now. */
        readonly words?: Readonly<Record<string, () => number>>;
      } & Default<number>)
    /** Bounds and default in milliseconds. `zero`: what 0 means, where it is allowed below `min`. `words`: accepted in place of a duration. */
    | ({ readonly type: 'duration'; readonly minMs: number; readonly maxMs: number; readonly zero?: string; readonly words?: Readonly<Record<string, number>> } & Default<number>)
    /** Bytes; a text may have a unit. 0 means off. */
    | ({ readonly type: 'bytes'; readonly max: number } & Default<number>)
    /** Names of header fields, in lower case; `*`: all. A text has commas between them. May be repeated. */
    | ({ readonly type: 'fieldNames' } & Default<readonly string[]>)
    /** Header fields and a value for each; names in lower case. May be repeated. */
    | ({ readonly type: 'fieldValues' } & Default<Readonly<Record<string, string>>>)
    | ({ readonly type: 'bool' } & Default<boolean>)
    /** `bare`: what its flag means without a value, which is then not the next word unless that is one of the values. */
    | ({ readonly type: 'enum'; readonly values: readonly string[]; readonly synonyms?: Readonly<Record<string, string>>; readonly bare?: string } & Default<string>)
    /** Made absolute. `dash`: `-` is accepted and stands for itself. */
    | ({ readonly type: 'path'; readonly kind: 'file' | 'directory'; readonly dash?: true } & Default<string | null>)
    /** `check`: what is wrong with a text, if anything. */
    | ({ readonly type: 'string'; readonly check?: (text: string) => { what: string; remedy: string; piece: string } | undefined } & Default<string>)
    /** File mode bits: octal with a leading 0 in text. */
    | ({ readonly type: 'mode' } & Default<number>)
    | ({ readonly type: 'addresses' } & Default<readonly ListenAddress[]>)
    /** Addresses and networks to trust, in canonical form: see address-set.ts. May be repeated. */
    | ({ readonly type: 'addressSet' } & Default<readonly string[]>)
    /** One of `names`, or the path of a module, made absolute. */
    | ({ readonly type: 'module'; readonly names: readonly string[] } & Default<string>)
    /** Several words; a text is split as a shell does. */
    | ({ readonly type: 'args' } & Default<readonly string[]>)
    /** Some of `values`, each once, in an order that counts; a text has commas. `refused`: words that are known and why they are not to be had. */
    | ({ readonly type: 'choices'; readonly values: readonly string[]; readonly refused?: Readonly<Record<string, string>> } & Default<readonly string[]>)
    | ({ readonly type: 'envMap' } & Default<Readonly<Record<string, string>>>)
    /** `PREFIX=DIR`: what is served where. Directories are made absolute. */
    | ({ readonly type: 'mounts' } & Default<readonly StaticMount[]>)
  );

/** A directory served below a URL prefix: `/`, or one without a slash at its end. */
export interface StaticMount {
  prefix: string;
  directory: string;
}

export type Reload = 'live' | 'respawn' | 'restart';

export const SECTIONS = {
  app: 'App',
  listening: 'Listening',
  workers: 'Workers',
  timeouts: 'Time limits',
  http: 'HTTP',
  limits: 'Request limits',
  tls: 'TLS and HTTP/2',
  files: 'Files',
  process: 'Process',
  log: 'Log',
  run: 'What to do',
} as const;

export type Section = keyof typeof SECTIONS;

/** More rows than workers are needed on the board (ipc/board.ts) while successors boot beside their predecessors. */
export const MAX_WORKERS = 256;

export const DAY_MS = 24 * 60 * 60 * 1000;
