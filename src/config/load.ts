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

export type Action = 'serve' | 'help' | 'version' | 'checkConfig' | 'printConfig';

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
}

export interface LoadInput {
  /** Arguments, without node and the script. */
  argv: readonly string[];
  env: Env;
  /** Where drover was started. */
  cwd: string;
}

/** Throws DroverError. */
export async function loadConfig({ argv, env, cwd }: LoadInput): Promise<LoadedConfig> {
  const words = splitWords(env.DROVER_CMD_ARGS ?? '');
  if (typeof words === 'string') throw new DroverError('ERR_DROVER_VALUE', `environment variable DROVER_CMD_ARGS: ${words}: ${JSON.stringify(env.DROVER_CMD_ARGS)}`, 'Quote it as for a shell.');
  const fromVariable = gather(parseCommandLine(words, ' in environment variable DROVER_CMD_ARGS'), 'DROVER_CMD_ARGS');
  const fromFlags = gather(parseCommandLine(argv, ''), 'flag');

  const action = actionOf(new Map([...fromVariable, ...fromFlags]), cwd);
  const layers: Map<string, ValueSource>[] = [new Map(), fromEnvironment(env), new Map(), fromVariable, fromFlags];
  let hooks: Hooks = {};
  let configFile: string | null = null;
  // --help and --version must work whatever is wrong with the rest.
  if (action === 'help' || action === 'version') layers.length = 1;
  else {
    const asked = fromFlags.get('config') ?? fromVariable.get('config');
    configFile = asked === undefined ? findConfigFile(cwd) : (resolveValue(optionNamed('config'), asked, cwd) as string);
    if (configFile !== null) {
      const file = await readConfigFile(configFile, asked?.where);
      ({ values: layers[2], hooks } = splitFile(file, configFile));
    }
  }

  const sources: Record<string, ValueSource> = {};
  const config: Record<string, unknown> = {};
  let directory = cwd;
  const resolveOption = (option: Option): void => {
    const given = layers.map((layer) => layer.get(option.name)).filter((layer) => layer !== undefined);
    const top = given.at(-1);
    const context: DefaultContext = { env: layers.length === 1 ? {} : env, cwd, app: (config.app as string | undefined) ?? '' };
    if (top === undefined) {
      const value = typeof option.default === 'function' ? option.default(context) : option.default;
      config[configKey(option)] = value;
      sources[option.name] = option.name === 'bind' ? sourceOfDefaultBind(context.env) : { source: 'default', where: 'default', raw: undefined };
    } else if (option.type === 'envMap') {
      // Variables add up over the sources; of one name the highest wins.
      config[configKey(option)] = Object.assign({}, ...given.map((layer) => resolveValue(option, layer, directory)));
      sources[option.name] = { ...top, where: given.map((layer) => layer.where).join(' + ') };
    } else {
      config[configKey(option)] = resolveValue(option, top, directory);
      sources[option.name] = top;
    }
  };

  // First what others depend on: paths are relative to chdir (itself to where we were started), the name is made from the app.
  resolveOption(optionNamed('chdir'));
  directory = config.chdir as string;
  const problem = directoryProblem(directory);
  if (problem !== undefined) throw valueError(optionNamed('chdir'), sources.chdir!, new Unfit(problem, 'Give a directory that is there.'));
  for (const option of options) if (option.commandLineOnly !== true && option.name !== 'chdir') resolveOption(option);

  if (config.app === '' && (action === 'serve' || action === 'checkConfig')) throw new DroverError('ERR_DROVER_NO_APP', 'no app given', 'usage: drover [OPTIONS] APP [-- ARG...]   (or app in the config file; drover --help tells more)');

  return deepFreeze({
    config: config as Config,
    sources: sources as Record<OptionName, ValueSource>,
    bindGiven: layers.slice(2).some((layer) => layer.has('bind')),
    hooks,
    configFile,
    action,
  });
}

function optionNamed(name: OptionName): Option {
  return options.find((option) => option.name === name)!;
}

/** By option name; lists are gathered over repeated flags, of anything else the last wins. */
function gather(given: readonly Given[], source: 'flag' | 'DROVER_CMD_ARGS'): Map<string, ValueSource> {
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

function fromEnvironment(env: Env): Map<string, ValueSource> {
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

function actionOf(given: ReadonlyMap<string, ValueSource>, cwd: string): Action {
  // The strongest first: whoever asks for help wants nothing else.
  for (const action of ['help', 'version', 'printConfig', 'checkConfig'] as const) {
    const value = given.get(action);
    if (value !== undefined && resolveValue(optionNamed(action), value, cwd) === true) return action;
  }
  return 'serve';
}

/** The exported object of a config file → options and hooks. */
function splitFile(exported: Readonly<Record<string, unknown>>, path: string): { values: Map<string, ValueSource>; hooks: Hooks } {
  const values = new Map<string, ValueSource>();
  for (const [key, raw] of Object.entries(exported)) {
    const option = options.find(({ name }) => name === key);
    if (isHookName(key)) continue;
    if (option === undefined) {
      const near = nearest(key, [...options.filter((row) => row.commandLineOnly !== true).map(({ name }) => name), ...Object.keys(HOOKS)]);
      throw new DroverError('ERR_DROVER_UNKNOWN_KEY', `${path}: unknown option ${JSON.stringify(key)}`, near === undefined ? 'drover --help lists the options; in the config file they are written in camelCase: --max-requests is maxRequests.' : `Did you mean ${near}?`);
    } else if (option.commandLineOnly === true) {
      throw new DroverError('ERR_DROVER_UNKNOWN_KEY', `${path}: ${JSON.stringify(key)} cannot be set in the config file`, `Give --${kebab(key)} on the command line or in DROVER_CMD_ARGS.`);
    } else if (raw !== undefined && raw !== null) {
      // undefined and null are "not given": { pidfile: process.env.PIDFILE }
      values.set(key, { source: 'file', where: path, raw });
    }
  }
  return { values, hooks: hooksOf(exported, path) };
}

function resolveValue(option: Option, given: ValueSource, directory: string): unknown {
  const value = parseValue(option, given.raw, directory);
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

/** Rows are data: objects and arrays are frozen, functions (hooks) and the user's own raw values are left alone. */
function deepFreeze(loaded: LoadedConfig): LoadedConfig {
  for (const value of Object.values(loaded.config)) {
    if (Array.isArray(value)) value.forEach((item) => Object.freeze(item));
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

/** The options whose resolved values differ. */
export function changedOptions(before: LoadedConfig, after: LoadedConfig): ChangedOption[] {
  return options
    .filter((option) => option.commandLineOnly !== true)
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
  return deepFreeze({ ...after, config: config as Config, sources: sources as Record<OptionName, ValueSource>, bindGiven: before.bindGiven });
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
    backlog: config.backlog,
    maxRequests: config.maxRequests,
    maxRequestsJitter: config.maxRequestsJitter,
    timeoutMs: config.timeoutMs,
    gracefulTimeoutMs: config.gracefulTimeoutMs,
    configFile: workerHooks ? configFile : null,
    reportDir,
  };
}
