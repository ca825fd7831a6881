/**
 * The file an APP stands for: a path as `node PATH` would find it, else a package of the working directory. In the worker.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, extname, isAbsolute, join, normalize, resolve } from 'node:path';
import { DroverError } from '../errors.js';
import { TYPESCRIPT_REMEDY } from './typescript-unstripped.js';

export interface AppFile {
  /** The file to run, links resolved. */
  file: string;
  /** What the app finds in process.argv[1]: as with node, links not resolved. */
  argv1: string;
  /** A command of the package, when the package was named and its main file is what will run. */
  command: string | undefined;
}

/** What node's own resolution leaves out of extensionless names and directories. */
const EXTENSIONS = ['.mjs', '.cjs', '.ts', '.mts', '.cts'];

/** Throws ERR_DROVER_APP_NOT_FOUND, ERR_DROVER_APP_UNUSABLE. */
export async function findAppFile(target: string, directory: string): Promise<AppFile> {
  const cwd = resolve(directory);
  const path = resolve(cwd, target);
  const found = fromPath(target, path, cwd);
  if (found === undefined && (isAbsolute(target) || /^\.{1,2}(\/|$)/.test(target))) throw await notFound(target, path, cwd);
  const app = found === undefined ? fromPackage(target, cwd) : fromFile(target, found, path, cwd);
  if (app === undefined) throw await notFound(target, packageDirectory(target, cwd) ?? path, cwd);
  checkReadable(target, app.file);
  checkRunnable(target, app.file);
  return app;
}

/** But not JavaScript that a shell starts by its second line: `':' //; exec node "$0" "$@"`. */
const SHELL_SCRIPT = /^#!\s*\/(?:usr\/)?bin\/(?:env\s+)?(?:ba|da|z)?sh\b(?!.*\n(?:(["']):\1\s*)?\/\/)/;
const RUNS_NODE = /^\s*exec node\b.* "\$basedir\/([^"]+)" +"\$@"$/m;

/** A command in node_modules/.bin is a link for npm, for pnpm a shell script that runs the file: both stand for it. */
function fromFile(target: string, file: string, path: string, cwd: string): AppFile {
  const source = /^(?:|\.(?:ba)?sh)$/.test(extname(file)) && isReadable(file) ? readFileSync(file, 'utf8') : '';
  // V8 compiles a pattern at its first use.
  if (source === '' || !SHELL_SCRIPT.test(source)) return { file, argv1: path, command: undefined };
  const runs = RUNS_NODE.exec(source)?.[1];
  const argv1 = runs === undefined ? undefined : join(dirname(file), runs);
  const behind = argv1 === undefined ? undefined : fromPath(target, argv1, cwd);
  if (behind === undefined) throw new DroverError('ERR_DROVER_APP_UNUSABLE', `app ${target} is a shell script: ${file}`, 'Give the JavaScript file that it runs.');
  return { file: behind, argv1: argv1!, command: undefined };
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function fromPath(target: string, path: string, cwd: string): string | undefined {
  const require = createRequire(join(cwd, 'drover'));
  for (const candidate of [path, ...EXTENSIONS.map((extension) => path + extension), ...EXTENSIONS.map((extension) => join(path, `index${extension}`))]) {
    try {
      return require.resolve(candidate);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Anything else is for the user to know, for instance a package.json that is no JSON.
      if (code !== 'MODULE_NOT_FOUND') throw unresolved(target, path, firstLine(error));
    }
  }
  return undefined;
}

function unresolved(target: string, path: string, why: string): DroverError {
  const where = why.includes(path) ? '' : `${path}: `;
  return new DroverError('ERR_DROVER_APP_NOT_FOUND', `app ${target} cannot be resolved: ${where}${why}`, 'Look at its package.json, or give the path of the file to run.');
}

interface PackageJson {
  name?: string;
  main?: unknown;
  exports?: unknown;
  bin?: unknown;
}

/** A package's main file, else its command. */
function fromPackage(name: string, cwd: string): AppFile | undefined {
  if (!/^(@[^/@]+\/)?[^/@.][^/]*(\/.*)?$/.test(name) || Module.isBuiltin(name)) return undefined;
  const directory = packageDirectory(name, cwd);
  const manifest = directory === undefined ? undefined : readManifest(name, directory);
  const bin = directory === undefined ? undefined : commandOf(manifest!, name);
  try {
    const file = createRequire(join(cwd, 'drover')).resolve(name);
    return { file, argv1: file, command: bin };
  } catch {
    if (directory === undefined) return undefined;
    // A package for import only.
    const main = importTarget(manifest!.exports) ?? bin;
    const file = main === undefined ? undefined : fromPath(name, join(directory, main), cwd);
    return file === undefined ? undefined : { file, argv1: file, command: bin };
  }
}

function packageDirectory(name: string, cwd: string): string | undefined {
  for (let directory = cwd; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (directory === dirname(directory)) return undefined;
  }
}

/** Of a directory that has one. Throws ERR_DROVER_APP_NOT_FOUND. */
function readManifest(target: string, directory: string): PackageJson {
  const file = join(directory, 'package.json');
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw unreadable(target, file, error);
    throw unresolved(target, file, firstLine(error));
  }
  if (typeof manifest !== 'object' || manifest === null) throw unresolved(target, file, 'no object');
  return manifest;
}

