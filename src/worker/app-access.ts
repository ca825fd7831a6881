/**
 * Looks at the files that an APP may stand for, or another option's module, and tells of those that may not be read. In the worker.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { DroverError } from '../errors.js';

export function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Throws ERR_DROVER_APP_NOT_FOUND when that cannot be told. */
export function isDirectory(target: string, path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code!)) return false;
    throw unreadable(target, path, error);
  }
}

export function checkReadable(target: string, file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw unreadable(target, file, error);
  }
}

export function unreadable(target: string, file: string, error: unknown): DroverError {
  const { why, remedy } = whyUnreadable(error);
  return new DroverError('ERR_DROVER_APP_NOT_FOUND', `app ${target} cannot be read: ${file}: ${why}`, remedy);
}

export function whyUnreadable(error: unknown): { why: string; remedy: string | undefined } {
  if ((error as NodeJS.ErrnoException).code !== 'EACCES') return { why: firstLine(error), remedy: undefined };
  return { why: 'permission denied', remedy: 'Let the user that drover runs as read it, and enter the directories above it.' };
}

export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;
}
