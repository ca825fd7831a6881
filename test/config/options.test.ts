/** Walks all rows of the option table. A row without a sample here fails. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { formatValue } from '../../src/config/format-value.js';
import { loadConfig, type LoadedConfig } from '../../src/config/load.js';
import { configKey, kebab, longFlags, options, SECTIONS, type Config, type DefaultContext, type Option, type OptionName } from '../../src/config/options.js';
import { parseValue, Unfit } from '../../src/config/parse-value.js';
import { renderConfig, renderHelp, renderOptionInput, renderOptionsManual } from '../../src/config/render.js';
import { DroverError } from '../../src/errors.js';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-options-')));
test.after.always(() => rmSync(directory, { recursive: true, force: true }));

interface Sample {
  /** A good value as text, other than the default. */
  text: string;
  /** The same in a config file, when that is not the text. */
  file?: unknown;
  /** What Config then has. */
  value: unknown;
  /** A bad value as text, and in a config file; none where every text is good. */
  bad?: string;
  badInFile: unknown;
}

const SAMPLES: Record<OptionName, Sample | 'command line only'> = {
  app: { text: './other.js:create()', value: './other.js:create()', badInFile: 5 },
  appArgs: { text: 'a', file: ['a'], value: ['a'], badInFile: ['a', 1] },
  chdir: { text: '/', value: '/', bad: '/no such directory', badInFile: 5 },
  env: { text: 'A=B=C', file: { A: 'B=C' }, value: { A: 'B=C' }, bad: 'A', badInFile: { A: [] } },
  nodeArgs: { text: `--expose-gc '--title=a b'`, file: ['--expose-gc', '--title=a b'], value: ['--expose-gc', '--title=a b'], bad: `'a`, badInFile: [1] },
  bind: { text: '[::1]:81', file: ['[::1]:81'], value: [{ kind: 'tcp', host: '::1', port: 81 }], bad: '1.2.3:81', badInFile: [{}] },
  backlog: { text: '100', file: 100, value: 100, bad: '0', badInFile: 65536 },
  umask: { text: '022', file: 0o22, value: 0o22, bad: '22', badInFile: 0o1000 },
  acceptStrategy: { text: 'shared', value: 'shared', bad: 'best', badInFile: true },
  acceptPermits: { text: '4', file: 4, value: 4, bad: '0', badInFile: 17 },
  steer: { text: 'hash', value: 'hash', bad: 'best', badInFile: 1 },
  stallMs: { text: '50', file: 50, value: 50, bad: '0', badInFile: 1.5 },
  proxyProtocol: { text: 'v2', value: 'v2', bad: 'v3', badInFile: true },
  proxyAllowFrom: { text: '10.0.0.0/8,::1', file: ['10.0.0.0/8', '::1'], value: ['10.0.0.0/8', '::1'], bad: '10.0.0.1/8', badInFile: [1] },
  proxyTimeout: { text: '500ms', value: 500, bad: '0', badInFile: '2h' },
  workers: { text: '4', file: 4, value: 4, bad: '0', badInFile: 257 },
  workerClass: { text: './class.mjs', value: join(directory, 'class.mjs'), bad: 'gevent', badInFile: 5 },
  workerConnections: { text: '1000', file: 1000, value: 1000, bad: '-1', badInFile: 1.5 },
  workerConcurrency: { text: '1', file: 1, value: 1, bad: 'one', badInFile: -1 },
  maxRequests: { text: '1000', file: 1000, value: 1000, bad: '-1', badInFile: 1.5 },
  maxRequestsJitter: { text: '50', file: 50, value: 50, bad: 'many', badInFile: -1 },
  reloadParallel: { text: '2', file: 2, value: 2, bad: '0', badInFile: 0 },
  workerTmpDir: { text: 'tmp', value: join(directory, 'tmp'), bad: '-', badInFile: 5 },
  bootTimeout: { text: '5', file: 5, value: 5000, bad: '0', badInFile: '5 weeks' },
  timeout: { text: '2m', value: 120_000, bad: '500ms', badInFile: Infinity },
  gracefulTimeout: { text: '500ms', value: 500, bad: '8d', badInFile: -1 },
  scriptName: { text: '/app', value: '/app', bad: 'app', badInFile: 5 },
  forwardedAllowIps: { text: '10.0.0.0/8,::1', file: ['10.0.0.0/8', '::1'], value: ['10.0.0.0/8', '::1'], bad: '10.0.0.1/8', badInFile: [5] },
  untrustedHeaders: { text: 'keep', value: 'keep', bad: 'trust', badInFile: true },
  secureSchemeHeaders: { text: 'X-Scheme=https', file: { 'X-Scheme': 'https' }, value: { 'x-scheme': 'https' }, bad: 'X-Scheme', badInFile: { 'X-Scheme': 5 } },
  forwarderHeaders: { text: 'SCRIPT_NAME,REMOTE_USER', file: ['SCRIPT_NAME', 'REMOTE_USER'], value: ['script_name', 'remote_user'], bad: 'a b', badInFile: [5] },
  headerMap: { text: 'refuse', value: 'refuse', bad: 'keep', badInFile: 1 },
  strictHttp: { text: 'false', file: false, value: false, bad: 'maybe', badInFile: 2 },
  requestId: { text: 'echo', value: 'echo', bad: 'off', badInFile: false },
  requestIdHeader: { text: 'X-Trace', value: 'X-Trace', bad: 'a b', badInFile: 5 },
  limitRequestLine: { text: '8190', file: 8190, value: 8190, bad: '-1', badInFile: 1.5 },
  limitRequestFields: { text: '50', file: 50, value: 50, bad: 'many', badInFile: 32_769 },
  limitRequestFieldSize: { text: '4096', file: 4096, value: 4096, bad: '-1', badInFile: -1 },
  limitRequestBody: { text: '10m', value: 10 * 1024 ** 2, bad: '10 MB', badInFile: -1 },
  headerTimeout: { text: '5', file: 5, value: 5000, bad: '1ms', badInFile: -1 },
  requestTimeout: { text: '2m', value: 120_000, bad: 'never', badInFile: -1 },
  keepAlive: { text: '2', file: 2, value: 2000, bad: '8d', badInFile: 'node' },
  writeTimeout: { text: '30s', value: 30_000, bad: '500ms', badInFile: -1 },
  static: { text: '/a=pub', file: { '/a/': 'pub' }, value: [{ prefix: '/a', directory: join(directory, 'pub') }], bad: 'a=pub', badInFile: { '/../a': 'pub' } },
  staticMaxAge: { text: '1h', value: 3_600_000, bad: '-1', badInFile: 'for ever' },
  sendfile: { text: 'false', file: false, value: false, bad: 'maybe', badInFile: 2 },
  sendfileRoot: { text: 'files', value: join(directory, 'files'), bad: '', badInFile: 5 },
  certfile: { text: 'tls/cert.pem', value: join(directory, 'tls/cert.pem'), bad: '-', badInFile: 5 },
  keyfile: { text: 'tls/key.pem', value: join(directory, 'tls/key.pem'), bad: '-', badInFile: [] },
  keyfilePassword: { text: 'sesame', value: 'sesame', badInFile: 5 },
  certDir: { text: 'tls', value: join(directory, 'tls'), bad: '-', badInFile: true },
  caCerts: { text: 'ca.pem', value: join(directory, 'ca.pem'), bad: '-', badInFile: 5 },
  certReqs: { text: '2', file: 2, value: 'required', bad: '3', badInFile: 3 },
  ciphers: { text: 'ECDHE+AESGCM', value: 'ECDHE+AESGCM', bad: '', badInFile: [] },
  tlsMinVersion: { text: 'TLSv1.3', value: 'TLSv1.3', bad: 'TLSv1', badInFile: 1.3 },
  tlsMaxVersion: { text: 'TLSv1.2', value: 'TLSv1.2', bad: 'SSLv3', badInFile: 1.2 },
  tlsHandshakeTimeout: { text: '3s', value: 3000, bad: '0', badInFile: -1 },
  tlsTicketRotate: { text: '1h', value: 3_600_000, bad: '8d', badInFile: 'daily' },
  httpProtocols: { text: 'h2,h1', file: ['h2', 'h1'], value: ['h2', 'h1'], bad: 'h3', badInFile: ['h1', 'h1'] },
  http2MaxConcurrentStreams: { text: '10', file: 10, value: 10, bad: '0', badInFile: 1.5 },
  http2InitialWindowSize: { text: '100000', file: 100_000, value: 100_000, bad: '0', badInFile: 2 ** 31 },
  http2MaxFrameSize: { text: '20000', file: 20_000, value: 20_000, bad: '16383', badInFile: 2 ** 24 },
  http2MaxHeaderListSize: { text: '0', file: 0, value: 0, bad: '-1', badInFile: '64k' },
  name: { text: 'shop', value: 'shop', bad: '', badInFile: 5 },
  pidfile: { text: 'run/pid', value: join(directory, 'run/pid'), bad: '-', badInFile: true },
  logFile: { text: 'log', value: join(directory, 'log'), bad: '', badInFile: 5 },
  logLevel: { text: 'critical', value: 'fatal', bad: 'loud', badInFile: 3 },
  logFormat: { text: 'json', value: 'json', bad: 'xml', badInFile: [] },
  accessLogfile: { text: 'access.log', value: join(directory, 'access.log'), bad: '', badInFile: true },
  accessLogFormat: { text: '%(h)s %(D)s', value: '%(h)s %(D)s', bad: '%(zz)s', badInFile: '%h' },
  config: 'command line only',
  checkConfig: 'command line only',
  printConfig: 'command line only',
  json: 'command line only',
  version: 'command line only',
  help: 'command line only',
};

