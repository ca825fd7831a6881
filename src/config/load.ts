/**
 * The configuration: gathers every option's value from its sources, in order of precedence, and resolves it.
 *
 * default < environment < config file < DROVER_CMD_ARGS < command line. Changes nothing in the process; called anew for a reload.
 *
 * Rank 1. In the master.
 */
import { isDeepStrictEqual } from 'node:util';
import { DroverError } from '../errors.js';
import { parseAddress, parsePort } from './address.js';
import { parseCommandLine, type Given } from './command-line.js';
import { findConfigFile, readConfigFile } from './config-file.js';
import { HOOKS, hooksOf, isHookName, type Hooks } from './hooks.js';
import { nearest } from './nearest.js';
import { configKey, kebab, longFlags, options, type Config, type DefaultContext, type Env, type Option, type OptionName, type Reload } from './options.js';
import { splitWords } from './shell-words.js';
import { directoryProblem, parseValue, Unfit } from './value.js';
import type { WorkerConfig } from './worker-config.js';

export type Action = 'serve' | 'doctor' | 'help' | 'version' | 'checkConfig' | 'printConfig';

/** Where a value came from. */
export interface ValueSource {
  source: 'default' | 'environment' | 'file' | 'DROVER_CMD_ARGS' | 'flag';
  /** For people: `environment variable PORT`, `flag --workers`, the path of the config file. */
  where: string;
  /** As it was given; undefined for a default. */
  raw: unknown;
}

export interface LoadedConfig {
  config: Config;
  sources: Readonly<Record<OptionName, ValueSource>>;
  /** Whether --bind was given, rather than being the default (which HOST and PORT change). */
  bindGiven: boolean;
  hooks: Hooks;
  /** Absolute path, or null. */
  configFile: string | null;
  action: Action;
  /** With the action `doctor`: for scripts. */
  json: boolean;
}

export interface LoadInput {
  /** Arguments, without node and the script. */
  argv: readonly string[];
  env: Env;
  /** Where drover was started. */
  cwd: string;
}

/** What one source gives, by the names of the options. */
type Layer = ReadonlyMap<string, ValueSource>;

/** Throws DroverError. */
export async function loadConfig(input: LoadInput): Promise<LoadedConfig> {
  const { argv, env, cwd } = input;
  const words = splitWords(env.DROVER_CMD_ARGS ?? '');
  if (typeof words === 'string') throw new DroverError('ERR_DROVER_VALUE', `environment variable DROVER_CMD_ARGS: ${words}: ${JSON.stringify(env.DROVER_CMD_ARGS)}`, 'Quote it as for a shell.');
  const variable = gather(parseCommandLine(words, ' in environment variable DROVER_CMD_ARGS'), 'DROVER_CMD_ARGS');
  // The one command that is a word. An app of that name is ./doctor.
  const isDoctor = argv[0] === 'doctor';
  const flags = gather(parseCommandLine(isDoctor ? argv.slice(1) : argv, ''), 'flag');

  const asDone = actionOf(new Map([...variable, ...flags]), cwd);
  const action = isDoctor && asDone === 'serve' ? 'doctor' : asDone;
  const json = flags.get('json')?.raw === true;
  if (json && action !== 'doctor') throw new DroverError('ERR_DROVER_VALUE', '--json is for `drover doctor`', 'usage: drover doctor [OPTIONS] [APP] --json');
  // These must work whatever is wrong with the rest.
  if (action === 'help' || action === 'version') return freeze({ ...resolveLayers([], { ...input, env: {} }), bindGiven: false, hooks: {}, configFile: null, action, json });

  const asked = flags.get('config') ?? variable.get('config');
  const configFile = asked === undefined ? findConfigFile(cwd) : (resolveValue(optionNamed('config'), asked, cwd) as string);
  const exported = configFile === null ? {} : await readConfigFile(configFile, asked?.where);
  const file = fromFile(exported, configFile ?? '');

  const resolved = resolveLayers([file, fromEnvironment(env), variable, flags], input);
  if (resolved.config.app === '' && action !== 'printConfig' && action !== 'doctor') throw new DroverError('ERR_DROVER_NO_APP', 'no app given', 'usage: drover [OPTIONS] APP [-- ARG...]   (or app in the config file; drover --help tells more)');
  checkConcurrency(resolved);
  return freeze({
    ...resolved,
    bindGiven: [file, variable, flags].some((layer) => layer.has('bind')),
    hooks: hooksOf(exported, configFile ?? ''),
    configFile,
    action,
    json,
  });
}

