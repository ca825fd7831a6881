/**
 * Whether a program that exports something to serve seems to open its servers itself, though it has opened none yet: Express apps export themselves for their
 * tests and listen when the database has answered; commands export the function that they run. To serve what such a program exports would serve it elsewhere, or
 * run it twice. Told by the main file's text alone, so a guess: the app is waited for, until it listens or nothing is left that could make it. In the worker.
 */
import { readFileSync } from 'node:fs';

const LISTENS = /\.listen\s*\(/;
/** What a module does only when it is the main one. */
const IS_MAIN = /\brequire\.main\b|\bmodule\.parent\b|\bimport\.meta\.main\b/;
/** The same, as ES modules had to say it before Node 24. */
const IS_MAIN_BY_PATH = [/\bimport\.meta\.(?:url|filename)\b/, /\bprocess\.argv\[1\]/];

/** What of the text says so; undefined: nothing. `exported`: what is to be served. */
export function ownStart(file: string, exported: unknown): string | undefined {
  const source = readFileSync(file, 'utf8').replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*/g, '');
  if (LISTENS.test(source)) return 'its code also calls listen()';
  if (IS_MAIN.test(source) || IS_MAIN_BY_PATH.every((part) => part.test(source))) return 'its code also asks whether it is the main module';
  return callsItself(source, exported) ? `its code also calls ${(exported as () => unknown).name}(), which it exports` : undefined;
}

/** A function of no parameters that makes the app is called by who wants one; one that its own file calls is what that does. */
function callsItself(source: string, exported: unknown): boolean {
  // One without a name of its own has `default`, which its file has before it: `export default () => …`.
  if (typeof exported !== 'function' || exported.length > 0 || exported.name === 'default' || !/^[a-zA-Z_]\w*$/.test(exported.name)) return false;
  return new RegExp(`(?<![.\\w$]|function\\s*\\*?\\s*)${exported.name}\\s*\\(`).test(source);
}
