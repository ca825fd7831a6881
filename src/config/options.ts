/**
 * THE table: every option drover has, one row each. From the rows come, by code: the types `Config` and `DroverConfig`, the parsing of
 * flags, environment and config file (load.ts, value.ts), --help, docs/options.md and --print-config (render.ts).
 *
 * Adding an option is adding a row here and reading `config.<name>` where it acts; nothing else.
 *
 * Rank 1. In the master; workers import types only.
 */
import { DEFAULT_HOST, DEFAULT_PORT, defaultPlace, type ListenAddress } from './address.js';
import { grantedCpus } from './cpus.js';

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
    /** Bounds and default in milliseconds. `zero`: what 0 means, where it is allowed below `min`. */
    | ({ readonly type: 'duration'; readonly minMs: number; readonly maxMs: number; readonly zero?: string } & Default<number>)
    | ({ readonly type: 'bool' } & Default<boolean>)
    | ({ readonly type: 'enum'; readonly values: readonly string[]; readonly synonyms?: Readonly<Record<string, string>> } & Default<string>)
    /** Made absolute. `dash`: `-` is accepted and stands for itself. */
    | ({ readonly type: 'path'; readonly kind: 'file' | 'directory'; readonly dash?: true } & Default<string | null>)
    | ({ readonly type: 'string' } & Default<string>)
    /** File mode bits: octal with a leading 0 in text. */
    | ({ readonly type: 'mode' } & Default<number>)
    | ({ readonly type: 'addresses' } & Default<readonly ListenAddress[]>)
    /** One of `names`, or the path of a module, made absolute. */
    | ({ readonly type: 'module'; readonly names: readonly string[] } & Default<string>)
    /** Several words; a text is split as a shell does. */
    | ({ readonly type: 'args' } & Default<readonly string[]>)
    | ({ readonly type: 'envMap' } & Default<Readonly<Record<string, string>>>)
  );

export type Reload = 'live' | 'respawn' | 'restart';

export const SECTIONS = {
  app: 'App',
  listening: 'Listening',
  workers: 'Workers',
  timeouts: 'Time limits',
  process: 'Process',
  log: 'Log',
  run: 'What to do',
} as const;

export type Section = keyof typeof SECTIONS;

/** More rows than workers are needed on the board (ipc/board.ts) while successors boot beside their predecessors. */
export const MAX_WORKERS = 256;

const DAY_MS = 24 * 60 * 60 * 1000;

