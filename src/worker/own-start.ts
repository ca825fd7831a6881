/**
 * Whether a program that exports something to serve starts by itself, though it has opened no server yet: Express apps export themselves for their tests and listen when the database
 * has answered; commands export the function that they run. To serve what such a program exports would serve it elsewhere, or run it twice. Told by the main file's text alone. In the worker.
 */
import { readFileSync } from 'node:fs';

/** A comment, or a string in quotes, in which there is none: it may be megabytes long, and an alternative for each of its characters would end at the limit of the stack. */
const COMMENT = /"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|(?<=^|[\s;,(){=:])\/\*[^]*?\*\/|(?<=^|[\s;,{})])\/\/.*/g;
const LISTENS = /\.listen\s*\(/;
const OWN_FILE = String.raw`\b(?:import\.meta\.(?:url|filename)|__filename)\b`;
const STARTED_FILE = String.raw`\bprocess\.argv(?:\?\.)?\[1\]`;
/** What a module does only when it is the main one: as CommonJS modules say it, and ES modules. To look at `require.main` for anything else is common. */
const IS_MAIN = [
  /\brequire\.main\s*[!=]==?\s*module\b/,
  /\bmodule\s*[!=]==?\s*require\.main\b/,
  /\brequire\.main\??\.filename\s*[!=]==?\s*__filename\b/,
  /\b__filename\s*[!=]==?\s*require\.main\b/,
  /!\s*module\.parent\b/,
  /\bmodule\.parent\s*[!=]==?\s*(?:null|undefined)\b/,
  ...inBothOrders(STARTED_FILE, OWN_FILE),
  // Elsewhere it is undefined, and what asks for it never runs.
  ...(hasMetaMain() ? [/\bimport\.meta\.main\b/] : []),
];
const ASKS_OWN_FILE = new RegExp(OWN_FILE);
const NAMES_STARTED = new RegExp(String.raw`\b(?:const|let|var)\s+(\w+)\s*=[^;\n]*${STARTED_FILE}`);

/** What the file exports, by a name that drover would serve, and no other object's `exports`. TypeScript writes `(0, exports.app)()`. */
const EXPORT = String.raw`(?<!(?<!module)\.)\b(?:module\.)?exports(?:\.(?:default|app|server|handler))?`;
const EXPORT_OR_ALONE = String.raw`(?:\(0,\s*${EXPORT}\)|${EXPORT})`;
/** Of `const main = (module.exports = () => …)`, whose function has no name of its own. */
const NAMES_EXPORT = /\b(\w+)\s*=\s*\(?\s*(?:exports\s*=\s*)?module\.exports\s*=[^=]/;

/** `exported`: what is to be served. What speaks for its own start, as `its code also calls listen()`; undefined: nothing does. */
export function ownStart(file: string, exported: unknown): string | undefined {
  const source = codeOf(file);
  if (LISTENS.test(source)) return 'its code also calls listen()';
  // Only a function that makes the app can be run twice.
  if (typeof exported !== 'function' || exported.length > 0) return undefined;
  const name = exported.name || NAMES_EXPORT.exec(source)?.[1] || '';
  const what = tells(name, source) ? `(?:${name}|${EXPORT_OR_ALONE})` : EXPORT_OR_ALONE;
  if (isCalled(source, what, AT_TOP)) return 'its code also calls what it exports';
  if (asksForMain(source) && (isCalled(source, what, ANYWHERE) || isHandedOn(source, what))) return 'its code also asks whether it is the main module, and calls what it exports';
  return undefined;
}

/** Whether a program that exports nothing to serve may be one that takes its time: it has a listen(), or does something as the main module. */
export function mayListen(file: string): boolean {
  const source = codeOf(file);
  return LISTENS.test(source) || asksForMain(source);
}

function codeOf(file: string): string {
  const text = readFileSync(file, 'utf8');
  try {
    return text.replace(COMMENT, (match) => (match.startsWith('/') ? '' : match));
  } catch {
    // A string of millions of escapes, all the same.
    return text;
  }
}

function asksForMain(source: string): boolean {
  return IS_MAIN.some((pattern) => pattern.test(source)) || comparesStarted(source);
}

/** The same with names in between: `const here = fileURLToPath(import.meta.url); if (process.argv[1] === here) …`. */
function comparesStarted(source: string): boolean {
  if (!ASKS_OWN_FILE.test(source)) return false;
  const name = NAMES_STARTED.exec(source)?.[1];
  const started = name === undefined ? STARTED_FILE : String.raw`(?:${STARTED_FILE}|\b${name}\b)`;
  return new RegExp(String.raw`${started}[^;\n]{0,60}[!=]==?|[!=]==?[^;\n]{0,60}${started}`).test(source);
}

/** As far as the text of a file shows; one that is called elsewhere may be one that makes the app once. */
const AT_TOP = String.raw`(?:^|[;}][ \t]*)(?:await\s+|void\s+)?`;
const ANYWHERE = String.raw`(?<![.\w$]|function\s*\*?\s*)`;

/** With a body behind it, it would be a method. */
function isCalled(source: string, what: string, where: string): boolean {
  return new RegExp(String.raw`${where}${what}\s*(?:\?\.)?\((?![^()]*\)\s*\{)`, 'm').test(source);
}

function isHandedOn(source: string, what: string): boolean {
  return new RegExp(String.raw`\b(?:nextTick|setImmediate|setTimeout|queueMicrotask|then)\s*\(\s*${what}\s*[,)]`).test(source);
}

/** Whether a name is one that only this function has: minifiers give those of one or two letters again and again. */
function tells(name: string, source: string): boolean {
  return /^[a-zA-Z_]\w*$/.test(name) && name !== 'default' && (name.length > 2 || !/^.{1000}/m.test(source));
}

/** The two compared in one statement, whatever functions convert them. */
function inBothOrders(one: string, other: string): RegExp[] {
  const compared = String.raw`[^;]{0,60}(?:[!=]==?|endsWith\()[^;]{0,60}`;
  return [new RegExp(one + compared + other), new RegExp(other + compared + one)];
}

/** Node 22.18, and 24.2. `import.meta.main` itself cannot be asked for here: a bundler may have rewritten it. */
function hasMetaMain(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 2) || (major === 22 && minor >= 18);
}