/** What `sync` means is one request at a time. */
function checkConcurrency({ config, sources }: Pick<LoadedConfig, 'config' | 'sources'>): void {
  if (config.workerClass !== 'sync' || config.workerConcurrency <= 1) return;
  const { where } = sources.workerConcurrency;
  throw new DroverError('ERR_DROVER_VALUE', `--worker-concurrency: the worker class sync has one request at a time: ${config.workerConcurrency} (${where})`, 'Leave it out, or choose --worker-class http.');
}

/** Every option's value, from the last layer that gives it. */
function resolveLayers(layers: readonly Layer[], { env, cwd }: LoadInput): Pick<LoadedConfig, 'config' | 'sources'> {
  const config: Record<string, unknown> = {};
  const sources: Record<string, ValueSource> = {};
  const resolveOption = (option: Option, directory: string): void => {
    const key = configKey(option);
    const given = layers.map((layer) => layer.get(option.name)).filter((value) => value !== undefined);
    const top = given.at(-1);
    if (top === undefined) {
      // Checks HOST and PORT, which the default of bind is made from.
      sources[option.name] = option.name === 'bind' ? sourceOfDefaultBind(env) : { source: 'default', where: 'default', raw: undefined };
      const context: DefaultContext = { env, cwd, app: (config.app as string | undefined) ?? '' };
      config[key] = typeof option.default === 'function' ? option.default(context) : option.default;
    } else if (option.type === 'envMap') {
      // Variables add up over the sources; of one name the highest wins.
      config[key] = Object.assign({}, ...given.map((value) => resolveValue(option, value, directory)));
      sources[option.name] = { ...top, where: given.map(({ where }) => where).join(' + ') };
    } else {
      config[key] = resolveValue(option, top, directory);
      sources[option.name] = top;
    }
  };

  // First what the others' paths are relative to; the rest in the order of the table, where app comes before what is named after it.
  const chdir = optionNamed('chdir');
  resolveOption(chdir, cwd);
  const directory = config.chdir as string;
  const problem = directoryProblem(directory);
  if (problem !== undefined) throw valueError(chdir, sources.chdir!, new Unfit(problem, 'Give a directory that is there.', directory));
  for (const option of options) if (option.commandLineOnly !== true && option !== chdir) resolveOption(option, directory);
  return { config: config as Config, sources: sources as Record<OptionName, ValueSource> };
}

function optionNamed(name: OptionName): Option {
  return options.find((option) => option.name === name)!;
}

/** By option name; lists are gathered over repeated flags, of anything else the last wins. */
function gather(given: readonly Given[], source: 'flag' | 'DROVER_CMD_ARGS'): Layer {
  const values = new Map<string, ValueSource>();
  for (const { option, flag, value } of given) {
    const earlier = values.get(option.name);
    const adds = option.type === 'addresses' || option.type === 'envMap';
    const name = option.positional === undefined ? `flag ${flag}` : 'command line';
    values.set(option.name, {
      source,
      where: source === 'flag' ? name : `environment variable DROVER_CMD_ARGS, ${name}`,
      raw: adds ? [...((earlier?.raw as string[] | undefined) ?? []), value] : value,
    });
  }
  return values;
}

function fromEnvironment(env: Env): Layer {
  const values = new Map<string, ValueSource>();
  for (const option of options) {
    // An empty variable is what `VAR= command` and Docker Compose make of one that is not set.
    if (option.env !== undefined && env[option.env]) values.set(option.name, { source: 'environment', where: `environment variable ${option.env}`, raw: env[option.env] });
  }
  return values;
}

/** HOST and PORT are looked at only when the default is needed: a wrong one harms nobody who gives --bind. */
function sourceOfDefaultBind(env: Env): ValueSource {
  const variables = (['HOST', 'PORT'] as const).filter((name) => env[name]);
  for (const name of variables) {
    const value = env[name]!;
    const parsed = name === 'PORT' ? parsePort(value) : parseAddress(value.includes(':') ? `[${value}]:0` : `${value}:0`);
    if (typeof parsed === 'string') throw new DroverError('ERR_DROVER_VALUE', `environment variable ${name}: ${parsed}`, `It changes the default of --bind; correct or unset it, or give --bind.`);
  }
  if (variables.length === 0) return { source: 'default', where: 'default', raw: undefined };
  return { source: 'environment', where: `environment variable ${variables.join(' and ')}`, raw: variables.map((name) => env[name]).join(':') };
}

function actionOf(given: Layer, cwd: string): Action {
  // The strongest first: whoever asks for help wants nothing else.
  for (const action of ['help', 'version', 'printConfig', 'checkConfig'] as const) {
    const value = given.get(action);
    if (value !== undefined && resolveValue(optionNamed(action), value, cwd) === true) return action;
  }
  return 'serve';
}