export const OPTIONS = [
  {
    name: 'app',
    positional: 'app',
    type: 'string',
    default: '',
    defaultSays: 'none: it has to be given',
    section: 'app',
    reload: 'respawn',
    placeholder: 'APP',
    help: `the app to serve: a path or a package, with an optional :export.
The export may be dotted, or a call: \`./app.js:create({"x":1})\`. A path is relative to the working directory (--chdir). The app may export a handler, a server, a framework's app, a promise or a factory of these, or be a script that calls listen() itself.`,
  },
  {
    name: 'appArgs',
    positional: 'rest',
    type: 'args',
    default: [],
    section: 'app',
    reload: 'respawn',
    placeholder: '-- ARG...',
    help: `arguments for the app: everything after \`--\`.
The app finds them in process.argv after its own path. On the command line they take the place of those of the config file.`,
  },
  {
    name: 'chdir',
    type: 'path',
    kind: 'directory',
    default: (context) => context.cwd,
    defaultSays: 'where drover is started',
    section: 'app',
    reload: 'respawn',
    placeholder: 'DIR',
    help: `working directory of drover and the app.
Every relative path, in a flag or in the config file, is relative to it (not to the place of the config file); only --config and --chdir themselves are relative to where drover is started. A link in it is followed anew for each worker, so that a reload follows a \`current\` link to the new release.`,
  },
  {
    name: 'env',
    short: 'e',
    type: 'envMap',
    default: {},
    section: 'app',
    reload: 'respawn',
    secret: true,
    placeholder: 'NAME=VALUE',
    help: `environment variable for the workers; may be repeated.
Added to the environment drover itself runs in. On the command line it adds to the variables of the config file.`,
  },
  {
    name: 'nodeArgs',
    type: 'args',
    default: [],
    section: 'app',
    reload: 'respawn',
    placeholder: 'ARGS',
    help: `flags for the workers' node, for instance "--max-old-space-size=300 --enable-source-maps".
One text that is split as a shell splits it; in the config file also a list. Repeated, the last one wins.`,
  },

  {
    name: 'bind',
    short: 'b',
    type: 'addresses',
    default: defaultBind,
    defaultSays: `HOST:PORT of the environment, else ${DEFAULT_HOST}:${DEFAULT_PORT}; a script's own address`,
    section: 'listening',
    reload: 'restart',
    placeholder: 'ADDRESS',
    help: `where to listen; may be repeated.
HOST:PORT, [IPV6]:PORT, :PORT (all interfaces), PORT (${DEFAULT_HOST}), unix:PATH, unix:@NAME (abstract), fd://N (an inherited listening socket). Host names are resolved once, at start. When an app calls listen() itself, its first listen() is served here; without --bind the app's own address counts.
Without --bind an app that does not call listen() is served at ${DEFAULT_HOST}:${DEFAULT_PORT}. The environment variables HOST and PORT change that default, and nothing else: PORT alone means all interfaces (0.0.0.0:PORT), HOST alone keeps port ${DEFAULT_PORT}.`,
  },
  {
    name: 'backlog',
    type: 'int',
    min: 1,
    max: 65535,
    default: 2048,
    section: 'listening',
    reload: 'restart',
    help: `connections that may wait to be accepted, per socket.
The kernel cuts it to net.core.somaxconn; drover warns when it does.`,
  },
  {
    name: 'umask',
    short: 'm',
    type: 'mode',
    default: 0,
    section: 'listening',
    reload: 'restart',
    placeholder: 'MODE',
    help: `mode bits taken from unix sockets, in octal (022).
With 0, every user of the machine may connect, as with Gunicorn. Files that the app writes are not concerned.`,
  },
  {
    name: 'acceptStrategy',
    type: 'enum',
    values: ['auto', 'reuseport', 'exclusive', 'grant', 'lock', 'semaphore', 'shared'],
    default: 'auto',
    section: 'listening',
    reload: 'restart',
    help: `how workers share connections; see docs/accept.md.
\`auto\`: \`reuseport\` for TCP, \`exclusive\` for unix sockets and inherited descriptors. \`reuseport\`: a socket per worker slot, and siblings that help out. \`exclusive\`: one socket, the kernel wakes one idle worker in turn. \`grant\`: one socket, the master picks the least loaded worker for each connection. \`lock\`, \`semaphore\`: one socket, polled by the one worker, or the few, that have a permit. \`shared\`: one socket, every idle worker is woken: for comparison.`,
  },
  {
    name: 'acceptPermits',
    type: 'int',
    min: 1,
    max: 16,
    default: 2,
    section: 'listening',
    reload: 'restart',
    help: `workers that poll the socket at a time under --accept-strategy semaphore.`,
  },
  {
    name: 'steer',
    type: 'enum',
    values: ['auto', 'least', 'weighted', 'hash'],
    default: 'auto',
    section: 'listening',
    reload: 'restart',
    help: `how reuseport chooses a worker for a connection: auto, least, weighted or hash.
\`least\`: the least loaded worker, by a program in the kernel; needs the capability CAP_BPF. \`weighted\`: at random, by shares that follow the loads; needs no privilege. \`hash\`: the kernel's hash of addresses and ports. \`auto\`: \`least\` where it is permitted, else \`weighted\`; the log says which and why. See docs/accept.md.`,
  },
  {
    name: 'stallMs',
    type: 'int',
    min: 1,
    max: 60_000,
    default: 20,
    section: 'listening',
    reload: 'restart',
    help: `milliseconds out of poll after which a worker gets no new connections.
A worker whose event loop has been busy for so long is passed over until it waits for events again. Whatever is in its queue already is taken by its siblings.`,
  },

  {
    name: 'workers',
    short: 'w',
    env: 'WEB_CONCURRENCY',
    type: 'int',
    min: 1,
    max: MAX_WORKERS,
    words: { auto: () => grantedCpus() },
    default: 1,
    section: 'workers',
    reload: 'live',
    placeholder: 'N|auto',
    help: `number of worker processes; auto: one per CPU that the cgroup grants.
\`auto\` is the smallest of the CPU quota of the cgroup and its parents (rounded up), and the CPUs that may be used (cpuset, affinity).`,
  },
  {
    name: 'workerClass',
    short: 'k',
    type: 'module',
    names: ['http', 'sync'],
    default: 'http',
    section: 'workers',
    reload: 'respawn',
    placeholder: 'CLASS',
    help: `what a worker is: http, sync, or the path of a module with a class of yours.
\`http\`: many requests at a time, as Node does. \`sync\`: one request at a time, and \`Connection: close\` on every response: for apps that block the event loop, behind a proxy that buffers; it means --worker-concurrency 1 and refuses another. A path (with a slash, or ending in .js, .mjs, .cjs, .ts, .mts or .cts): see docs/worker-class.md.`,
  },
  {
    name: 'workerConnections',
    type: 'int',
    min: 0,
    max: 1_000_000,
    default: 0,
    section: 'workers',
    reload: 'respawn',
    help: `connections a worker may have open at a time; 0: no limit.
At the limit it takes no new one until one has closed; what comes meanwhile is taken by other workers or waits in the kernel's queue (--backlog). Idle keep-alive connections and WebSockets count.`,
  },
  {
    name: 'workerConcurrency',
    type: 'int',
    min: 0,
    max: 1_000_000,
    default: 0,
    section: 'workers',
    reload: 'respawn',
    help: `HTTP requests in flight at which a worker takes no new connection; 0: no limit.
1 is one request at a time, as Gunicorn's sync workers. A connection that was just accepted counts as a request until its first request has begun, or for a second. Idle keep-alive connections do not count, and a request on one is served even at the limit (\`-k sync\` closes them); so is one that comes later than that second on a silent connection.`,
  },
  {
    name: 'maxRequests',
    type: 'int',
    min: 0,
    max: 2 ** 53 - 1,
    default: 0,
    section: 'workers',
    reload: 'respawn',
    help: `requests after which a worker is replaced; 0: never.
The successor is ready before the worker drains.`,
  },
  {
    name: 'maxRequestsJitter',
    type: 'int',
    min: 0,
    max: 2 ** 53 - 1,
    default: 0,
    section: 'workers',
    reload: 'respawn',
    help: `adds up to N, at random per worker, to --max-requests.
So that the workers are not all replaced at the same time.`,
  },
  {
    name: 'reloadParallel',
    type: 'int',
    min: 1,
    max: MAX_WORKERS,
    default: 1,
    section: 'workers',
    reload: 'live',
    help: `successors that boot at the same time during a reload.
A successor boots beside the worker it replaces: this bounds the memory of a reload.`,
  },
  {
    name: 'workerTmpDir',
    type: 'path',
    kind: 'directory',
    default: null,
    defaultSays: 'the first tmpfs of /dev/shm, /run and the system\'s temporary directory',
    section: 'workers',
    reload: 'restart',
    placeholder: 'DIR',
    help: `directory of the heartbeat files; best on a tmpfs.
When it cannot be used, drover says so and judges liveness without files.`,
  },

  {
    name: 'bootTimeout',
    type: 'duration',
    minMs: 100,
    maxMs: 7 * DAY_MS,
    default: 60_000,
    section: 'timeouts',
    reload: 'live',
    help: `time for a worker to become ready.
Ready means: the app has loaded and, when it is a script, listens. A worker that takes longer is killed.`,
  },
  {
    name: 'timeout',
    short: 't',
    type: 'duration',
    minMs: 1000,
    maxMs: 7 * DAY_MS,
    zero: 'off',
    default: 30_000,
    section: 'timeouts',
    reload: 'respawn',
    help: `a worker whose event loop has not turned for so long is killed; 0: off.
The log has the JavaScript stack it was stuck in. A slow request is no reason: only a blocked event loop is.`,
  },
  {
    name: 'gracefulTimeout',
    type: 'duration',
    minMs: 0,
    maxMs: 7 * DAY_MS,
    default: 30_000,
    section: 'timeouts',
    reload: 'live',
    help: `time for a worker to finish its requests when it is told to stop.
After it the worker is killed.`,
  },

  {
    name: 'name',
    short: 'n',
    type: 'string',
    default: (context) => context.app,
    defaultSays: 'the app as given',
    section: 'process',
    reload: 'restart',
    help: `name in the process titles: \`drover: master [NAME]\`.
Tells several drovers on one machine apart.`,
  },
  {
    name: 'pidfile',
    short: 'p',
    aliases: ['pid'],
    type: 'path',
    kind: 'file',
    default: null,
    section: 'process',
    reload: 'restart',
    help: `file to write the master's process id to.
Refused when it names a master that is running.`,
  },

  {
    name: 'logFile',
    aliases: ['error-logfile'],
    type: 'path',
    kind: 'file',
    dash: true,
    default: '-',
    section: 'log',
    reload: 'restart',
    help: `file for drover's own log; -: standard error.
Reopened on USR1. What the app writes to its standard output and error is left alone.`,
  },
  {
    name: 'logLevel',
    type: 'enum',
    values: ['debug', 'info', 'warn', 'error', 'fatal'],
    synonyms: { warning: 'warn', critical: 'fatal' },
    default: 'info',
    section: 'log',
    reload: 'live',
    help: 'least level that is logged: debug, info, warn, error or fatal.\n`warning` and `critical` are understood as `warn` and `fatal`.',
  },
  {
    name: 'logFormat',
    type: 'enum',
    values: ['auto', 'json', 'pretty'],
    default: 'auto',
    section: 'log',
    reload: 'restart',
    help: 'json, pretty, or auto: pretty on a terminal, else json.',
  },

  {
    name: 'config',
    short: 'c',
    commandLineOnly: true,
    type: 'path',
    kind: 'file',
    default: null,
    defaultSays: 'drover.config.{ts,mts,js,mjs,cjs,json} where drover is started, if there is one',
    section: 'run',
    reload: 'restart',
    help: `config file, read again on HUP.
It exports (default) an object of options and hooks, or a function, async or not, that returns one. A reload reads it anew; of what it imports, CommonJS modules outside node_modules are read anew too, ES modules are not.`,
  },
  { name: 'checkConfig', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: 'check the options and that the app loads, then exit.\nThe app is loaded in a worker that does not listen.' },
  { name: 'printConfig', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: 'print every option with its value and where that comes from, then exit.' },
  { name: 'json', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: 'with `drover doctor`: print what was found as JSON.' },
  { name: 'version', short: 'v', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: "print drover's version and Node's, then exit." },
  { name: 'help', short: 'h', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: 'print this, then exit.' },
] as const satisfies readonly Option[];

