/**
 * Makes the tree ready to run: installs, builds the addon, compiles, and does of these only what is out of date.
 *
 * Run by `npm start`, `npm test` and whatever else needs a built tree, before any package is there: plain JavaScript on
 * Node's own modules. Says in a line each what it does, and nothing when there is nothing to do.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What tsc compiles, as in tsconfig.json. */
const SOURCE_FOLDERS = ['src', 'test', 'bench'];
const NOT_COMPILED = join('test', 'fixtures');
/** Fingerprint of the sources that dist/ was compiled from. */
const STAMP = join(ROOT, 'dist', '.ready');

process.chdir(ROOT);
checkMachine();
install();
buildAddon();
compile();

function checkMachine() {
  const wanted = readJson('package.json').engines.node.replace('>=', '').split('.').map(Number);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
    stop(`drover needs Node ${wanted.join('.')} or newer; this is ${process.version} (${process.execPath}).`);
  }
  if (process.platform !== 'linux') stop(`drover runs on Linux only; this is ${process.platform}.`);
}

/**
 * `npm ci` when what is installed is not what package-lock.json asks for. npm writes node_modules/.package-lock.json as the last
 * act of an install, so that file tells what is there, also after an `npm install` by hand or one that was interrupted.
 */
function install() {
  const missing = firstDifference();
  if (missing === undefined) return;
  say(`installing packages (${missing})`);
  // Development packages build and test the tree, whatever NODE_ENV says.
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
}

function firstDifference() {
  const wanted = readJson('package-lock.json');
  const manifest = readJson('package.json');
  for (const kind of ['dependencies', 'devDependencies']) {
    // npm ci says best what to do about this one.
    if (JSON.stringify(sorted(manifest[kind])) !== JSON.stringify(sorted(wanted.packages[''][kind]))) return 'package.json has changed';
  }
  const installed = readJson(join('node_modules', '.package-lock.json'));
  if (installed === undefined) return 'none yet';
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (path === '') continue;
    const there = installed.packages[path];
    // An optional package of another platform is in the lock file, but not installed.
    if (there === undefined && (entry.optional || entry.devOptional || entry.peer)) continue;
    if (there?.version !== entry.version || there?.integrity !== entry.integrity) return `${path} is not ${entry.version}`;
  }
  return undefined;
}

/** Knows by itself whether there is something to do. */
function buildAddon() {
  run(process.execPath, [join('native', 'build.mjs')]);
}

function compile() {
  const sources = SOURCE_FOLDERS.flatMap((folder) => filesUnder(folder, (path) => path.endsWith('.ts')));
  const tools = ['typescript', 'rollup'].map((name) => join('node_modules', name, 'package.json'));
  const fingerprint = fingerprintOf([...sources, 'package.json', 'tsconfig.json', join('.ci', 'bundle.mjs'), ...tools]);
  if (readText(STAMP) === fingerprint) return;
  say(`compiling ${sources.length} files`);
  removeOrphans(new Set(sources.map((path) => path.replace(/\.ts$/, ''))));
  rmSync(STAMP, { force: true });
  run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
  run(process.execPath, [join('.ci', 'bundle.mjs')]);
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, fingerprint);
}

/** A test whose source is gone must not run on, nor a module be imported that is no longer there. */
function removeOrphans(stems) {
  for (const folder of SOURCE_FOLDERS) {
    for (const path of filesUnder(join('dist', folder), () => true)) {
      const stem = relative('dist', path).replace(/(\.d)?\.(js|ts)(\.map)?$/, '');
      if (!stems.has(stem)) rmSync(path);
    }
  }
}

function fingerprintOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths.sort()) {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

function filesUnder(folder, wanted) {
  const found = [];
  for (const entry of readdirIfThere(folder)) {
    const path = join(folder, entry.name);
    if (path === NOT_COMPILED) continue;
    if (entry.isDirectory()) found.push(...filesUnder(path, wanted));
    else if (wanted(path)) found.push(path);
  }
  return found;
}

function readdirIfThere(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function readJson(path) {
  const text = readText(path);
  return text === undefined ? undefined : JSON.parse(text);
}

function sorted(object = {}) {
  return Object.fromEntries(Object.entries(object).sort());
}

/** What it prints goes to stderr: stdout belongs to what comes after us (a TAP stream, an app). */
function run(command, args) {
  const { error, status, signal } = spawnSync(command, args, { stdio: ['inherit', 2, 2] });
  if (error !== undefined) stop(`${command} cannot be run: ${error.message}`);
  if (status !== 0) stop(`${[command, ...args].join(' ')} failed (${signal ?? `exit code ${status}`}).`);
}

function say(text) {
  console.error(`ready: ${text}`);
}

function stop(text) {
  console.error(text);
  process.exit(1);
}
