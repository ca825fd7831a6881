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
  if (app === undefined) {
    // A directory of that name is meant before a package.
    const directory = existsSync(path) || !isPackageName(target) ? undefined : packageDirectory(target, cwd);
    throw directory === undefined ? await notFound(target, path, cwd) : noMain(target, directory, pathFrom(cwd, directory));
  }
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

function isPackageName(name: string): boolean {
  return /^(@[^/@]+\/)?[^/@.][^/]*(\/.*)?$/.test(name) && !Module.isBuiltin(name);
}

/** A package's main file, else its command. */
function fromPackage(name: string, cwd: string): AppFile | undefined {
  if (!isPackageName(name)) return undefined;
  const directory = packageDirectory(name, cwd);
  let file: string | undefined;
  try {
    file = createRequire(join(cwd, 'drover')).resolve(name);
  } catch {
    if (directory === undefined) return undefined;
  }
  let manifest: PackageJson = {};
  try {
    if (directory !== undefined) manifest = readManifest(name, directory);
  } catch (error) {
    // Else Node makes something of it.
    if (file === undefined) throw error;
  }
  const command = commandOf(manifest, name);
  // A package for import only.
  const target = importTarget(manifest.exports) ?? command;
  if (file === undefined && target !== undefined) file = fromPath(name, join(directory!, target), cwd);
  return file === undefined ? undefined : { file, argv1: file, command };
}

function packageDirectory(name: string, cwd: string): string | undefined {
  for (let directory = cwd; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (isFile(join(candidate, 'package.json'))) return candidate;
    if (directory === dirname(directory)) return undefined;
  }
}

/** Of a directory that has one. Throws ERR_DROVER_APP_NOT_FOUND. */
function readManifest(target: string, directory: string): PackageJson {
  const file = join(directory, 'package.json');
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw unreadable(target, file, error);
    throw unresolved(target, file, firstLine(error));
  }
  if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest)) throw unresolved(target, file, 'no object');
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
  if (Module.isBuiltin(target) && near === undefined) {
    return new DroverError('ERR_DROVER_APP_NOT_FOUND', `app ${target} is a module of Node's own, and no file in ${cwd}`, 'Of a package that has the same name give the path of the file to run.');
  }
  const isPath = isAbsolute(target) || /^\.{1,2}(\/|$)/.test(target) || /\.[cm]?[jt]s$/.test(target);
  return new DroverError(
    'ERR_DROVER_APP_NOT_FOUND',
    isPath ? `app ${target} does not exist: there is no ${path}` : `app ${target} is neither a file nor a package in ${cwd}`,
    near === undefined ? 'APP is a path, relative to the working directory (--chdir), or the name of an installed package.' : `Did you mean ${near}?`,
  );
}

/** A directory, perhaps a package's, that says nowhere which of its files is the app. `shown`: how the user would write it. */
function noMain(target: string, directory: string, shown = target): DroverError {
  const { main, ...manifest } = isFile(join(directory, 'package.json')) ? readManifest(target, directory) : {};
  const why = whyNoMain(main, manifest.exports, directory);
  const notTold = (remedy: string): DroverError =>
    new DroverError('ERR_DROVER_APP_NOT_FOUND', `app ${target} is a directory, and which of its files to run is told nowhere: ${why} (${directory})`, remedy);
  const within = (file: string): string => `${shown.replace(/\/*$/, '/')}${normalize(file)}`;
  // Node reads these only where a package is named, not its directory.
  for (const [field, file] of Object.entries({ exports: importTarget(manifest.exports), bin: commandOf(manifest, String(manifest.name)) })) {
    if (typeof file === 'string' && (isScript(file) || extname(file) === '') && isFile(join(directory, file))) {
      return notTold(`Did you mean ${within(file)}, the "${field}" of its package.json?`);
    }
  }
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => isScript(name) && !/\.(config|test|spec)\./.test(name));
  } catch (error) {
    return unreadable(target, directory, error);
  }
  const likely = names.find((name) => /^(app|server|main|start)\./.test(name)) ?? (names.length === 1 ? names[0] : undefined);
  return notTold(likely === undefined ? 'Give the path of the file.' : `Did you mean ${within(likely)}?`);
}

function whyNoMain(main: unknown, exports: unknown, directory: string): string {
  const hidden = exports !== undefined && importTarget(exports) === undefined;
  if (typeof main !== 'string' || main === '') return hidden ? 'its package.json has no "main", and "exports" that name no file to run' : 'it has no index file and no package.json with a "main"';
  if (existsSync(join(directory, main))) return `its package.json has "exports" that name no file to run, and "main", ${main}, does not count beside them`;
  return `"main" of its package.json is ${main}, which is not there, and it has no index file`;
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
  return `${pathFrom(cwd, full)}${statSync(full).isDirectory() ? '/' : ''}`;
}

/** As the user would write it. */
function pathFrom(cwd: string, path: string): string {
  return path.startsWith(`${cwd}/`) ? `./${path.slice(cwd.length + 1)}` : path;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isScript(name: string): boolean {
  return /(?<!\.d)\.[cm]?[jt]s$/.test(name);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;
}
