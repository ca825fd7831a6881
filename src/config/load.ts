/**
 * The configuration: gathers every option's value from its sources, in order of precedence, and resolves it.
 *
 * default < config file < environment < DROVER_CMD_ARGS < command line. Changes nothing in the process; called anew for a reload.
 *
 * Rank 1. In the master.
 */
import { relative } from 'node:path';
import { DroverError } from '../errors.js';
import { formatAddress, parseAddress, parsePort } from './address.js';
import type { LoadedCertificates } from './certificates.js';
import { parseCommandLine, type Given } from './command-line.js';
import { findConfigFile, readConfigFile } from './config-file.js';
import { checkConcurrency, checkConsistency, servesTls } from './consistency.js';
import { unfitDirectory, unfitPlace } from './directories.js';
import { checkEdge } from './edge-config.js';
import { hookMeant, hookRemedy } from './foreign-hooks.js';
import { hintForKey } from './foreign-keys.js';
import { HOOKS, hooksOf, isHookName, type Hooks } from './hooks.js';
import { nearest } from './nearest.js';
import { configKey, kebab, options, type Config, type DefaultContext, type Env, type Option, type OptionName } from './options.js';
import { mistakenBelow, resolveValue, valueError, type Layer, type ValueSource } from './resolve-value.js';
import { shellWord, splitWords } from './shell-words.js';
import { handedOver } from './socket-activation.js';
import { DOCTOR, mistakenCommand } from './subcommands.js';

export type Action = 'serve' | 'doctor' | 'help' | 'version' | 'checkConfig' | 'printConfig';

export interface LoadedConfig {
  config: Config;
  sources: Readonly<Record<OptionName, ValueSource>>;
  /** Whether --bind was given, rather than being the default (which HOST and PORT change). */
  bindGiven: boolean;
  /** Of the sockets that a supervisor hands over, those that are left to nobody, since others are named. */
  unusedSockets: readonly string[];
  hooks: Hooks;
  /** Absolute path, or null. */
  configFile: string | null;
  /** The certificates as they were on disk at that moment; null without TLS. Private keys: not for logs. */
  certificates: LoadedCertificates | null;
  action: Action;
  /** With the action `doctor`: for scripts. */
  json: boolean;
  /** With the action `checkConfig`: the options are printed as well. */
  prints: boolean;
  /** With the action `checkConfig`: wrong values that do nothing, since a stronger source gives another; a sentence each, without its full stop. */
  covered: readonly string[];
}

export interface LoadInput {
  /** Arguments, without node and the script. */
  argv: readonly string[];
  env: Env;
  /** Where drover was started. Not asked for where only help or the version is wanted: it may be gone. */
  readonly cwd: string;
  /** On a reload: the config file in force. That it is gone is a mistake, not a wish to do without. */
  configFile?: string | null;
  /** How long the config file may take, in ms. Not given: as long as it takes. */
  configFileMs?: number;
  /** Called with its path, once, where it may take as long as it takes and takes long. */
  onConfigFileLong?: (path: string) => void;
}

