/** The worker's bundle (.ci/bundle.mjs): what it is made of, and that the app does not see it. */
import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeCompiled } from '../../src/ipc/compiled-code.js';
import { check, closeFd, native } from '../../src/native.js';
import { FakeMaster } from '../helpers/fake-master.js';

const APPS = fileURLToPath(new URL('../../../test/fixtures/apps/', import.meta.url));
const BUNDLE = fileURLToPath(new URL('../../worker/', import.meta.url));

test('the app is the main module, and finds no module of ours in require.cache', async (t) => {
  const master = new FakeMaster({ cwd: APPS, app: 'looks-around.cjs' });
  t.teardown(async () => {
    master.kill();
    await master.exited;
  });
  const { origin } = await master.ready();
  const seen = (await (await fetch(origin, { headers: { connection: 'close' } })).json()) as { cache: string[] };
  t.deepEqual(seen, { main: true, mainModule: true, cache: [`${APPS}looks-around.cjs`], parent: null, held: [] });
});

test('the same of one that runs the code that the master has compiled', async (t) => {
  const compiledFd = check('memfd_create', native.createMemory('drover-code', 0));
  t.teardown(() => closeFd(compiledFd));
  // Marked, to tell it from that of the file.
  writeCompiled(compiledFd, Buffer.concat([readFileSync(`${BUNDLE}worker.cjs`), Buffer.from('globalThis.marked = true;\n')]), `${BUNDLE}worker.cjs`);
  const [cjs, esm] = ['looks-around.cjs', 'esm-main.mjs'].map((app) => new FakeMaster({ cwd: APPS, app, compiledFd })) as [FakeMaster, FakeMaster];
  for (const master of [cjs, esm]) {
    t.teardown(async () => {
      master.kill();
      await master.exited;
    });
  }
  const { origin } = await cjs.ready();
  const seen = (await (await fetch(origin, { headers: { connection: 'close' } })).json()) as { cache: string[] };
  t.deepEqual(seen, { main: true, mainModule: true, cache: [`${APPS}looks-around.cjs`], parent: null, held: [], marked: true });
  await esm.ready();
});

test('a worker that starts before the code is compiled compiles it for itself', async (t) => {
  const compiledFd = check('memfd_create', native.createMemory('drover-code', 0));
  t.teardown(() => closeFd(compiledFd));
  const master = new FakeMaster({ cwd: APPS, app: 'looks-around.cjs', compiledFd });
  t.teardown(async () => {
    master.kill();
    await master.exited;
  });
  const { origin } = await master.ready();
  t.like(await (await fetch(origin, { headers: { connection: 'close' } })).json(), { main: true, held: [] });
});

test('what the master compiles has no import() of its own', (t) => {
  t.notRegex(readFileSync(`${BUNDLE}worker.cjs`, 'utf8').replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*|(['"`]).*?\1/g, ''), /(?<![.\w])import\(/);
});

test('a worker starts where a loader hook hands over the sources of CommonJS', async (t) => {
  const master = new FakeMaster({ cwd: APPS, app: 'cjs-handler.cjs', nodeArgs: ['--no-warnings', '--import', `${APPS}hands-over-sources.mjs`] });
  t.teardown(() => master.kill());
  const { origin } = await master.ready();
  t.is((await fetch(origin, { headers: { connection: 'close' } })).status, 200);
});

test('what only some need stays a file of its own', (t) => {
  const files = readdirSync(BUNDLE);
  for (const file of ['main.cjs', 'worker.cjs', 'config-file.cjs', 'hooks.cjs']) t.true(files.includes(file), file);
  for (const file of ['main.cjs', 'worker.cjs']) t.notRegex(readFileSync(BUNDLE + file, 'utf8'), /^(var .* = )?require\('(?!node:|\.\/worker\.cjs)/m, `${file} begins with builtins and nothing else`);
});

test('files that are loaded later share the rest with main.cjs, and do not run it again', (t) => {
  for (const file of readdirSync(BUNDLE)) t.notRegex(readFileSync(BUNDLE + file, 'utf8'), /require\('\.\/main\.cjs'\)/, file);
});
