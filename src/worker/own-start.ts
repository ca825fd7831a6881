/**
 * Whether a program that exports something to serve starts by itself, though it has opened no server yet: Express apps export themselves for their tests and listen when the database
 * has answered; commands export the function that they run. To serve what such a program exports would serve it elsewhere, or run it twice. Told by the main file's text alone. In the worker.
 */
import { readFileSync } from 'node:fs';

const COMMENT = /(?<=^|[\s;,{}()[=:])\/\*[^]*?\*\/|(?<=^|[\s;,{})])\/\/.*/g;
const LISTENS = /\.listen\s*\(/;
/** What a module does only when it is the main one: as CommonJS modules say it, and ES modules. To look at `require.main` for anything else is common. */
const IS_MAIN = [
  /\brequire\.main\s*[!=]==?\s*module\b/,
  /\bmodule\s*[!=]==?\s*require\.main\b/,
  /\brequire\.main\??\.filename\s*[!=]==?\s*__filename\b/,
  /!\s*module\.parent\b/,
  /\bmodule\.parent\s*[!=]==?\s*(?:null|undefined)\b/,
  ...inBothOrders(String.raw`\bprocess\.argv\[1\]`, String.raw`\b(?:import\.meta\.(?:url|filename)|__filename)\b`),
  // Elsewhere it is undefined, and what asks for it never runs.
  ...(hasMetaMain() ? [/\bimport\.meta\.main\b/] : []),
];
/** A call of what the file exports, by a name that drover would serve; TypeScript writes `(0, exports.app)()`. */
const CALLS_EXPORT = /\bexports(?:\.(?:default|app|server|handler))?\)?\s*\(/;
/** Of `const main = (module.exports = () => …)`, whose function has no name of its own. */
const NAMES_EXPORT = /\b(\w+)\s*=\s*\(?\s*module\.exports\s*=[^=]/;

/** `exported`: what is to be served. What speaks for its own start, as `its code also calls listen()`; undefined: nothing does. */
export function ownStart(file: string, exported: unknown): string | undefined {
  const source = codeOf(file);
  if (LISTENS.test(source)) return 'its code also calls listen()';
  // Only a function that makes the app can be run twice.
  if (typeof exported !== 'function' || exported.length > 0) return undefined;
  const name = exported.name || NAMES_EXPORT.exec(source)?.[1] || '';
  if (isCalled(source, name, AT_TOP)) return 'its code also calls what it exports';
  const startsAsMain = asksForMain(source) && (CALLS_EXPORT.test(source) || isCalled(source, name, ANYWHERE) || isHandedOn(source, name));
  return startsAsMain ? 'its code also asks whether it is the main module, and calls what it exports' : undefined;
}

/** Whether a program that exports nothing to serve may be one that takes its time: it has a listen(), or does something as the main module. */
export function mayListen(file: string): boolean {
  const source = codeOf(file);
  return LISTENS.test(source) || asksForMain(source);
}

function codeOf(file: string): string {
  return readFileSync(file, 'utf8').replace(COMMENT, '');
}

function asksForMain(source: string): boolean {
  return IS_MAIN.some((pattern) => pattern.test(source));
}

/** As far as the text of a file shows; one that is called elsewhere may be one that makes the app once. */
const AT_TOP = String.raw`(?:^|[;}][ \t]*)(?:await\s+|void\s+)?`;
const ANYWHERE = String.raw`(?<![.\w$]|function\s*\*?\s*)`;

/** A name, what it is called with, and no body behind it, which would make it a method. */
function isCalled(source: string, name: string, where: string): boolean {
  return isName(name) && new RegExp(String.raw`${where}${name}\s*\((?![^()]*\)\s*\{)`, 'm').test(source);
}

function isHandedOn(source: string, name: string): boolean {
  return isName(name) && new RegExp(String.raw`\b(?:nextTick|setImmediate|queueMicrotask)\s*\(\s*${name}\s*[,)]`).test(source);
}

/** One that tells something: minifiers give names of one or two letters again and again. */
function isName(name: string): boolean {
  return /^[a-zA-Z_]\w{2,}$/.test(name) && name !== 'default';
}

/** The two compared in one statement, whatever functions convert them. */
function inBothOrders(one: string, other: string): RegExp[] {
  const compared = String.raw`[^;]{0,60}(?:[!=]==?|endsWith\()[^;]{0,60}`;
  return [new RegExp(one + compared + other), new RegExp(other + compared + one)];
}

/** Node 22.18, and 24.2. To ask for it here would be to ask in what a bundler has made of this file. */
function hasMetaMain(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 2) || (major === 22 && minor >= 18);
}