let files = 0;

function configFile(exported: object): string {
  const path = join(directory, `config-${++files}.json`);
  // JSON has no Infinity; the loader would say so before the option can.
  writeFileSync(path, JSON.stringify(exported, (_, value: unknown) => (value === Infinity ? 1e300 : value)));
  return path;
}

/** With an app, unless the arguments are about that. */
function load(argv: string[], env: Record<string, string> = {}): Promise<LoadedConfig> {
  return loadConfig({ argv: ['--print-config', ...argv], env, cwd: directory });
}

function argvOf(option: Option, text: string): string[] {
  if (option.positional === 'app') return [text];
  if (option.positional === 'rest') return ['--', text];
  // A flag without value takes one only so.
  return option.type === 'bool' ? [`${longFlags(option)[0]!}=${text}`] : [longFlags(option)[0]!, text];
}

function valueOf(loaded: LoadedConfig, option: Option): unknown {
  return loaded.config[configKey(option) as keyof Config];
}

async function errorOf(loading: Promise<LoadedConfig>): Promise<DroverError> {
  try {
    await loading;
  } catch (error) {
    if (error instanceof DroverError) return error;
    throw error;
  }
  throw new Error('accepted');
}

const context: DefaultContext = { env: {}, cwd: '/start', app: 'app.js' };

