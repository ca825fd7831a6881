/**
 * The option table as text: --help, --print-config, docs/options.md, and option-input.ts, the types of a config file. Pure.
 *
 * Rank 1. In the master.
 */
import { HOOKS } from './hooks.js';
import { firstLine, placeholderOf } from './command-line.js';
import type { LoadedConfig } from './load.js';
import { configKey, longFlags, options, SECTIONS, type Config, type Option, type OptionName, type Section } from './options.js';
import { boundsOfDuration, boundsOfInteger, formatBytes, formatValue } from './format-value.js';

const HELP_WIDTH = 96;
const HELP_COLUMN = 34;
/** Keeps a short piece on one line. */
const NO_BREAK = '\u00a0';

/** What --help prints. */
export function renderHelp(): string {
  const lines = ['usage: drover [OPTIONS] APP [-- ARG...]', '       drover doctor [OPTIONS] [APP]', '', 'Serves a Node.js app with several worker processes, and reloads it without losing a request.'];
  for (const [section, title] of sections()) {
    lines.push('', `${title}:`);
    for (const option of optionsOf(section)) {
      const text = firstLine(option.help).replace(/\.$/, '') + defaultForHelp(option);
      const head = `  ${helpHead(option)}`;
      const [first = '', ...rest] = wrap(text, HELP_WIDTH - HELP_COLUMN);
      if (head.length + 2 > HELP_COLUMN) lines.push(head, ' '.repeat(HELP_COLUMN) + first);
      else lines.push(head.padEnd(HELP_COLUMN) + first);
      lines.push(...rest.map((line) => ' '.repeat(HELP_COLUMN) + line));
    }
  }
  lines.push(
    '',
    'drover doctor tells whether this machine suits the options, and how to mend what does not.',
    'ADDRESS is HOST:PORT, :PORT (all interfaces), PORT (127.0.0.1), unix:PATH, unix:@NAME or fd://N.',
    'TIME is in seconds, or with a unit: 500ms, 30s, 2m.',
    'Options are taken from the config file, the environment, DROVER_CMD_ARGS and the command line;',
    'the later wins. In the config file they are written in camelCase: --max-requests is maxRequests.',
    'Relative paths are relative to the working directory (--chdir), wherever the config file is.',
    '',
  );
  return lines.join('\n');
}

function helpHead(option: Option): string {
  if (option.positional !== undefined) return placeholderOf(option);
  const value = valueOf(option);
  return `${option.short === undefined ? '    ' : `-${option.short}, `}${[...longFlags(option), ...negations(option)].join(', ')}${value === '' ? '' : ` ${value}`}`;
}

/** In brackets where it may be left out. */
function valueOf(option: Option): string {
  const placeholder = placeholderOf(option);
  return option.type === 'enum' && option.bare !== undefined ? `[${placeholder}]` : placeholder;
}

/** Shown where it is what one would give: what is on by itself. */
function negations(option: Option): string[] {
  return option.type === 'bool' && option.default !== false ? longFlags(option).map((flag) => flag.replace(/^--/, '--no-')) : [];
}

function defaultForHelp(option: Option): string {
  if (option.type === 'bool' || option.positional !== undefined) return '';
  const says = defaultText(option);
  if (says === undefined) return '';
  const text = `(default: ${says})`;
  return ` ${text.length < 30 ? text.replaceAll(' ', NO_BREAK) : text}`;
}

/** undefined: none. */
function defaultText(option: Option): string | undefined {
  if (option.defaultSays !== undefined) return option.defaultSays;
  const text = formatValue(option, option.default);
  return text === '(none)' ? undefined : text;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((wrapped) => wrapped.replaceAll(NO_BREAK, ' '));
}

function sections(): [Section, string][] {
  return Object.entries(SECTIONS) as [Section, string][];
}

function optionsOf(section: Section): Option[] {
  return options.filter((option) => option.section === section);
}

