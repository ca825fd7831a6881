/**
 * Finds and reads the config file: drover.config.{ts,mts,js,mjs,cjs,json}. What is in it is load.ts's.
 *
 * Read anew each time it is asked for, since HUP re-reads it. What the file itself imports: CommonJS modules outside node_modules are re-read
 * too; ES modules are not, as Node keeps those for the life of the process (with jiti, which compiles, they are).
 *
 * Rank 1. In the master, and in workers that have hooks to load: imports no more than errors, and jiti only when it is needed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileFunction } from 'node:vm';
import { DroverError } from '../errors.js';
import { jsonErrorPosition } from './json-position.js';
import { settled } from './settled.js';

/** In order: the first that is there is taken. */
export const CONFIG_EXTENSIONS = ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json'] as const;

/** What others read: better refused than not seen. */
const OTHER_EXTENSIONS = ['.yaml', '.yml', '.toml', '.jsonc', '.json5'];

/** Null: there is none. `readable`: of the kinds that drover reads. */
export function findConfigFile(directory: string, readable = false): string | null {
  return [...CONFIG_EXTENSIONS, ...(readable ? [] : OTHER_EXTENSIONS)].map((extension) => join(directory, `drover.config${extension}`)).find((path) => existsSync(path)) ?? null;
}

export interface ReadOptions {
  /** Who named the file, for messages. */
  asked?: string | undefined;
  /** Nobody has: it was found by its name. */
  found?: boolean | undefined;
  /** How long it may take. */
  timeoutMs?: number | undefined;
  /** Called once, where it takes long. */
  onLong?: ((path: string) => void) | undefined;
}

/** What the file exports, a function already called. Throws DroverError. */
export async function readConfigFile(path: string, { asked, found = false, timeoutMs, onLong }: ReadOptions = {}): Promise<Record<string, unknown>> {
  const named = asked === undefined ? '' : ` (${asked})`;
  let file: string;
  let text: string;
  try {
    // Node remembers where a link in a path has led, and would read the old release's file again when `current` names another one.
    file = realpathSync(path);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a directory' : code === 'EACCES' ? 'may not be read (EACCES)' : `cannot be read (${code})`;
    throw new DroverError('ERR_DROVER_CONFIG_FILE', `config file ${path}: ${what}${named}`, found ? 'Mend that, or rename it if it is not for drover.' : 'Give the path of a config file, relative to where drover is started.');
  }
  const extension = extname(path);
  if (!(CONFIG_EXTENSIONS as readonly string[]).includes(extension)) {
    const kinds = `one of ${CONFIG_EXTENSIONS.join(' ')}`;
    throw new DroverError('ERR_DROVER_CONFIG_FILE', `config file ${path}: not a kind of file drover reads${found ? ' (found by its name, where drover is started)' : named}`, found ? `Write it as ${kinds}, or rename it if it is not for drover.` : `Give a file that ends in ${kinds}.`);
  }
  if (extension === '.json') return checkExport(parseJson(path, text), path);
  try {
    const unsettled = (why: string): DroverError => new DroverError('ERR_DROVER_CONFIG_FILE', `config file ${path} ${why}`, 'Look for what it waits for: a top-level await, or the promise that it exports or returns.');
    const exported = await importAnew(() => settled(exportOf(file, extension, text), unsettled, timeoutMs, onLong && (() => onLong(path))));
    return checkExport(exported, path);
  } catch (error) {
    throw error instanceof DroverError ? error : configError(path, file, error);
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const { line, column } = jsonErrorPosition(text);
    // Without the piece of text and the position that some versions of Node put into it.
    const message = (error as Error).message.replace(/ in JSON at position .*$|, (\.\.\.)?".*" is not valid JSON$/s, '').replaceAll('\n', '\\n');
    throw new DroverError('ERR_DROVER_CONFIG_FILE', `config file ${path}:${line}:${column}: ${message}`, text.trim() === '' ? 'It is empty: {} is the least that it can hold.' : 'JSON has no comments and no trailing commas; for these use drover.config.js.');
  }
}

const require = createRequire(import.meta.url);
let reads = 0;
/** CommonJS modules outside node_modules that readings have brought in. */
const required = new Set<string>();

let turn: Promise<unknown> = Promise.resolve();

/** One at a time: to forget a module while another reading still loads it confuses Node. */
function importAnew(read: () => Promise<unknown>): Promise<unknown> {
  const reading = turn.then(async () => {
    for (const id of required) Reflect.deleteProperty(require.cache, id);
    required.clear();
    const before = new Set(Object.keys(require.cache));
    try {
      return await read();
    } finally {
      for (const id of Object.keys(require.cache)) if (!before.has(id) && !id.includes('/node_modules/')) required.add(id);
    }
  });
  turn = reading.catch(() => {});
  return reading;
}

async function exportOf(path: string, extension: string, text: string): Promise<unknown> {
  const exported = await importDefault(path, extension, text);
  return typeof exported === 'function' ? await (exported as () => unknown)() : exported;
}

async function importDefault(path: string, extension: string, text: string): Promise<unknown> {
  if (isForJiti(path)) {
    const { createJiti } = await import('jiti');
    return await createJiti(import.meta.url, { moduleCache: false, fsCache: false }).import(path, { default: true });
  }
  // Not import(): since Node 24 what a CommonJS module requires that was imported is in the ES loader's cache, which nobody can clear.
  if (!isTypeScript(extension) && isCommonJs(path, extension, text)) {
    const exported: unknown = require(path);
    const compiled = typeof exported === 'object' && exported !== null && '__esModule' in exported && 'default' in exported;
    return compiled ? exported.default : exported;
  }
  // The query makes it another module for Node: an ES module cannot be forgotten.
  return ((await import(`${pathToFileURL(path).href}?drover=${++reads}`)) as { default?: unknown }).default;
}

