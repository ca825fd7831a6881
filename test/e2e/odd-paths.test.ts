/** drover and the app in a folder whose name has all that a URL would have in another form. */
import test from 'ava';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { install, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

test('a folder with spaces, letters beyond ASCII, and characters that a URL knows', async (t) => {
  const dir = join(scratch(t), 'my app é 日本 %41#?x');
  mkdirSync(dir);
  install(dir);
  writeFileSync(join(dir, 'drover.config.mjs'), "import { defineConfig } from 'drover';\nexport default defineConfig({ app: './app.mjs', workers: 1, bind: '127.0.0.1:0' });\n");
  writeFileSync(join(dir, 'app.mjs'), "export default { fetch: () => new Response(import.meta.url) };\n");
  const d = await start(t, [], { cwd: dir, cli: join(dir, 'dist/cli/main.cjs'), env: { DROVER_ADDON: undefined } }).ready();
  t.true((await get(await d.address())).body.endsWith('/my%20app%20%C3%A9%20%E6%97%A5%E6%9C%AC%20%2541%23%3Fx/app.mjs'));
  d.signal('SIGHUP');
  await d.event('reload.finished');
  d.signal('SIGTERM');
  t.deepEqual(await d.exited, { code: 0, signal: null });
});