function defaultBind({ env }: DefaultContext): readonly ListenAddress[] {
  return [{ kind: 'tcp', ...defaultPlace(env) }];
}

type Row = (typeof OPTIONS)[number];
export type OptionName = Row['name'];
type ConfigRow = Exclude<Row, { commandLineOnly: true }>;

type Key<R extends Row> = R['type'] extends 'duration' ? `${R['name']}Ms` : R['name'];

type Value<R extends Row> = R extends { type: 'enum'; values: infer V extends readonly string[] }
  ? V[number]
  : {
      int: number;
      duration: number;
      bool: boolean;
      enum: never;
      path: R extends { default: null } ? string | null : string;
      string: string;
      mode: number;
      module: string;
      addresses: readonly ListenAddress[];
      args: readonly string[];
      envMap: Readonly<Record<string, string>>;
    }[R['type']];

type Input<R extends Row> = R extends { type: 'enum'; values: infer V extends readonly string[] }
  ? V[number] | (R extends { synonyms: infer S } ? keyof S : never)
  : {
      int: number | `${number}` | (R extends { words: infer W } ? keyof W : never);
      duration: number | string;
      bool: boolean;
      enum: never;
      path: string;
      string: string;
      mode: number | string;
      module: string;
      addresses: string | number | readonly (string | number)[];
      args: string | readonly string[];
      envMap: Readonly<Record<string, string>> | readonly string[];
    }[R['type']];

/**
 * The configuration, resolved: every option has its value. Durations are in milliseconds and named `<name>Ms`; paths are absolute
 * (those of unix sockets as given); `app` is '' only when drover is not to serve.
 */
export type Config = { readonly [R in ConfigRow as Key<R>]: Value<R> };

/** The options as a config file may give them. */
export type OptionInput = { [R in ConfigRow as R['name']]?: Input<R> | undefined };

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
  return option.type === 'duration' ? `${option.name}Ms` : option.name;
}