/** The options among what a config file exports. */
function fromFile(exported: Readonly<Record<string, unknown>>, path: string): Layer {
  const values = new Map<string, ValueSource>();
  const inFile = options.filter((option) => option.commandLineOnly !== true);
  for (const [key, raw] of Object.entries(exported)) {
    if (isHookName(key)) continue;
    if (options.some(({ name, commandLineOnly }) => name === key && commandLineOnly === true)) {
      throw new DroverError('ERR_DROVER_UNKNOWN_KEY', `${path}: ${JSON.stringify(key)} cannot be set in the config file`, `Give --${kebab(key)} on the command line or in DROVER_CMD_ARGS.`);
    }
    if (!inFile.some(({ name }) => name === key)) {
      const near = nearest(key, [...inFile.map(({ name }) => name), ...Object.keys(HOOKS)]);
      throw new DroverError('ERR_DROVER_UNKNOWN_KEY', `${path}: unknown option ${JSON.stringify(key)}`, near === undefined ? 'drover --help lists the options; in the config file they are written in camelCase: --max-requests is maxRequests.' : `Did you mean ${near}?`);
    }
    // undefined and null are "not given": { pidfile: process.env.PIDFILE }
    if (raw !== undefined && raw !== null) values.set(key, { source: 'file', where: path, raw });
  }
  return values;
}

function resolveValue(option: Option, given: ValueSource, directory: string): unknown {
  const value: unknown = parseValue(option, given.raw, directory);
  if (value instanceof Unfit) throw valueError(option, given, value);
  return value;
}

function valueError(option: Option, { source, where, raw }: ValueSource, unfit: Unfit): DroverError {
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

/** All but the user's own raw values, which may be anything. */
function freeze(loaded: LoadedConfig): LoadedConfig {
  for (const value of Object.values(loaded.config)) {
    if (Array.isArray(value)) for (const item of value as unknown[]) Object.freeze(item);
    if (typeof value === 'object') Object.freeze(value);
  }
  Object.freeze(loaded.config);
  Object.freeze(loaded.sources);
  Object.freeze(loaded.hooks);
  return Object.freeze(loaded);
}

/** An option whose value a reload finds changed. */
export interface ChangedOption {
  name: OptionName;
  reload: Reload;
}

/** The options that the user has changed. A default that follows another option (`name` the app) is none of them. */
export function changedOptions(before: LoadedConfig, after: LoadedConfig): ChangedOption[] {
  const isDefault = (loaded: LoadedConfig, option: Option): boolean => loaded.sources[option.name as OptionName].source === 'default';
  return options
    .filter((option) => option.commandLineOnly !== true && !(isDefault(before, option) && isDefault(after, option)))
    .filter((option) => !isDeepStrictEqual(before.config[configKey(option) as keyof Config], after.config[configKey(option) as keyof Config]))
    .map((option) => ({ name: option.name as OptionName, reload: option.reload }));
}

/** `after` as it can come into force in a running drover: what only a restart can apply keeps its value of `before`. */
export function reloadable(before: LoadedConfig, after: LoadedConfig): LoadedConfig {
  const config: Record<string, unknown> = { ...after.config };
  const sources: Record<string, ValueSource> = { ...after.sources };
  for (const option of options) {
    if (option.commandLineOnly === true || option.reload !== 'restart') continue;
    config[configKey(option)] = before.config[configKey(option) as keyof Config];
    sources[option.name] = before.sources[option.name as OptionName];
  }
  return freeze({ ...after, config: config as Config, sources: sources as Record<OptionName, ValueSource>, bindGiven: before.bindGiven });
}

/** What a worker needs of it. `reportDir` is the master's to fill in. */
export function workerConfig({ config, bindGiven, configFile, hooks }: LoadedConfig, reportDir: string | null = null): WorkerConfig {
  const workerHooks = Object.keys(hooks).some((name) => isHookName(name) && HOOKS[name].process === 'worker');
  return {
    app: config.app,
    appArgs: [...config.appArgs],
    cwd: config.chdir,
    name: config.name,
    bindGiven,
    acceptStrategy: config.acceptStrategy,
    acceptPermits: config.acceptPermits,
    backlog: config.backlog,
    workerClass: config.workerClass,
    workerConnections: config.workerConnections,
    workerConcurrency: config.workerClass === 'sync' ? 1 : config.workerConcurrency,
    maxRequests: config.maxRequests,
    maxRequestsJitter: config.maxRequestsJitter,
    bootTimeoutMs: config.bootTimeoutMs,
    timeoutMs: config.timeoutMs,
    gracefulTimeoutMs: config.gracefulTimeoutMs,
    configFile: workerHooks ? configFile : null,
    reportDir,
  };
}
