/**
 * The file an APP stands for: a path as `node PATH` would find it, else a package of the working directory. In the worker.
 */
import { constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, extname, isAbsolute, join, normalize, resolve } from 'node:path';
import { DroverError } from '../errors.js';
import { allows, checkReadable, firstLine, isDirectory, isFile, unreadable } from './app-access.js';
import { commandOf, exportTarget, hasManifest, namedFiles, readManifest, unresolved, type NamedFile, type PackageJson } from './package-json.js';
import { TYPESCRIPT_REMEDY } from './typescript-unstripped.js';

export interface AppFile {
  /** The file to run, links resolved. */
  file: string;
  /** What the app finds in process.argv[1]: as with node, links not resolved. */
  argv1: string;
  /** The file of the package's command as the user would write it, when the package was named and its main file, another one, is what will run. */
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
  const source = /^(?:|\.(?:ba)?sh)$/.test(extname(file)) && allows(file, constants.R_OK) ? readFileSync(file, 'utf8') : '';
  // V8 compiles a pattern at its first use.
  if (source === '' || !SHELL_SCRIPT.test(source)) return { file, argv1: path, command: undefined };
  const runs = RUNS_NODE.exec(source)?.[1];
  const argv1 = runs === undefined ? undefined : join(dirname(file), runs);
  const behind = argv1 === undefined ? undefined : fromPath(target, argv1, cwd);
  if (behind === undefined) throw new DroverError('ERR_DROVER_APP_UNUSABLE', `app ${target} is a shell script: ${file}`, 'Give the JavaScript file that it runs.');
  return { file: behind, argv1: argv1!, command: undefined };
}

function fromPath(target: string, path: string, cwd: string): string | undefined {
  const require = createRequire(join(cwd, 'drover'));
  for (const candidate of [path, ...EXTENSIONS.map((extension) => path + extension), ...EXTENSIONS.map((extension) => join(path, `index${extension}`))]) {
    try {
      return require.resolve(candidate);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'MODULE_NOT_FOUND') continue;
      // Anything else is for the user to know, for instance a package.json that is no JSON; of one that may not be read Node 20 says nothing.
      if (hasManifest(path)) readManifest(target, path);
      throw unresolved(target, path, firstLine(error));
    }
  }
  return undefined;
}

/** As fromPath(); undefined as well where that says what is wrong. */
function fileToRun(path: string, cwd: string): string | undefined {
  try {
    return fromPath(path, path, cwd);
  } catch {
    return undefined;
  }
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
  const target = exportTarget(manifest.exports) ?? command;
  if (file === undefined && target !== undefined) file = fromPath(name, join(directory!, target), cwd);
  if (file === undefined) return undefined;
  const path = command === undefined ? undefined : join(directory!, command);
  const other = path === undefined ? undefined : fileToRun(path, cwd);
  return { file, argv1: file, command: other === undefined || other === file ? undefined : pathFrom(cwd, path!) };
}

function packageDirectory(name: string, cwd: string): string | undefined {
  for (let directory = cwd; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (hasManifest(candidate)) return candidate;
    if (directory === dirname(directory)) return undefined;
  }
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
  if (isDirectory(target, path)) return noMain(target, path);
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

/** A directory, perhaps a package's, of whose files none is known to be the app. `shown`: how the user would write it. */
function noMain(target: string, directory: string, shown = target): DroverError {
  const manifest = hasManifest(directory) ? readManifest(target, directory) : {};
  const named = namedFiles(manifest);
  // By the names that Node tries for "main".
  const broken = named.find(({ file }) => !['', '.js', '.json', '.node', '/index.js', '/index.json', '/index.node'].some((rest) => isFile(join(directory, file) + rest)));
  const isThere = broken !== undefined && isDirectory(target, join(directory, broken.file));
  const why = broken === undefined ? whyNoMain(manifest, named) : `"${broken.field}" of its package.json is ${broken.file}, ${isThere ? 'a directory without an index.js' : 'which is not there'}`;
  const within = (file: string): string => `${shown.replace(/\/*$/, '/')}${normalize(file)}`;
  const likely = (place: string): string | undefined => {
    const name = likelyFile(target, join(directory, place));
    return name === undefined ? undefined : within(join(place, name));
  };
  // Where a directory is named Node reads "main" alone, and where a package with "exports" is, these alone.
  const other = named.find(({ file }) => (isScript(file) || extname(file) === '') && isFile(join(directory, file)));
  const near = other === undefined ? ((isThere ? likely(broken.file) : undefined) ?? likely('.')) : `${within(other.file)}, the "${other.field}" of its package.json`;
  const give = broken === undefined || isThere ? 'Give the path of the file.' : 'Is it built? Else give the path of the file.';
  return new DroverError('ERR_DROVER_APP_NOT_FOUND', `app ${target} is a directory, and which of its files to run cannot be told: ${why} (${directory})`, near === undefined ? give : `Did you mean ${near}?`);
}

/** Of a package.json whose files are there. */
function whyNoMain({ exports }: PackageJson, named: NamedFile[]): string {
  const main = named.find(({ field }) => field === 'main');
  if (main !== undefined) return `its package has "exports" that name no file to run, and "main", ${main.file}, does not count beside them`;
  const hidden = exports !== undefined && !named.some(({ field }) => field === 'exports');
  return hidden ? 'its package.json has no "main", and "exports" that name no file to run' : 'it has no index.js and no package.json with a "main"';
}

/** Throws ERR_DROVER_APP_NOT_FOUND when the directory cannot be read. */
function likelyFile(target: string, directory: string): string | undefined {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => isScript(name) && !/\.(config|test|spec)\./.test(name));
  } catch (error) {
    throw unreadable(target, directory, error);
  }
  return names.find((name) => /^index\./.test(name)) ?? names.find((name) => /^(app|server|main|start)\./.test(name)) ?? (names.length === 1 ? names[0] : undefined);
}

/** A file of the same directory with nearly that name, or a directory that can be run, as the user would write it. */
async function nearestFile(path: string, cwd: string): Promise<string | undefined> {
  const directory = dirname(path);
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      // A link that points nowhere has the very name.
      .filter((entry) => existsSync(join(directory, entry.name)))
      .filter((entry) => isScript(entry.name) || (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules' && fileToRun(`${join(directory, entry.name)}/`, cwd) !== undefined))
      .map((entry) => entry.name);
  } catch {
    return undefined;
  }
  const { distance } = (await import('fastest-levenshtein')).default;
  const name = path.slice(directory.length + 1);
  // Who leaves the extension out has not made edits of it.
  const edits = (other: string): number => {
    const stem = other.replace(SCRIPT, '');
    // Of one or two letters an edit is half of it.
    return Math.min(distance(name, other), stem.length > 2 ? distance(name, stem) : Infinity);
  };
  const [near] = names.map((other) => ({ other, edits: edits(other) })).sort((a, b) => a.edits - b.edits);
  // With two edits a short name is any other short one.
  if (near === undefined || near.edits > (name.length <= 4 ? 1 : Math.max(2, name.length / 3))) return undefined;
  const full = join(directory, near.other);
  return `${pathFrom(cwd, full)}${statSync(full).isDirectory() ? '/' : ''}`;
}

/** As the user would write it. */
function pathFrom(cwd: string, path: string): string {
  return path.startsWith(`${cwd}/`) ? `./${path.slice(cwd.length + 1)}` : path;
}

const SCRIPT = /(?<!\.d)\.[cm]?[jt]s$/;

function isScript(name: string): boolean {
  return SCRIPT.test(name);
}
