/** The worker's bundle (.ci/bundle.mjs): what it is made of, and that the app does not see it. */
import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
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
  // The addon is there, as any addon that is loaded.
  seen.cache = seen.cache.filter((path) => !path.endsWith('.node'));
  t.deepEqual(seen, { main: true, mainModule: true, cache: [`${APPS}looks-around.cjs`], parent: null });
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
