/**
 * Directories that options name, and files: are they there, and may this user use them? Looked at with the configuration, since what is wrong with them would come up at the first
 * request, or in every worker. Rank 1. In the master.
 */
import { accessSync, constants, statSync } from 'node:fs';
import type { OptionName, StaticMount } from './options.js';
import { Unfit } from './parse-value.js';

/** What is wrong with what the value of an option names, if that has to be there. `value`: as `Config` holds it. */
export function unfitPlace(name: OptionName, value: unknown): Unfit | undefined {
  switch (name) {
    case 'chdir':
      return unfitDirectory(value as string) ?? unfitToEnter(value as string);
    case 'static':
      return (value as readonly StaticMount[]).map(({ directory }) => unfitToServe(directory)).find((unfit) => unfit !== undefined);
    case 'sendfileRoot':
      return unfitToServe(value as string);
    case 'certDir':
      return unfitDirectory(value as string);
    case 'certfile':
    case 'keyfile':
    case 'caCerts':
      return unfitFile(value as string);
    default:
      return undefined;
  }
}

function unfitFile(path: string): Unfit | undefined {
  const code = refusedAccess(path, constants.R_OK);
  return code === undefined ? undefined : new Unfit(code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`, 'Give a file that is there.', path);
}

/** Whether it is one. */
export function unfitDirectory(path: string): Unfit | undefined {
  const remedy = 'Give a directory that is there.';
  try {
    return statSync(path).isDirectory() ? undefined : new Unfit('not a directory', remedy, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') return new Unfit('this user may not enter a directory above it (EACCES)', 'Let the user that drover runs as enter the directories above it.', path);
    return new Unfit(code === 'ENOENT' ? 'no such directory' : `cannot be used (${code})`, remedy, path);
  }
}

/** To serve files from: the directory and what is in it can be opened. */
function unfitToServe(path: string): Unfit | undefined {
  const unfit = unfitDirectory(path);
  const code = unfit === undefined ? refusedAccess(path, constants.R_OK | constants.X_OK) : undefined;
  return code === undefined ? unfit : new Unfit(`this user may not read and enter that directory (${code})`, 'Let the user that drover runs as read and enter it.', path);
}

/** To run in. A process may have been started in one that its user may not enter. */
function unfitToEnter(path: string): Unfit | undefined {
  const code = refusedAccess(path, constants.X_OK);
  return code === undefined ? undefined : new Unfit(`this user may not enter that directory (${code})`, 'Give one with --chdir that it may enter, or start drover there.', path);
}

/** Why not, as the code of an error. */
function refusedAccess(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
