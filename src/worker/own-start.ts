/**
 * Whether a program that exports something to serve starts by itself, though it has opened no server yet: Express apps export themselves for their tests and listen when the database
 * has answered; commands export the function that they run. To serve what such a program exports would serve it elsewhere, or run it twice. Told by the main file's text alone. In the worker.
 */
import { readFileSync } from 'node:fs';

const COMMENT = /(?<=^|[\s;,{}()])(?:\/\*[^]*?\*\/|\/\/.*)/g;
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

/** `exported`: what is to be served. What speaks for its own start, as `its code also calls listen()`; undefined: nothing does. */
export function ownStart(file: string, exported: unknown): string | undefined {
  const source = readFileSync(file, 'utf8').replace(COMMENT, '');
  if (LISTENS.test(source)) return 'its code also calls listen()';
  // Only a function that makes the app can be run twice.
  if (typeof exported !== 'function' || exported.length > 0) return undefined;
  if (isCalled(source, exported.name, AT_TOP)) return `its code also calls ${exported.name}(), which it exports`;
  if (IS_MAIN.some((pattern) => pattern.test(source)) && (/\bexports(?:\.default)?\s*\(/.test(source) || isCalled(source, exported.name, ANYWHERE))) return 'its code also calls it when it is the main module';
  return undefined;
}

/** As far as the text of a file shows; one that is called elsewhere may be one that makes the app once. */
const AT_TOP = String.raw`(?:^|[;}][ \t]*)(?:await\s+|void\s+)?`;
const ANYWHERE = String.raw`(?<![.\w$]|function\s*\*?\s*)`;

/** A name, what it is called with, and no body behind it, which would make it a method. */
function isCalled(source: string, name: string, where: string): boolean {
  return /^[a-zA-Z_]\w*$/.test(name) && name !== 'default' && new RegExp(String.raw`${where}${name}\s*\((?![^()]*\)\s*\{)`, 'm').test(source);
}

/** Compared, in one statement, with functions that make one of the other. */
function inBothOrders(one: string, other: string): RegExp[] {
  const compared = String.raw`[^;]{0,60}(?:[!=]==?|endsWith\()[^;]{0,60}`;
  return [new RegExp(one + compared + other), new RegExp(other + compared + one)];
}

function hasMetaMain(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 2);
}
