/**
 * Words that are commands of other tools (`pm2 start app.js`) and not of drover: what to type instead. A file or package of such a name is the app.
 *
 * Rank 1. In the master.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DroverError } from '../errors.js';
import { hintForFlag } from './foreign-flags.js';
import { nearest } from './nearest.js';
import { shellWord } from './shell-words.js';

/** The one command that is a word. */
export const DOCTOR = 'doctor';

const serve = (rest: string): string => `drover serves the app that it is given: \`drover ${rest === '' ? 'APP' : rest}\`.`;
const SCRIPT = 'Give the file that the script in package.json runs: `drover app.js`.';
const SUPERVISOR = 'drover stays in the foreground, and keeps no list of apps: let systemd, Docker or another supervisor start it.';
const STOP = 'Send TERM to the master: `kill PID`. Its process id is in the first line of the log, and in --pidfile.';
const RELOAD = 'Send HUP to the master: `kill -HUP PID`. Its process id is in the first line of the log, and in --pidfile.';
const LOOK = "The log tells it: it is on standard error, or in --log-file.";
const check = (rest: string): string => `That is \`drover --check-config${rest === '' ? '' : ` ${rest}`}\`.`;

const HINTS: Readonly<Record<string, string | ((rest: string) => string)>> = {
  start: serve, serve, run: serve, up: serve, launch: serve, web: serve, exec: serve, cluster: serve, dev: serve, prod: serve,
  node: serve, nodejs: serve, npx: serve, tsx: serve,
  npm: SCRIPT, yarn: SCRIPT, pnpm: SCRIPT,
  save: SUPERVISOR, startup: SUPERVISOR, resurrect: SUPERVISOR,
  stop: STOP, kill: STOP, delete: STOP, down: STOP,
  restart: RELOAD, reload: RELOAD,
  status: LOOK, list: LOOK, ls: LOOK, ps: LOOK, info: LOOK, describe: LOOK, show: LOOK, monit: LOOK, top: LOOK, log: LOOK, logs: LOOK,
  scale: 'Send TTIN to the master for one worker more, TTOU for one fewer, or HUP when --workers has changed.',
  check, test: check, config: () => 'That is `drover --print-config`.',
  help: () => 'That is `drover --help`.',
  version: () => 'That is `drover --version`.',
};

/**
 * The error for a command line that begins with a command drover does not have; undefined when its first word can be the app in `directory`. `near`: commands
 * that are misspelt count, as a word that is no app, with an app behind it, is hardly anything else.
 */
export function mistakenCommand(argv: readonly string[], directory: string, near: boolean): DroverError | undefined {
  const [word = '', ...others] = argv;
  if (!/^[a-z]+$/.test(word) || word === DOCTOR) return undefined;
  // Up to a flag of the other tool's, which would be the next error.
  const foreign = others.findIndex((other) => hintForFlag(other.split('=', 1)[0]!) !== undefined);
  const rest = (foreign === -1 ? others : others.slice(0, foreign)).map(shellWord).join(' ');
  const command = Object.hasOwn(HINTS, word) ? word : nearest(word, near ? [DOCTOR, ...Object.keys(HINTS)] : [DOCTOR]);
  const hint = command === DOCTOR ? `Did you mean \`drover ${[DOCTOR, rest].join(' ').trimEnd()}\`?` : command === undefined ? undefined : HINTS[command]!;
  if (hint === undefined || isApp(word, directory)) return undefined;
  return new DroverError('ERR_DROVER_NO_APP', `drover has no command ${word}, and there is no file or package of that name in ${directory}`, typeof hint === 'string' ? hint : hint(rest));
}

/** Whether worker/app-file.ts could find something by that name. */
function isApp(name: string, directory: string): boolean {
  if (['', '.js', '.json', '.node', '.mjs', '.cjs', '.ts', '.mts', '.cts'].some((extension) => existsSync(join(directory, name + extension)))) return true;
  for (let above = directory; ; above = dirname(above)) {
    if (existsSync(join(above, 'node_modules', name))) return true;
    if (above === dirname(above)) return false;
  }
}
