/**
 * Words that are commands of other tools (`pm2 start app.js`) and not of drover: what to type instead. A file or package of such a name is the app.
 *
 * Rank 1. In the master.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DroverError } from '../errors.js';
import { hintForFlag } from './foreign-flags.js';
import { nearest } from './nearest.js';
import { codeSpan, printable, shellWord } from './shell-words.js';

/** The one command that is a word. */
export const DOCTOR = 'doctor';

const serve = (rest: string): string => `drover serves the app that it is given: ${codeSpan(`drover ${rest === '' ? 'APP' : rest}`)}.`;
const serveAlone = (app: string): string => `${serve(app)} Flags differ: \`drover --help\` lists those of drover.`;
const SCRIPT = 'Give the file that the script in package.json runs: `drover app.js`.';
const SUPERVISOR = 'drover stays in the foreground, and keeps no list of apps: let systemd, Docker or another supervisor start it.';
const STOP = 'Send TERM to the master: `kill PID`. Its process id is in the first line of the log, and in --pidfile.';
const RELOAD = 'Send HUP to the master: `kill -HUP PID`. Its process id is in the first line of the log, and in --pidfile.';
const LOOK = "The log tells it: it is on standard error, or in --log-file.";
const check = (rest: string): string => `That is ${codeSpan(`drover --check-config${rest === '' ? '' : ` ${rest}`}`)}.`;

const HINTS: Readonly<Record<string, string | ((rest: string) => string)>> = {
  start: serve, serve, run: serve, up: serve, launch: serve, web: serve, exec: serve, cluster: serve, dev: serve, prod: serve,
  save: SUPERVISOR, startup: SUPERVISOR, resurrect: SUPERVISOR,
  stop: STOP, kill: STOP, delete: STOP, down: STOP,
  restart: RELOAD, reload: RELOAD,
  status: LOOK, list: LOOK, ls: LOOK, ps: LOOK, info: LOOK, describe: LOOK, show: LOOK, monit: LOOK, top: LOOK, log: LOOK, logs: LOOK,
  scale: 'Send TTIN to the master for one worker more, TTOU for one fewer, or HUP when --workers has changed.',
  check, test: check, config: () => 'That is `drover --print-config`.',
  help: () => 'That is `drover --help`.',
  version: () => 'That is `drover --version`.',
};

/** What runs programs. Not looked for in a word that is misspelt: too short. */
const RUNNERS: typeof HINTS = { node: serve, nodejs: serve, npx: serve, tsx: serve, bun: serve, npm: SCRIPT, yarn: SCRIPT, pnpm: SCRIPT };

/**
 * The error for a command line that begins with a command drover does not have; undefined when its first word can be the app in `directory`. `near`: commands
 * that are misspelt count, as a word that is no app, with an app behind it, is hardly anything else.
 */
export function mistakenCommand(argv: readonly string[], directory: string, near: boolean): DroverError | undefined {
  const [word = '', ...others] = argv;
  if (!/^[a-z]+$/.test(word) || word === DOCTOR) return undefined;
  const hints = { ...HINTS, ...RUNNERS };
  const command = Object.hasOwn(hints, word) ? word : nearest(word, near ? [DOCTOR, ...Object.keys(HINTS)] : [DOCTOR]);
  const hint = command === DOCTOR ? (rest: string) => `Did you mean ${codeSpan(`drover ${[DOCTOR, rest].join(' ').trimEnd()}`)}?` : command === undefined ? undefined : hints[command]!;
  if (hint === undefined || isApp(word, directory)) return undefined;
  // pm2 start, npx tsx
  while (hint === serve && Object.hasOwn(hints, others[0] ?? '') && !isApp(others[0]!, directory)) others.shift();
  const rest = others.map(shellWord).join(' ');
  const remedy = typeof hint === 'string' ? hint : hint === serve && hasForeignFlag(others) ? serveAlone(appAmong(others, directory)) : hint(rest);
  return new DroverError('ERR_DROVER_NO_APP', `drover has no command ${word}, and there is no file or package of that name in ${directory}`, printable(remedy));
}

/** One of the other tool's, which would be the next error: not an argument of the app's, nor what --node-args is given. */
function hasForeignFlag(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return words.slice(0, end === -1 ? undefined : end).some((word, at) => words[at - 1] !== '--node-args' && hintForFlag(word.split('=', 1)[0]!) !== undefined);
}

function appAmong(words: readonly string[], directory: string): string {
  const app = words.find((word) => isApp(word, directory)) ?? words[0]!;
  return app.startsWith('-') ? '' : shellWord(app);
}

/** Whether worker/app-file.ts could find something by that name. */
function isApp(name: string, directory: string): boolean {
  if (['', '.js', '.json', '.node', '.mjs', '.cjs', '.ts', '.mts', '.cts'].some((extension) => existsSync(resolve(directory, name + extension)))) return true;
  for (let above = directory; ; above = dirname(above)) {
    if (existsSync(join(above, 'node_modules', name))) return true;
    if (above === dirname(above)) return false;
  }
}
