/** The code cache of the worker's bundle (src/worker/code-cache.ts), by whole workers: each test has a copy of the bundle in a directory of its own. */
import test, { type ExecutionContext } from 'ava';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { FakeMaster, type FakeMasterOptions } from '../helpers/fake-master.js';

const APPS = new URL('../../../test/fixtures/apps/', import.meta.url).pathname;
const BUNDLE = new URL('../../worker/', import.meta.url).pathname;
const ADDON = process.env['DROVER_ADDON'] ?? new URL('../../../build/Release/drover.node', import.meta.url).pathname;
const IS_ROOT = process.geteuid!() === 0;
const NOBODY = 65534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const PERMISSION = Number(process.versions.node.split('.')[0]) < 24 ? '--experimental-permission' : '--permission';

const COMPILED = { given: false, rejected: false };
const CACHED = { given: true, rejected: false };
const REFUSED = { given: true, rejected: true };

/** What dist/ is to an installed drover, as far as a worker needs it. */
function dist(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-start-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, 'worker'));
  for (const file of ['start.cjs', 'worker.cjs', 'rest.cjs']) copyFileSync(join(BUNDLE, file), join(directory, 'worker', file));
  return directory;
}

/** A worker's life, from its start over a request to its end: how its bundle was compiled. */
async function live(t: ExecutionContext, directory: string, options: Partial<FakeMasterOptions> = {}): Promise<{ given: boolean; rejected: boolean }> {
  const nodeArgs = ['--require', join(APPS, 'tells-of-scripts.cjs'), ...(options.nodeArgs ?? [])];
  const master = new FakeMaster({ cwd: APPS, app: 'cjs-handler.cjs', main: join(directory, 'worker', 'start.cjs'), env: { DROVER_ADDON: ADDON }, ...options, nodeArgs });
  t.teardown(() => master.kill());
  const { origin } = await master.ready();
  await (await fetch(origin, { headers: { connection: 'close' } })).text();
  master.send({ type: 'drain', graceMs: 30_000, close: 'all', reason: 'test' });
  t.is((await master.exited).code, 0);
  return JSON.parse(master.stdout) as { given: boolean; rejected: boolean };
}

function caches(directory: string): string[] {
  return readdirSync(join(directory, 'cache')).map((name) => join(directory, 'cache', name));
}

test('a worker that finds no cache leaves one, which the next takes', async (t) => {
  const directory = dist(t);
  t.deepEqual(await live(t, directory), COMPILED);
  const [path, ...others] = caches(directory);
  t.deepEqual(others, []);
  t.is(statSync(join(directory, 'cache')).mode & 0o777, 0o755);
  t.is(statSync(path!).mode & 0o777, 0o644);
  const { ino } = statSync(path!);
  t.deepEqual(await live(t, directory), CACHED);
  t.deepEqual(caches(directory), [path]);
  t.is(statSync(path!).ino, ino, 'it is not written again');
});

test('a cache that is broken, or of other code, is not used and is made anew', async (t) => {
  const directory = dist(t);
  await live(t, directory);
  const [path] = caches(directory);
  const whole = readFileSync(path!);
  const flipped = Buffer.from(whole);
  flipped[Math.trunc(whole.length / 3)]! ^= 1;
  const other = new Script('(function other() { return 1; })').createCachedData();
  const zeros = Buffer.alloc(whole.length);
  const cases = { empty: Buffer.alloc(0), 'cut off': whole.subarray(0, whole.length - 4096), flipped, garbage: Buffer.from('garbage'), zeros, 'of other code': Buffer.concat([other, other]) };
  for (const [name, content] of Object.entries(cases)) {
    writeFileSync(path!, content);
    t.deepEqual(await live(t, directory), ['empty', 'zeros', 'of other code'].includes(name) ? REFUSED : COMPILED, name);
    t.deepEqual(await live(t, directory), CACHED, name);
  }
});

