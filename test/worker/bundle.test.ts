/** The worker's bundle (.ci/bundle.mjs): what it is made of, and that the app does not see it. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { FakeMaster } from '../helpers/fake-master.js';

const APPS = new URL('../../../test/fixtures/apps/', import.meta.url).pathname;
const [BUNDLE, REST] = ['worker', 'rest'].map((name) => readFileSync(new URL(`../../worker/${name}.cjs`, import.meta.url), 'utf8')) as [string, string];
/** By name. */
const [ALWAYS, SOME] = [BUNDLE.split('\nconst modules = {};')[0]!, REST].map((text) => new Map(text.split(/^(?='\.\/.*\.cjs': )/m).slice(1).map((code) => [/^'\.\/(.*)\.cjs'/.exec(code)![1]!, code]))) as [Map<string, string>, Map<string, string>];
const CHUNKS = new Map([...ALWAYS, ...SOME]);

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

test('what only some need is a chunk of its own, in another file', (t) => {
  t.deepEqual([...ALWAYS.keys()].sort(), ['edge', 'main', 'worker']);
  for (const name of ['config-file', 'hooks', 'http2']) t.true(SOME.has(name), name);
  for (const name of ['main', 'worker']) t.notRegex(CHUNKS.get(name)!, /^(var .* = )?require\('(?!node:|\.\/worker\.cjs)/m, `${name} begins with builtins and nothing else`);
});

test('chunks that are run later share the rest with main, and do not run it again', (t) => {
  for (const [name, code] of CHUNKS) t.notRegex(code, /require\('\.\/main\.cjs'\)/, name);
});

test('every import() of what is not in it is that of start.cjs', (t) => {
  for (const [name, code] of CHUNKS) t.notRegex(code, /^[^'"`/*]*\bimport\(/m, name);
});

test('it is ASCII: V8 keeps a byte per character', (t) => {
  for (const text of [BUNDLE, REST]) t.notRegex(text, /[^\0-\x7f]/);
});
