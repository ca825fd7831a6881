/** What to do about a module that was not found: a package is installed, a file of the app's own is named by whoever asked for it. In the worker. */
import { existsSync, statSync } from 'node:fs';
import { dirname, extname, isAbsolute, resolve } from 'node:path';
import { plainPath } from './app-stack.js';

const INSTALL = 'Is it installed? Run npm install where the app is.';
const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.json'];

/** The remedy. require() and import each have a message of their own. */
export function missingModule(error: Error): string {
  const { requireStack } = error as { requireStack?: unknown };
  const line = error.message.split('\n', 1)[0]!;
  const match = /^Cannot find module '(.*?)'(?: imported from (.+))?$/.exec(line);
  if (match === null) return INSTALL;
  const [, wanted = '', importedFrom] = match;
  const required = importedFrom === undefined && Array.isArray(requireStack) ? String(requireStack[0] ?? '') : undefined;
  const asker = importedFrom === undefined ? required : plainPath(importedFrom);
  // Of a package, or in one.
  if (asker === undefined || asker === '' || asker.includes('/node_modules/') || wanted.includes('/node_modules/')) return INSTALL;
  if (!isAbsolute(wanted) && !/^\.{1,2}(\/|$)/.test(wanted)) return INSTALL;
  const path = resolve(dirname(asker), wanted);
  const told = `${asker} asks for ${path}, and there is no such file.`;
  if (importedFrom === undefined) return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? `${asker} asks for ${path}, a directory without an index file.` : told;
  const near = extname(path) === '' ? EXTENSIONS.find((extension) => existsSync(path + extension)) : undefined;
  return near === undefined ? told : `${told} Did you mean ${path}${near}? An import names the extension.`;
}