/** Throws DroverError. */
export async function loadConfig(input: LoadInput): Promise<LoadedConfig> {
  const { argv, env } = input;
  const words = splitWords(env.DROVER_CMD_ARGS ?? '');
  if (typeof words === 'string') throw new DroverError('ERR_DROVER_VALUE', `environment variable DROVER_CMD_ARGS: ${words}: ${JSON.stringify(env.DROVER_CMD_ARGS)}`, 'Quote it as for a shell.');
  const variable = gather(parseCommandLine(words, ' in environment variable DROVER_CMD_ARGS'), 'DROVER_CMD_ARGS');
  // An app of that name is ./doctor.
  const isDoctor = argv[0] === DOCTOR;
  const flags = gather(parseArguments(isDoctor ? argv.slice(1) : argv, input), 'flag');

  const given = new Map([...variable, ...flags]);
  const asDone = actionOf(given);
  const action = isDoctor && asDone === 'serve' ? 'doctor' : asDone;
  const json = isAsked('json', given);
  const prints = isAsked('printConfig', given);
  // These must work whatever is wrong with the rest.
  if (action === 'help' || action === 'version') return freeze({ ...resolveLayers([], { env: {}, cwd: '/' }), bindGiven: false, unusedSockets: [], hooks: {}, configFile: null, certificates: null, action, json, prints, covered: [] });
  if (json && action !== 'doctor') throw new DroverError('ERR_DROVER_VALUE', `--json is for \`drover doctor\` (${given.get('json')!.where})`, 'usage: drover doctor [OPTIONS] [APP] --json');

  const { cwd } = input;
  const asked = given.get('config');
  const configFile = asked === undefined ? findConfigFile(cwd, Boolean(input.configFile)) : (resolveValue(optionNamed('config'), asked, cwd) as string);
  if (configFile === null && input.configFile) throw new DroverError('ERR_DROVER_CONFIG_FILE', `config file ${input.configFile} is gone`, 'Put it back and send HUP again, or start drover anew to do without it.');
  const exported = configFile === null ? {} : await readConfigFile(configFile, { asked: asked?.where, found: asked === undefined, timeoutMs: input.configFileMs, onLong: input.configFileMs === undefined ? input.onConfigFileLong : undefined });
  const file = fromFile(exported, configFile ?? '');

  const sockets = handedOver(env, process.pid);
  // Whoever names addresses means these, and no others.
  const handed: Layer = new Map(sockets.length === 0 ? [] : [['bind', { source: 'supervisor', where: 'environment variable LISTEN_FDS', raw: sockets }]]);
  const layers = [handed, file, fromEnvironment(env), variable, flags];
  const resolved = resolveLayers(layers, input);
  if (resolved.config.app === '' && action !== 'printConfig' && action !== 'doctor') throw noApp(configFile, resolved.config.chdir, cwd);
  const mistaken = action === 'doctor' || resolved.sources.app.source !== 'flag' ? undefined : mistakenCommand(argv, resolved.config.chdir, false);
  if (mistaken !== undefined) throw mistaken;
  const sourceOf = (name: OptionName): ValueSource => resolved.sources[name];
  checkConcurrency(resolved.config, sourceOf);
  checkEdge(resolved.config, (name) => sourceOf(name).where);
  const isToRun = action === 'serve' || action === 'checkConfig';
  // Not for --help, which is to work wherever it was started.
  if (isToRun || action === 'doctor') checkDirectories(resolved);
  if (isToRun) checkConsistency(resolved.config, sourceOf);
  return freeze({
    ...resolved,
    bindGiven: layers.some((layer) => layer.has('bind')),
    unusedSockets: sockets.filter((socket) => !resolved.config.bind.some((address) => formatAddress(address) === socket)),
    hooks: hooksOf(exported, configFile ?? ''),
    configFile,
    certificates: isToRun && servesTls(resolved.config) ? (await import('./certificates.js')).loadCertificates(resolved) : null,
    action,
    json,
    prints,
    covered: action === 'checkConfig' ? [...mistakenBelow(layers, { directory: resolved.config.chdir, cwd }), ...coveredPlace(resolved, { ...env, ...(resolved.config.env as Env) })] : [],
  });
}

function noApp(configFile: string | null, chdir: string, cwd: string): DroverError {
  const other = configFile === null ? findConfigFile(chdir, true) : null;
  const within = other?.startsWith(`${cwd}/`) === true ? relative(cwd, other) : other;
  const remedy = within === null ? 'usage: drover [OPTIONS] APP [-- ARG...]   (or app in the config file; drover --help tells more)' : `The config file is looked for where drover is started, not in the directory of --chdir: give \`-c ${shellWord(within)}\`, or APP.`;
  return new DroverError('ERR_DROVER_NO_APP', 'no app given', remedy);
}

/** The flags of the command line. Where it begins with a command that drover does not have, that is what is wrong with a second word. */
function parseArguments(words: readonly string[], input: Pick<LoadInput, 'cwd'>): Given[] {
  try {
    return parseCommandLine(words, '');
  } catch (error) {
    // With --chdir the app is looked for elsewhere.
    const mistaken = words.some((word) => word.startsWith('--chdir')) ? undefined : mistakenCommand(words, input.cwd, true);
    throw mistaken ?? error;
  }
}

/** That of the app, and what is to be served. */
function checkDirectories({ config, sources }: Pick<LoadedConfig, 'config' | 'sources'>): void {
  for (const name of ['chdir', 'static', 'sendfileRoot'] as const) {
    const value = config[name];
    const unfit = value === null ? undefined : unfitPlace(name, value);
    if (unfit !== undefined) throw valueError(optionNamed(name), sources[name], unfit);
  }
}

