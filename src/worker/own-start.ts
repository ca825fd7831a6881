/**
 * Whether a program that exports something to serve seems to open its servers itself, though it has opened none yet: Express apps export themselves for their
 * tests and listen when the database has answered; commands export the function that they run. To serve what such a program exports would serve it elsewhere, or
 * run it twice. Told by the main file's text alone. In the worker.
 */
import { readFileSync } from 'node:fs';

export interface OwnStart {
  /** `its code also calls listen()`. */
  why: string;
  /** Else it is a guess: a main module may also do something else than serve. */
  sure: boolean;
}

const LISTENS = /\.listen\s*\(/;
/** What a module does only when it is the main one: as CommonJS modules say it, those of Node 24, and those of before. To look at `require.main` for anything else is common. */
const IS_MAIN = [
  /\brequire\.main\s*[!=]==?\s*module\b/,
  /\bmodule\s*[!=]==?\s*require\.main\b/,
  /!\s*module\.parent\b/,
  /\bmodule\.parent\s*[!=]==?\s*(?:null|undefined)\b/,
  /\bimport\.meta\.main\b/,
  /\bprocess\.argv\[1\].*\bimport\.meta\.(?:url|filename)\b/,
  /\bimport\.meta\.(?:url|filename)\b.*\bprocess\.argv\[1\]/,
];

/** `exported`: what is to be served. undefined: nothing says so. */
export function ownStart(file: string, exported: unknown): OwnStart | undefined {
  const source = readFileSync(file, 'utf8').replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*/g, '');
  if (LISTENS.test(source)) return { why: 'its code also calls listen()', sure: true };
  // A function that makes the app when it is called.
  const makes = typeof exported === 'function' && exported.length === 0;
  if (IS_MAIN.some((pattern) => pattern.test(source))) return { why: 'its code also asks whether it is the main module', sure: makes };
  if (makes && isCalled(source, exported.name)) return { why: `its code also calls ${exported.name}(), which it exports`, sure: true };
  return undefined;
}

/** At the top of the file, as far as its text shows: elsewhere it may be one that makes the app once. */
function isCalled(source: string, name: string): boolean {
  return /^[a-zA-Z_]\w*$/.test(name) && new RegExp(`(?:^|[;}][ \\t]*)(?:await\\s+|void\\s+)?${name}\\s*\\(`, 'm').test(source);
}