/** What --print-config prints: name, value, source. */
export function renderConfig({ config, sources, bindGiven, hooks, configFile }: LoadedConfig): string {
  const rows = options
    .filter((option) => option.commandLineOnly !== true)
    .map((option) => {
      const value = config[configKey(option) as keyof Config];
      const { where, raw } = sources[option.name as OptionName];
      const word = option.type === 'int' && option.words !== undefined && Object.hasOwn(option.words, String(raw)) ? ` (${String(raw)})` : '';
      const says = option.name === 'bind' ? (bindGiven ? '' : '; a script is served at its own address') : value === null && option.defaultSays !== undefined ? `: ${option.defaultSays}` : '';
      return [option.name, formatValue(option, value) + word, `(${where}${says})`];
    });
  rows.push(['config file', configFile ?? '(none)', '']);
  if (configFile !== null && Object.keys(hooks).length > 0) rows.push(['hooks', Object.keys(hooks).join(' '), `(${configFile})`]);
  const width = (column: number, most: number): number => Math.min(most, Math.max(...rows.map((row) => row[column]!.length)));
  const widths = [width(0, 30), width(1, 40)];
  return rows.map(([name, value, where]) => `${name!.padEnd(widths[0]!)}  ${value!.padEnd(widths[1]!)}  ${where}`.trimEnd()).join('\n') + '\n';
}

/** docs/options.md. */
export function renderOptionsManual(): string {
  const lines = [
    '# Options',
    '',
    '<!-- Generated from src/config/options.ts and src/config/hooks.ts by `npm run docs`. -->',
    '',
    '`drover [OPTIONS] APP [-- ARG...]`',
    '',
    'The value of an option comes from the last of these that gives it:',
    '',
    '1. its default,',
    '2. the config file: `--config FILE`, else `drover.config.{ts,mts,js,mjs,cjs,json}` where drover is started,',
    '3. the environment variable named here,',
    '4. `DROVER_CMD_ARGS`: flags, split as a shell splits them,',
    '5. the command line.',
    '',
    '`--flag value`, `--flag=value`, `-w 4` and `-w4` are all understood. A value in brackets may be left out. A flag that is repeated: the last wins, except where it says that it may be repeated. `drover --print-config` shows every value and where it comes from; `drover --check-config` also loads the app.',
    '',
    'A value that can do nothing, as the other options are (`--proxy-timeout` without `--proxy-protocol`), is an error that says what is missing, unless it comes from the environment.',
    '',
    'A **duration** is a number of seconds, or a text with a unit: `500ms`, `30s`, `2m`, `1h`, `7d`.',
    '',
    '## Config file',
    '',
    '```js',
    "import { defineConfig } from 'drover'; // types only: a plain object does as well",
    '',
    'export default defineConfig({',
    "  app: './app.js',",
    "  bind: ['127.0.0.1:8000', 'unix:app.sock'],",
    "  workers: 'auto',",
    "  timeout: '30s',",
    '  whenReady(server) {',
    '    console.log(`ready: ${server.workers().length} workers`);',
    '  },',
    '});',
    '```',
    '',
    'It exports an object, a promise of one, or a function, async or not, that returns one. HUP reads it again; of the modules it imports, CommonJS ones outside `node_modules` are read again as well, ES modules are not: Node keeps those for the life of the process. `.ts` and `.mts` files are read by Node itself where it strips types, else by jiti; so is a `.ts` where package.json has `"type": "commonjs"`, as Node would refuse `import` in it. Where package.json has no `"type"`, a `.ts` that Node reads, or a `.js` with `import` or `export`, makes Node warn in each process that reads it (`MODULE_TYPELESS_PACKAGE_JSON`): call the file `.mts` or `.mjs` then. Relative paths are relative to the working directory (`chdir`), not to the file. A key that drover does not know is an error; one that is `undefined` or `null` is as if it were not there.',
  ];
  for (const [section, title] of sections()) {
    lines.push('', `## ${title}`);
    for (const option of optionsOf(section)) lines.push('', `### ${option.name}`, '', ...facts(option).map((fact) => `- ${fact}`), '', ...manualHelp(option));
  }
  lines.push('', '## Hooks', '', 'Functions in the config file, at its top level. A hook that throws is logged (`hook.failed`) and stops nothing, except where it says so. One that drover waits for and that takes long is told of (`hook.late`). `server` is `{ pid, config, workers() }`, with durations in milliseconds (`config.timeoutMs`) and sizes in bytes (`config.limitRequestBodyBytes`); `worker` is `{ pid, slot, generation, state }`.', '', '| hook | runs in | when |', '| --- | --- | --- |');
  for (const [name, hook] of Object.entries(HOOKS)) lines.push(`| \`${name}${hook.args}\` | ${hook.process} | ${hook.help} |`);
  return lines.join('\n') + '\n';
}