/** Every option's value, from the last layer that gives it. */
function resolveLayers(layers: readonly Layer[], { env, cwd }: Pick<LoadInput, 'env' | 'cwd'>): Pick<LoadedConfig, 'config' | 'sources'> {
  const config: Record<string, unknown> = {};
  const sources: Record<string, ValueSource> = {};
  const resolveOption = (option: Option, directory: string): void => {
    const key = configKey(option);
    const given = layers.map((layer) => layer.get(option.name)).filter((value) => value !== undefined);
    const top = given.at(-1);
    if (top === undefined) {
      const isBind = option.name === 'bind';
      // HOST and PORT, which the default of bind is made from, may be --env's: scripts see those as well.
      const context: DefaultContext = { env: isBind ? { ...env, ...(config.env as Env) } : env, cwd, app: (config.app as string | undefined) ?? '' };
      sources[option.name] = isBind ? sourceOfDefaultBind(context.env) : { source: 'default', where: 'default', raw: undefined };
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
  const unfit = unfitDirectory(directory);
  if (unfit !== undefined) throw valueError(chdir, sources.chdir!, unfit);
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
    const adds = option.type === 'addresses' || option.type === 'addressSet' || option.type === 'envMap' || option.type === 'fieldNames' || option.type === 'fieldValues' || option.type === 'mounts';
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
  const [mistake] = mistakenPlace(env);
  if (mistake !== undefined) throw new DroverError('ERR_DROVER_VALUE', mistake, `It changes the default of --bind; correct or unset it, or give --bind.`);
  const variables = placeVariables(env);
  if (variables.length === 0) return { source: 'default', where: 'default', raw: undefined };
  return { source: 'environment', where: `environment variable${variables.length > 1 ? 's' : ''} ${variables.join(' and ')}`, raw: variables.map((name) => env[name]).join(':') };
}

/** What --check-config says of them where they are not needed. */
function coveredPlace({ sources }: Pick<LoadedConfig, 'sources'>, env: Env): string[] {
  const { source, where } = sources.bind;
  return source === 'default' || source === 'environment' ? [] : mistakenPlace(env).map((mistake) => `${mistake}, which does nothing while ${where} gives --bind`);
}

function mistakenPlace(env: Env): string[] {
  return placeVariables(env).flatMap((name) => {
    const value = env[name]!;
    const parsed = name === 'PORT' ? parsePort(value) : parseAddress(value.includes(':') ? `[${value}]:0` : `${value}:0`);
    return typeof parsed === 'string' ? [`environment variable ${name}: ${parsed}`] : [];
  });
}

function placeVariables(env: Env): ('HOST' | 'PORT')[] {
  return (['HOST', 'PORT'] as const).filter((name) => env[name]);
}

function actionOf(given: Layer): Action {
  // The strongest first: whoever asks for help wants nothing else. Who checks may print as well.
  for (const action of ['help', 'version', 'checkConfig', 'printConfig'] as const) {
    if (isAsked(action, given)) return action;
  }
  return 'serve';
}

/** Of a flag without value. */
function isAsked(name: OptionName, given: Layer): boolean {
  const value = given.get(name);
  return value !== undefined && resolveValue(optionNamed(name), value, '/') === true;
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
      const hint = hintForKey(key, raw);
      if (hint !== undefined) throw new DroverError('ERR_DROVER_UNKNOWN_KEY', `${path}: unknown option ${JSON.stringify(key)}`, hint);
      if (typeof raw === 'function') throw new DroverError('ERR_DROVER_UNKNOWN_KEY', `${path}: unknown hook ${JSON.stringify(key)}`, hookRemedy(key));
      const near = nearest(key, [...inFile.map(({ name }) => name), ...Object.keys(HOOKS)]) ?? hookMeant(key);
      throw new DroverError('ERR_DROVER_UNKNOWN_KEY', `${path}: unknown option ${JSON.stringify(key)}`, near === undefined ? 'drover --help lists the options; in the config file they are written in camelCase: --max-requests is maxRequests.' : `Did you mean ${near}?`);
    }
    // undefined and null are "not given": { pidfile: process.env.PIDFILE }
    if (raw !== undefined && raw !== null) values.set(key, { source: 'file', where: path, raw });
  }
  return values;
}

/** All but the user's own raw values, which may be anything. */
export function freeze(loaded: LoadedConfig): LoadedConfig {
  for (const value of Object.values(loaded.config)) {
    if (Array.isArray(value)) for (const item of value as unknown[]) Object.freeze(item);
    if (typeof value === 'object') Object.freeze(value);
  }
  Object.freeze(loaded.config);
  Object.freeze(loaded.sources);
  Object.freeze(loaded.hooks);
  return Object.freeze(loaded);
}