for (const option of options) {
  const sample = SAMPLES[option.name as OptionName];

  test(`${option.name}: the row is complete`, (t) => {
    t.not(sample, undefined);
    t.true(option.section in SECTIONS);
    t.regex(option.name, /^[a-z]+\d?([A-Z][a-z]+)*$/);
    t.true(option.help.length > 10);
    t.false(option.help.split('\n')[0]!.endsWith('..'));
    if (typeof option.default === 'function') t.truthy(option.defaultSays);
  });

  test(`${option.name}: accepts its default`, (t) => {
    const value = typeof option.default === 'function' ? option.default(context) : option.default;
    // null, '' and an empty list stand for "not given": there is nothing to give.
    if (value === null || value === '') return t.pass();
    if (Array.isArray(value) && value.length === 0) return t.deepEqual(parseValue(option, value, '/start'), value);
    const text = formatValue(option, value).replace(/ \(.*\)$/, '');
    const parsed = parseValue(option, option.type === 'envMap' || option.type === 'fieldValues' ? value : option.type === 'addresses' || option.type === 'addressSet' ? [text] : text, '/start');
    return t.deepEqual(parsed, value);
  });

  test(`${option.name}: is in --help and in the manual`, (t) => {
    const help = renderHelp();
    const manual = renderOptionsManual();
    const committed = readFileSync(fileURLToPath(new URL('../../../docs/options.md', import.meta.url)), 'utf8');
    for (const flag of longFlags(option)) {
      t.regex(help, new RegExp(`${flag}[ ,\n]`));
      t.true(manual.includes(`\`${flag}`));
      t.true(committed.includes(`\`${flag}`));
    }
    if (option.short !== undefined) t.true(help.includes(`  -${option.short}, --`));
    if (option.env !== undefined) t.true(manual.includes(`\`${option.env}\``));
    t.true(manual.includes(`\n### ${option.name}\n`));
    for (const line of option.help.split('\n').slice(1)) t.true(manual.includes(line));
  });

  test(`${option.name}: an editor shows what it does, if it is for the config file`, (t) => {
    const committed = readFileSync(fileURLToPath(new URL('../../../src/config/option-input.ts', import.meta.url)), 'utf8');
    const entry = renderOptionInput().split('  /**\n').find((text) => text.includes(`\n  ${option.name}?: `));
    t.is(entry === undefined, option.commandLineOnly === true);
    if (entry !== undefined) t.true(committed.includes(entry));
    for (const line of entry === undefined ? [] : option.help.split('\n').slice(1)) t.true(entry!.includes(line));
  });

  if (sample === 'command line only') {
    test(`${option.name}: is not for the config file`, async (t) => {
      t.true(option.commandLineOnly);
      const path = configFile({ [option.name]: true });
      const error = await errorOf(load(['-c', path]));
      t.is(error.code, 'ERR_DROVER_UNKNOWN_KEY');
      t.true(error.format().includes(path) && error.format().includes(`--${kebab(option.name)}`), error.format());
    });
    continue;
  }

  test(`${option.name}: flag, variable and file give the same value`, async (t) => {
    t.notDeepEqual(sample.value, typeof option.default === 'function' ? option.default(context) : option.default);
    const path = configFile({ [option.name]: sample.file ?? sample.text });
    const loads: [LoadedConfig, string][] = [
      [await load(argvOf(option, sample.text)), 'flag'],
      [await load(['-c', path]), 'file'],
      [await load([], { DROVER_CMD_ARGS: argvOf(option, `'${sample.text.replaceAll(`'`, `'\\''`)}'`).join(' ') }), 'DROVER_CMD_ARGS'],
    ];
    if (option.env !== undefined) loads.push([await load([], { [option.env]: sample.text }), 'environment']);
    for (const alias of longFlags(option).slice(1)) loads.push([await load([alias, sample.text]), 'flag']);
    if (option.short !== undefined) loads.push([await load([`-${option.short}${sample.text}`]), 'flag']);
    for (const [loaded, source] of loads) {
      t.deepEqual(valueOf(loaded, option), sample.value, source);
      t.is(loaded.sources[option.name as OptionName].source, source as 'flag');
      // The value is shown, or masked, with its source.
      const line = renderConfig(loaded).split('\n').find((row) => row.startsWith(`${option.name} `))!;
      t.true(line.includes(option.secret === true ? '***' : formatValue(option, sample.value)), line);
      t.regex(line, source === 'file' ? new RegExp(`\\(${path}\\)$`) : source === 'environment' ? /\(environment variable / : source === 'flag' ? /\((flag|command line)/ : /\(environment variable DROVER_CMD_ARGS, /);
      if (option.secret === true) t.false(line.includes('B=C'), line);
    }
  });

  test(`${option.name}: a bad value is refused with option, value, source and remedy`, async (t) => {
    const check = (error: DroverError, name: string, value: unknown, source: string): void => {
      t.is(error.code, 'ERR_DROVER_VALUE');
      t.is(error.exitCode, 2);
      const lines = error.format().split('\n');
      t.is(lines.length, 2, error.format());
      t.true(lines[0]!.startsWith(`${name}: `), error.format());
      t.true(lines[0]!.endsWith(`(${source})`), error.format());
      if (value !== undefined) t.true(lines[0]!.includes(JSON.stringify(value)), error.format());
      t.regex(lines[1]!, /^ {2}\S.*\.$/);
    };
    if (sample.bad !== undefined) {
      const flag = longFlags(option)[0]!;
      check(await errorOf(load([`${flag}=${sample.bad}`])), flag, sample.bad, `flag ${flag}`);
      check(await errorOf(load([], { DROVER_CMD_ARGS: `${flag}="${sample.bad}"` })), flag, sample.bad, `environment variable DROVER_CMD_ARGS, flag ${flag}`);
      if (option.env !== undefined) check(await errorOf(load([], { [option.env]: sample.bad })), flag, sample.bad, `environment variable ${option.env}`);
    }
    const path = configFile({ [option.name]: sample.badInFile });
    check(await errorOf(load(['-c', path])), option.name, typeof sample.badInFile === 'number' && Number.isFinite(sample.badInFile) ? sample.badInFile : undefined, path);
  });

  test(`${option.name}: nonsense of every kind is refused, not taken`, (t) => {
    for (const nonsense of [Symbol('x'), () => {}, [[]], [null], NaN, 10n, new Map([[1, 2]])]) {
      const parsed = parseValue(option, nonsense, '/start');
      t.true(parsed instanceof Unfit, `${String(nonsense)} → ${String(parsed)}`);
    }
  });
}

test('a number that was given by a word is shown with it', async (t) => {
  t.regex(renderConfig(await load(['-w', 'auto'])), /^workers +[1-9]\d* \(auto\) +\(flag -w\)$/m);
  t.regex(renderConfig(await load(['-w', '3'])), /^workers +3 +\(flag -w\)$/m);
});

test('every section has options, and the help fits a terminal', (t) => {
  for (const [section, title] of Object.entries(SECTIONS)) {
    t.true(options.some((option) => option.section === section));
    t.true(renderHelp().includes(`\n${title}:\n`));
  }
  for (const line of renderHelp().split('\n')) t.true(line.length <= 96, line);
});