/** The command named like the package, else the only one or the first. */
function commandOf({ bin }: PackageJson, name: string): string | undefined {
  const files = Object.entries(typeof bin === 'string' ? { [name]: bin } : (bin ?? {})).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const [, file] = files.find(([command]) => command === name.slice(name.indexOf('/') + 1)) ?? files[0] ?? [];
  return file;
}

/** The file of the package's own export under the conditions of import, in order as written. */
function importTarget(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (Array.isArray(exports)) return exports.map(importTarget).find((target) => target !== undefined);
  if (typeof exports !== 'object' || exports === null) return undefined;
  if ('.' in exports) return importTarget(exports['.']);
  for (const [condition, target] of Object.entries(exports)) {
    const file = ['import', 'node', 'default', 'module-sync'].includes(condition) ? importTarget(target) : undefined;
    if (file !== undefined) return file;
  }
  return undefined;
}

function checkReadable(target: string, file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw unreadable(target, file, error);
  }
}

function unreadable(target: string, file: string, error: unknown): DroverError {
  const why = (error as NodeJS.ErrnoException).code === 'EACCES' ? 'permission denied' : firstLine(error);
  return new DroverError('ERR_DROVER_APP_NOT_FOUND', `app ${target} cannot be read: ${file}: ${why}`, 'Let the user that drover runs as read it, and enter the directories above it.');
}

/** TypeScript on a Node that does not strip types, with nothing loaded that does. */
function checkRunnable(target: string, file: string): void {
  if (!['.ts', '.mts', '.cts'].includes(extname(file))) return;
  const strips = Boolean((process.features as { typescript?: unknown }).typescript);
  const helped = '.ts' in (Module as unknown as { _extensions: object })._extensions || hasPreloads();
  if (strips || helped) return;
  throw new DroverError(
    'ERR_DROVER_APP_UNUSABLE',
    `app ${target} is TypeScript, which Node ${process.versions.node} does not run by itself`,
    TYPESCRIPT_REMEDY,
  );
}

/** Whether node was started with modules to load before the app: they may have changed how modules are loaded. */
export function hasPreloads(): boolean {
  return [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)].some((word) =>
    /^(-r|--(require|import|loader|experimental-loader))(=|$)/.test(word),
  );
}

async function notFound(target: string, path: string, cwd: string): Promise<DroverError> {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    return unreadable(target, path, error);
  }
  if (isDirectory) return noMain(target, path);
  const near = await nearestFile(path, cwd);
  const isPath = isAbsolute(target) || /^\.{1,2}(\/|$)/.test(target) || /\.[cm]?[jt]s$/.test(target);
  return new DroverError(
    'ERR_DROVER_APP_NOT_FOUND',
    isPath ? `app ${target} does not exist: there is no ${path}` : `app ${target} is neither a file nor a package in ${cwd}`,
    near === undefined ? 'APP is a path, relative to the working directory (--chdir), or the name of an installed package.' : `Did you mean ${near}?`,
  );
}

/** A directory that says nowhere which of its files is the app. */
function noMain(target: string, directory: string): DroverError {
  const { main, ...manifest } = existsSync(join(directory, 'package.json')) ? readManifest(target, directory) : {};
  const why = typeof main === 'string' ? `"main" of its package.json is ${main}, which is not there, and it has no index file` : 'it has no index file and no package.json with a "main"';
  const notTold = (remedy: string): DroverError =>
    new DroverError('ERR_DROVER_APP_NOT_FOUND', `app ${target} is a directory, and which of its files to run is told nowhere: ${why} (${directory})`, remedy);
  const within = (file: string): string => `${target.replace(/\/*$/, '/')}${normalize(file)}`;
  // Node reads these only where a package is named, not its directory.
  for (const [field, file] of Object.entries({ exports: importTarget(manifest.exports), bin: commandOf(manifest, String(manifest.name)) })) {
    if (typeof file === 'string' && (isScript(file) || extname(file) === '') && statSync(join(directory, file), { throwIfNoEntry: false })?.isFile() === true) {
      return notTold(`Did you mean ${within(file)}, the "${field}" of its package.json?`);
    }
  }
  const names = readdirSync(directory).filter((name) => isScript(name) && !/\.(config|test|spec)\./.test(name));
  const likely = names.find((name) => /^(app|server|main|start)\./.test(name)) ?? (names.length === 1 ? names[0] : undefined);
  return notTold(likely === undefined ? 'Give the path of the file.' : `Did you mean ${within(likely)}?`);
}

/** A file of the same directory with nearly that name, as the user would write it. */
async function nearestFile(path: string, cwd: string): Promise<string | undefined> {
  const directory = dirname(path);
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      // A link that points nowhere has the very name.
      .filter((entry) => existsSync(join(directory, entry.name)))
      .filter((entry) => isScript(entry.name) || (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules'))
      .map((entry) => entry.name);
  } catch {
    return undefined;
  }
  const { closest, distance } = (await import('fastest-levenshtein')).default;
  const name = path.slice(directory.length + 1);
  const near = names.length === 0 ? '' : closest(name, names);
  if (near === '' || distance(name, near) > Math.max(2, name.length / 3)) return undefined;
  const full = join(directory, near);
  return full.startsWith(`${cwd}/`) ? `./${full.slice(cwd.length + 1)}${statSync(full).isDirectory() ? '/' : ''}` : full;
}

function isScript(name: string): boolean {
  return /(?<!\.d)\.[cm]?[jt]s$/.test(name);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;
}