function isTypeScript(extension: string): boolean {
  return extension === '.ts' || extension === '.mts';
}

/** Where Node does not strip types by itself, or would take `import` for a mistake: `npm init` writes "type": "commonjs" since npm 11. */
function isForJiti(path: string): boolean {
  const extension = extname(path);
  if (!isTypeScript(extension)) return false;
  return !(process.features as { typescript?: unknown }).typescript || (extension === '.ts' && packageType(dirname(path)) === 'commonjs');
}

/** As Node decides it: by extension, by the package's type, else by whether the text is CommonJS. */
function isCommonJs(path: string, extension: string, text: string): boolean {
  if (extension !== '.js') return extension === '.cjs';
  const type = packageType(dirname(path));
  if (type !== undefined) return type === 'commonjs';
  try {
    compileFunction(text.replace(/^#!.*/, ''), ['exports', 'require', 'module', '__filename', '__dirname']);
    return true;
  } catch {
    return false; // an ES module, or a mistake that import() will tell of
  }
}

/** `type` of the nearest package.json. */
function packageType(directory: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { type?: string }).type;
  } catch (error) {
    // A broken package.json is Node's to complain about.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(directory) === directory) return undefined;
    return packageType(dirname(directory));
  }
}

function checkExport(exported: unknown, path: string): Record<string, unknown> {
  if (typeof exported === 'object' && exported !== null && !Array.isArray(exported)) return exported as Record<string, unknown>;
  const what = exported === undefined ? 'has no default export' : `exports ${exported === null ? 'null' : Array.isArray(exported) ? 'a list' : `a ${typeof exported}`}`;
  throw new DroverError('ERR_DROVER_CONFIG_FILE', `config file ${path} ${what}`, 'Export an object of options, or a function that returns one: export default defineConfig({ workers: 2 })');
}

/** What a config file threw, or why it could not be compiled: where and what, no stack. `file`: the path without links, as stacks have it. */
function configError(path: string, file: string, error: unknown): DroverError {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const place = placeIn(file, stack) || (error instanceof SyntaxError ? placeOfSyntaxError(file) : '');
  const other = otherFile(file, stack);
  // Node's and jiti's messages may go on over several lines (a piece of source, a require stack).
  const message = (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!.trim();
  // A drover that is installed globally, or run from its clone, is none of the file's packages.
  const remedy = /^Cannot find (?:module|package) 'drover'/.test(message)
    ? 'drover is not installed where this file is. defineConfig is there for its types only: leave it out and export the object, or npm install drover there.'
    : other === undefined && /^(?:Cannot use import statement outside a module|Unexpected token 'export')/.test(message)
      ? `It is written as an ES module, and Node takes it for CommonJS: rename it to ${basename(path, extname(path))}.mjs${extname(path) === '.cjs' ? '' : ', or set "type": "module" in package.json'}.`
      : 'Correct the file; drover --check-config tries it.';
  const name = error instanceof Error && !/^\w*Error: /.test(message) ? `${error.name}: ` : '';
  return new DroverError('ERR_DROVER_CONFIG_FILE', `config file ${path}${place}: ${name}${message}${other === undefined ? '' : ` (${other}${placeIn(other, stack)})`}`, remedy);
}

/** `:line:column` in the file, as far as a stack tells: the head that Node puts before it (piece of source, caret), else the first frame. */
function placeIn(path: string, stack: string): string {
  const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const file = `(?:file://)?${escaped}(?:\\?drover=\\d+)?`;
  // Of a file that ends too early it has no piece, and so no caret.
  const [, line, blanks] = new RegExp(`^${file}:(\\d+)\n(?:.*(?:\n.*)?\n([ \t]*)\\^)?`).exec(stack) ?? [];
  if (line !== undefined) return blanks === undefined ? `:${line}` : `:${line}:${blanks.length + 1}`;
  const [, row, column] = new RegExp(`${file}:(\\d+):(\\d+)`).exec(stack) ?? [];
  if (row === undefined || column === undefined) return '';
  // Babel, which is in jiti, counts columns from 0.
  if (stack.includes('ParseError: ')) return `:${row}:${Number(column) + 1}`;
  // What it makes of a file has the lines of the file, but not the columns.
  return isForJiti(path) ? `:${row}` : `:${row}:${column}`;
}

/** A file that the config file imports, where that is what threw: the first in a stack. */
function otherFile(path: string, stack: string): string | undefined {
  for (const [, file] of stack.matchAll(/(?:^|[\s(])(?:file:\/\/)?(\/[^\n()]*?\.[cm]?[jt]s)(?:\?drover=\d+)?:\d+/g)) {
    if (file === path) return undefined;
    if (!/\/node_modules\/jiti\//.test(file!)) return file;
  }
  return undefined;
}

/** An ES module's SyntaxError has no place in its stack; `node --check` prints it. Node 20 and 22 check an ambiguous .js as CommonJS only. */
function placeOfSyntaxError(path: string): string {
  for (const flags of [[], ['--experimental-default-type=module']]) {
    const { stderr } = spawnSync(process.execPath, [...flags, '--check', path], { encoding: 'utf8', timeout: 5000, env: { ...process.env, NODE_OPTIONS: '' } });
    const place = placeIn(path, stderr ?? '');
    if (place !== '') return place;
  }
  return '';
}
