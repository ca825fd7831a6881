/**
 * Directories that options name: are they there, and may this user use them? Looked at with the configuration, since what is wrong with them would come up at the first
 * request, or in every worker. Rank 1. In the master.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { Unfit } from './parse-value.js';

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
export function unfitToServe(path: string): Unfit | undefined {
  const unfit = unfitDirectory(path);
  const code = unfit === undefined ? refusedAccess(path, constants.R_OK | constants.X_OK) : undefined;
  return code === undefined ? unfit : new Unfit(`this user may not read and enter that directory (${code})`, 'Let the user that drover runs as read and enter it.', path);
}

/** To run in. A process may have been started in one that its user may not enter. */
export function unfitToEnter(path: string): Unfit | undefined {
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
