/**
 * Builds the addon: `node native/build.mjs` makes build/Release/drover.node, and does nothing, silently, when it is up to date.
 *
 *   --debug                          build/Debug/drover.node
 *   --sanitize=address|undefined     build/Asan/drover.node, build/Ubsan/drover.node
 *
 * The configurations are those of binding.gyp, side by side in build/; load one with DROVER_ADDON=path. Runs before
 * anything is compiled, so plain JavaScript and nothing but node-gyp. Headers: those installed beside the running node, else node-gyp fetches them.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const build = join(root, 'build');

const CONFIGURATIONS = {
  '--debug': 'Debug',
  '--sanitize=address': 'Asan',
  '--sanitize=undefined': 'Ubsan',
};

function fail(...lines) {
  for (const line of lines) console.error(line);
  process.exit(1);
}

/** node-gyp as our dependency, else the one npm runs install scripts with. */
function findNodeGyp() {
  try {
    return require.resolve('node-gyp/bin/node-gyp.js');
  } catch {
    const npms = process.env.npm_config_node_gyp;
    if (npms !== undefined && existsSync(npms)) return npms;
    return fail('drover: node-gyp is missing, so the native addon cannot be built.', '  Run `npm install` in this folder.');
  }
}

/** What the addon is made of: any change of it makes the stamp another. */
function fingerprint() {
  const hash = createHash('sha256');
  const files = readdirSync(join(root, 'native'))
    .filter((name) => /\.(cc|h)$/.test(name))
    .sort()
    .map((name) => join('native', name));
  for (const file of [...files, 'binding.gyp']) hash.update(file).update('\0').update(readFileSync(join(root, file))).update('\0');
  hash.update(`${process.platform} ${process.arch} ${require('node-addon-api/package.json').version}`);
  return hash.digest('hex');
}

/** One build at a time in this folder; a lock whose holder has died is taken over. */
function withLock(run) {
  const path = join(build, '.lock');
  mkdirSync(build, { recursive: true });
  // Linked into place with its content: a lock without a holder's pid never exists.
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  for (;;) {
    try {
      linkSync(mine, path);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isHeld(path)) rmSync(path, { force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
  rmSync(mine);
  try {
    return run();
  } finally {
    rmSync(path, { force: true });
  }
}

function isHeld(path) {
  try {
    process.kill(Number(readFileSync(path, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs a build step; its output is shown only when it fails. */
function step(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (status === 0) return;
  rmSync(join(build, '.lock'), { force: true });
  fail(
    `${stdout ?? ''}${stderr ?? ''}${error === undefined ? '' : String(error)}`,
    'drover: the native addon could not be built. It needs a C++20 compiler (g++ 11 or clang 14), make and python3, e.g. `apt-get install g++ make python3`.',
  );
}

const flags = process.argv.slice(2);
const unknown = flags.find((flag) => !(flag in CONFIGURATIONS));
if (unknown !== undefined || flags.length > 1) {
  fail(`usage: node native/build.mjs [${Object.keys(CONFIGURATIONS).join(' | ')}]`);
}
const configuration = flags.length === 0 ? 'Release' : CONFIGURATIONS[flags[0]];
const addon = join(build, configuration, 'drover.node');
const stamp = join(build, configuration, '.stamp');

function isFresh(wanted) {
  return existsSync(addon) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

const wanted = fingerprint();
if (!isFresh(wanted)) {
  withLock(() => {
    // Somebody else may have built it while we waited.
    if (isFresh(wanted)) return;
    console.error(`building the native addon (${configuration}): about a minute`);
    const prefix = dirname(dirname(realpathSync(process.execPath)));
    const headers = existsSync(join(prefix, 'include/node/node.h')) ? [`--nodedir=${prefix}`] : [];
    step(process.execPath, [findNodeGyp(), 'configure', ...headers]);
    // node-gyp itself knows only Release and Debug; the Makefile it has made knows all.
    step('make', ['-C', 'build', `BUILDTYPE=${configuration}`, '-j2']);
    writeFileSync(stamp, wanted);
  });
}