test('what stands in the way of a cache keeps no worker from its start', async (t) => {
  const directory = dist(t);
  writeFileSync(join(directory, 'cache'), 'a file');
  t.deepEqual(await live(t, directory), COMPILED);
  rmSync(join(directory, 'cache'));
  await live(t, directory);
  const [path] = caches(directory);
  rmSync(path!);
  mkdirSync(path!);
  t.deepEqual(await live(t, directory), COMPILED);
  t.deepEqual(caches(directory), [path], 'what could not be put in place is gone');
});

test('a cache that others can write, or the place of which they can, is not used', async (t) => {
  const directory = dist(t);
  await live(t, directory);
  const [path] = caches(directory);
  for (const mode of [0o775, 0o757]) {
    chmodSync(join(directory, 'cache'), mode);
    t.deepEqual(await live(t, directory), COMPILED);
  }
  chmodSync(join(directory, 'cache'), 0o755);
  t.deepEqual(await live(t, directory), CACHED);
  for (const mode of [0o664, 0o646]) {
    chmodSync(path!, mode);
    t.deepEqual(await live(t, directory), COMPILED);
    t.is(statSync(path!).mode & 0o777, 0o644, 'one of its own is put in its place');
  }
  if (!IS_ROOT) return;
  for (const foreign of [path!, join(directory, 'cache')]) {
    chownSync(foreign, NOBODY, NOBODY);
    t.deepEqual(await live(t, directory), COMPILED);
  }
});

test('where a worker is not the owner of the code, or may not write beside it, it makes no cache, and takes what the owner has made', async (t) => {
  const directory = dist(t);
  const options = IS_ROOT ? { prefix: AS_NOBODY } : {};
  chmodSync(directory, IS_ROOT ? 0o777 : 0o555);
  t.deepEqual(await live(t, directory, options), COMPILED);
  t.deepEqual(readdirSync(directory), ['worker']);
  chmodSync(directory, 0o755);
  await live(t, directory);
  t.deepEqual(await live(t, directory, options), CACHED);
});

test('under the permission model there is a cache if the worker may write it', async (t) => {
  const directory = dist(t);
  const permissions = [PERMISSION, '--no-warnings', '--allow-fs-read=*', '--allow-addons', ...(process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [])];
  t.deepEqual(await live(t, directory, { nodeArgs: permissions }), COMPILED);
  t.deepEqual(readdirSync(directory), ['worker']);
  const mayWrite = [...permissions, `--allow-fs-write=${directory}/*`];
  await live(t, directory, { nodeArgs: mayWrite });
  t.deepEqual(await live(t, directory, { nodeArgs: mayWrite }), CACHED);
});

test("an app that sets V8's flags leaves no cache, and takes one that was made without them", async (t) => {
  const directory = dist(t);
  await live(t, directory, { app: 'sets-v8-flags.cjs' });
  t.deepEqual(caches(directory), []);
  await live(t, directory);
  t.deepEqual(await live(t, directory, { app: 'sets-v8-flags.cjs' }), CACHED);
});

test('other flags have another cache; those of another build are removed by who writes', async (t) => {
  const directory = dist(t);
  await live(t, directory);
  t.deepEqual(await live(t, directory, { nodeArgs: ['--stack-size=900'] }), COMPILED);
  t.is(caches(directory).length, 2);
  t.deepEqual(await live(t, directory), CACHED);
  writeFileSync(join(directory, 'cache', 'notes'), 'not ours');
  writeFileSync(`${caches(directory).find((path) => path.endsWith('.cache'))!}.1`, 'its writer was killed');
  // Changed by hand, in a way that no length tells of.
  utimesSync(join(directory, 'worker', 'worker.cjs'), 1, 1);
  t.deepEqual(await live(t, directory), COMPILED);
  t.is(caches(directory).length, 2);
  t.true(caches(directory).includes(join(directory, 'cache', 'notes')));
  t.deepEqual(await live(t, directory), CACHED);
});