/** option-input.ts. An interface with a comment for each option, which an editor shows; a type that is made of the rows has none. */
export function renderOptionInput(): string {
  const lines = [
    '/**',
    ' * The options as a config file may give them: types only.',
    ' *',
    ' * Generated from src/config/options.ts by `npm run docs`.',
    ' *',
    ' * Rank 1.',
    ' */',
    "import type { Inputs } from './options.js';",
    '',
    'export interface OptionInput {',
  ];
  for (const option of options) {
    if (option.commandLineOnly === true) continue;
    const told = [...manualHelp(option), '', `${option.type === 'bool' ? '' : `Value: ${kind(option)}. `}Default: ${defaultFact(option)}.`];
    lines.push('  /**', ...told.map((line) => `   * ${line}`.trimEnd().replaceAll('*/', '*\\/')), '   */', `  ${option.name}?: Inputs['${option.name}'] | undefined;`);
  }
  return [...lines, '}', ''].join('\n');
}

function facts(option: Option): string[] {
  const value = valueOf(option);
  const flags = [...(option.short === undefined ? [] : [`-${option.short}`]), ...longFlags(option), ...negations(option)];
  const facts = [`Command line: ${option.positional !== undefined ? `\`${value}\`` : flags.map((flag) => `\`${flag}${value === '' ? '' : ` ${value}`}\``).join(', ')}`];
  if (option.env !== undefined) facts.push(`Environment: \`${option.env}\``);
  facts.push(option.commandLineOnly === true ? 'Config file: no' : `Config file: \`${option.name}\``);
  facts.push(`Value: ${kind(option)}`);
  if (option.type !== 'bool' || option.default !== false) facts.push(`Default: ${defaultFact(option)}`);
  if (option.commandLineOnly !== true) facts.push(`On reload: ${{ live: 'taken over at once', respawn: 'the new workers have it', restart: 'the old value stays until drover is started anew' }[option.reload]}`);
  if (option.secret === true) facts.push('Its values are not shown by `--print-config`.');
  return facts;
}

function defaultFact(option: Option): string {
  return option.defaultSays ?? (defaultText(option) === undefined ? 'none' : `\`${defaultText(option)}\``);
}

function kind(option: Option): string {
  switch (option.type) {
    case 'int':
      return `whole number ${boundsOfInteger(option)}${Object.keys(option.words ?? {}).map((word) => `, or \`${word}\``).join('')}`;
    case 'duration':
      return `duration ${boundsOfDuration(option)}${option.zero === undefined ? '' : `, or 0 (${option.zero})`}${Object.keys(option.words ?? {}).map((word) => `, or \`${word}\``).join('')}`;
    case 'bytes':
      return `number of bytes up to ${formatBytes(option.max)}, or with a unit: \`64k\`, \`10m\`, \`1g\``;
    case 'fieldNames':
      return 'names of headers with commas between them, or `*`; in the config file also a list';
    case 'fieldValues':
      return '`NAME=VALUE`; in the config file an object of texts';
    case 'bool':
      return `none (as a flag), \`true\` or \`false\` (after a \`=\`)${option.env === undefined ? '' : '; in the environment also 1, 0, yes, no, on, off'}`;
    case 'enum':
      return [...option.values, ...Object.keys(option.synonyms ?? {})].map((choice) => `\`${choice}\``).join(', ') + (option.bare === undefined ? '' : `; the flag alone: \`${option.bare}\``);
    case 'path':
      return `path of a ${option.kind}${option.dash === true ? ', or `-`' : ''}`;
    case 'module':
      return `${option.names.map((name) => `\`${name}\``).join(', ')}, or the path of a module`;
    case 'string':
      return 'text';
    case 'mode':
      return 'mode bits from 0 to 0777; a text in octal with a leading 0';
    case 'addresses':
      return 'address; in the config file also a list of addresses';
    case 'addressSet':
      return 'addresses and networks (CIDR) with commas between them, or `*` for all; in the config file also a list; an empty one is nobody';
    case 'args':
      return option.positional === undefined ? 'text that is split as a shell does; in the config file also a list of texts' : 'list of texts';
    case 'choices':
      return `${option.values.map((choice) => `\`${choice}\``).join(', ')}, or several with commas; in the config file also a list`;
    case 'envMap':
      return '`NAME=VALUE`; in the config file an object of texts and numbers';
    case 'mounts':
      return '`PREFIX=DIR`; in the config file an object of directories by prefix, or a list';
  }
}

/** The first line of the help as a sentence, then the rest. */
function manualHelp(option: Option): string[] {
  const [first = '', ...rest] = option.help.split('\n');
  const sentence = `${first[0]!.toUpperCase()}${first.slice(1)}`;
  return [/[.:]$/.test(sentence) ? sentence : `${sentence}.`, ...rest].flatMap((paragraph, i) => (i === 0 ? [paragraph] : ['', paragraph]));
}
