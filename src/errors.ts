/**
 * Every error code and exit code that is drover's own, in one table.
 *
 * Rank 0: imports nothing of ours. A `DroverError` is a mistake of the user's (an option, a file, an app): it is printed in
 * one or two lines and ends the process with the exit code of its row. It has no stack of drover's; where the app's own code threw,
 * it has the app's. Anything else that is thrown is our bug and keeps its stack.
 */

import { existsSync, lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';

/** What the process exits with. Rendered into docs/exit-codes.md. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'Stopped as asked: by a signal, or after --check-config, --print-config, --help, --version.' },
  bug: { code: 1, meaning: 'A bug in drover itself. The log holds the stack; please report it.' },
  usage: { code: 2, meaning: 'An option, an environment variable or the config file is wrong. The message names it, its value and its source.' },
  boot: { code: 3, meaning: 'The app was found but its first workers could not boot: it threw while loading, exited, or did not become ready within --boot-timeout.' },
  app: { code: 4, meaning: 'The app could not be loaded: the path does not exist or cannot be read, or what it exports is nothing drover can serve.' },
  listen: { code: 5, meaning: 'An address could not be listened on: taken, not permitted, of a family this machine does not have, or a name that does not resolve.' },
  pidfile: { code: 6, meaning: 'The pid file names a process that is running, is no pid file, or cannot be written.' },
  masterGone: { code: 7, meaning: 'Worker only: the master vanished; the worker drained and left.' },
  hook: { code: 8, meaning: 'A hook that can stop drover (onStarting) threw, or waits for a promise that never settles.' },
  unfit: { code: 9, meaning: 'This machine or this installation will not do: `drover doctor` found something bad, there are too few open files to start with, the system refuses threads or shared memory, or the native addon cannot be loaded.' },
} as const;

export type ExitName = keyof typeof EXIT_CODES;

/** The codes of the user's mistakes, with the exit code each one ends the process with. */
export const ERRORS = {
  ERR_DROVER_UNKNOWN_FLAG: 'usage',
  ERR_DROVER_UNKNOWN_KEY: 'usage',
  ERR_DROVER_VALUE: 'usage',
  ERR_DROVER_CONFIG_FILE: 'usage',
  ERR_DROVER_NO_APP: 'usage',
  ERR_DROVER_APP_NOT_FOUND: 'app',
  ERR_DROVER_APP_UNUSABLE: 'app',
  ERR_DROVER_APP_THREW: 'boot',
  ERR_DROVER_BOOT_TIMEOUT: 'boot',
  ERR_DROVER_WORKER_EXITED: 'boot',
  ERR_DROVER_WORKER_CLASS: 'usage',
  ERR_DROVER_TLS: 'usage',
  ERR_DROVER_LISTEN: 'listen',
  ERR_DROVER_PIDFILE: 'pidfile',
  ERR_DROVER_LOG_FILE: 'usage',
  ERR_DROVER_HOOK: 'hook',
  ERR_DROVER_OPEN_FILES: 'unfit',
  ERR_DROVER_ADDON: 'unfit',
  ERR_DROVER_SYSTEM: 'unfit',
} as const satisfies Record<string, ExitName>;

export type ErrorCode = keyof typeof ERRORS;

/** A mistake of the user's: what is wrong, where it came from, what to do. Printed without a stack of drover's. */
export class DroverError extends Error {
  override readonly name = 'DroverError';
  readonly code: ErrorCode;
  /** What to do about it: printed on the second line. */
  readonly remedy: string | undefined;
  /** The stack of what the app's own code threw: printed below. */
  readonly appStack: string | undefined;

  constructor(code: ErrorCode, message: string, remedy?: string, appStack?: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
    this.appStack = appStack;
  }

  get exitCode(): number {
    return EXIT_CODES[ERRORS[this.code]].code;
  }

  /** One or two lines for a person, and the app's stack, all of it indented below the first. */
  format(): string {
    return [this.message, this.remedy, this.appStack].filter((part) => part !== undefined).join('\n').replace(/\n(?=.)/g, '\n  ');
  }
}

/** All but tab and line feed. */
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

/** A text for a terminal: messages and stacks hold whatever the app, or another process, has written there. */
export function withoutControls(text: string): string {
  return text.replace(CONTROL, '');
}

/** Why a file cannot be written, or made, and what to do about it. `code`: the errno's name. `or`: what else may be given. */
export function unwritable(path: string, code: string | undefined, or = ''): { why: string; remedy: string } {
  if (code === 'EISDIR') return { why: 'it is a directory', remedy: `Give the path of a file${or}.` };
  if (code === 'ELOOP') return { why: 'it is a link that leads to itself', remedy: `Give another path${or}.` };
  if (code === 'ENAMETOOLONG') return { why: 'its name is too long', remedy: `Give a shorter path${or}: each name in it has at most 255 bytes, all of it 4095.` };
  return { why: whyNoFile(path, code), remedy: `Give a path in a directory that exists and is writable${or}.` };
}

/** Why there is no file, and none can be made. */
export function whyNoFile(path: string, code: string | undefined): string {
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return describeErrno(code);
  const directory = dirname(path);
  if (code === 'ENOENT') return !existsSync(directory) ? `there is no directory ${directory}` : lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? 'it is a link to where nothing is' : describeErrno(code);
  // Of a/b/c/file, the one that is a file.
  let above = directory;
  while (!existsSync(above) && above !== dirname(above)) above = dirname(above);
  return `${above} is no directory`;
}

/** Whether a file is another user's in a directory such as /tmp, where only its owner may remove it or put another in its place. */
export function isKept(path: string): boolean {
  const uid = process.geteuid!();
  try {
    const [file, directory] = [lstatSync(path), statSync(dirname(path))];
    return uid !== 0 && (directory.mode & STICKY) !== 0 && file.uid !== uid && directory.uid !== uid;
  } catch {
    return false;
  }
}

const STICKY = 0o1000;

/** `permission denied` of EACCES: the system's own words. */
export function describeErrno(code: string | undefined): string {
  for (const [name, message] of getSystemErrorMap().values()) if (name === code) return message;
  return code ?? 'unknown error';
}

// What several errors end in: too few open files, of this process and of the machine.
export const OPEN_FILES_LIMIT = 'ulimit -Hn, or LimitNOFILE= in systemd';
export const RAISE_OPEN_FILES = `Raise the limit: ${OPEN_FILES_LIMIT}.`;
export const MACHINE_OUT_OF_FILES = { what: 'the whole machine is out of open files', remedy: 'raise fs.file-max (sysctl -w fs.file-max=…), or find who holds so many' };
/** What to do where no process, or no thread, can be had. */
export const RAISE_PROCESSES =
  'raise the limit of the user (ulimit -u, or LimitNPROC= in systemd), or that of the cgroup (pids.max: TasksMax= in systemd, --pids-limit with Docker); threads count as well';
