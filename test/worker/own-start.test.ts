import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownStart } from '../../src/worker/own-start.js';
import { scratch } from '../helpers/drover.js';

function serve(): void {}

for (const [text, why] of [
  ['app\n  .listen (80)', 'its code also calls listen()'],
  ['if (module === require.main) start();', 'its code also asks whether it is the main module'],
  ['if (!module.parent) start();', 'its code also asks whether it is the main module'],
  ['if (import.meta.main) start();', 'its code also asks whether it is the main module'],
  ['import.meta.url === pathToFileURL(process.argv[1]).href && start()', 'its code also asks whether it is the main module'],
  ['function serve() {}\nserve(process.argv)', 'its code also calls serve(), which it exports'],
  ['function serve() {}', undefined],
  ['async function serve() {} export { serve }; tool.serve(); observe()', undefined],
  ['// serve();\n/* app.listen(80) */ const here = import.meta.url;', undefined],
] as const) {
  test(`${JSON.stringify(text)}: ${String(why)}`, (t) => {
    const file = join(scratch(t), 'app.js');
    writeFileSync(file, text);
    t.is(ownStart(file, serve), why);
  });
}

test('a function without a name of its own', (t) => {
  const file = join(scratch(t), 'app.js');
  writeFileSync(file, 'export default () => made;');
  t.is(ownStart(file, Object.defineProperty(() => 0, 'name', { value: 'default' })), undefined);
});

test('a handler that its file calls is no program', (t) => {
  const file = join(scratch(t), 'app.js');
  writeFileSync(file, 'function serve(request, response) {}\nserve(fakeRequest, fakeResponse);');
  t.is(ownStart(file, function serve(request: unknown, response: unknown) { return [request, response]; }), undefined);
});
