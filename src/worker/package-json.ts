/**
 * What the package.json of a directory says about the file to run. In the worker.
 */
import { constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DroverError } from '../errors.js';
import { allows, firstLine, unreadable } from './app-access.js';

export interface PackageJson {
  name?: string;
  main?: unknown;
  exports?: unknown;
  bin?: unknown;
}

/** True as well when that cannot be told, since the directory may not be entered: readManifest() says so. */
export function hasManifest(directory: string): boolean {
  try {
    return statSync(join(directory, 'package.json')).isFile();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' && allows(dirname(directory), constants.X_OK);
  }
}

/** Of a directory that has one. Throws ERR_DROVER_APP_NOT_FOUND. */
export function readManifest(target: string, directory: string): PackageJson {
  const file = join(directory, 'package.json');
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw unreadable(target, existsSync(file) ? file : directory, error);
    throw unresolved(target, file, firstLine(error));
  }
  if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest)) throw unresolved(target, file, 'no object');
  return manifest;
}

/** The command named like the package, else the only one or the first. */
export function commandOf({ bin }: PackageJson, name: string): string | undefined {
  const files = Object.entries(typeof bin === 'string' ? { [name]: bin } : (bin ?? {})).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const [, file] = files.find(([command]) => command === name.slice(name.indexOf('/') + 1)) ?? files[0] ?? [];
  return file;
}

/** The file of the package's own export, by default under the conditions of import, in order as written. */
export function exportTarget(exports: unknown, by: 'import' | 'require' = 'import'): string | undefined {
  if (typeof exports === 'string') return exports;
  if (Array.isArray(exports)) return exports.map((target) => exportTarget(target, by)).find((target) => target !== undefined);
  if (typeof exports !== 'object' || exports === null) return undefined;
  if ('.' in exports) return exportTarget(exports['.'], by);
  for (const [condition, target] of Object.entries(exports)) {
    const file = [by, 'node', 'default', 'module-sync'].includes(condition) ? exportTarget(target, by) : undefined;
    if (file !== undefined) return file;
  }
  return undefined;
}

export interface NamedFile {
  field: 'exports' | 'main' | 'bin';
  file: string;
}

/** The files it names to be run, in the order in which they count. */
export function namedFiles(manifest: PackageJson): NamedFile[] {
  const { exports, main, name } = manifest;
  const files = { exports: exportTarget(exports) ?? exportTarget(exports, 'require'), main: main === '' ? undefined : main, bin: commandOf(manifest, String(name)) };
  return Object.entries(files).filter(([, file]) => typeof file === 'string').map(([field, file]) => ({ field, file }) as NamedFile);
}

export function unresolved(target: string, path: string, why: string): DroverError {
  const where = why.includes(path) ? '' : `${path}: `;
  return new DroverError('ERR_DROVER_APP_NOT_FOUND', `app ${target} cannot be resolved: ${where}${why}`, 'Look at its package.json, or give the path of the file to run.');
}
