import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownStart } from '../../src/worker/own-start.js';
import { scratch } from '../helpers/drover.js';

function serve(): void {}

const LISTENS = 'its code also calls listen()';
const IS_MAIN = 'its code also asks whether it is the main module';
const CALLS = 'its code also calls serve(), which it exports';

for (const [text, why] of [
  ['app\n  .listen (80)', LISTENS],
  ['if (module === require.main) start();', IS_MAIN],
  ['if(require.main!==module)exports.x=1', IS_MAIN],
  ['if (!module.parent) start();', IS_MAIN],
  ['if (module.parent === null) start();', IS_MAIN],
  ['if (import.meta.main) start();', IS_MAIN],
  ['import.meta.url === pathToFileURL(process.argv[1]).href && start()', IS_MAIN],
  ['if (process.argv[1] === fileURLToPath(import.meta.url)) start();', IS_MAIN],
  ['function serve() {}\nserve(process.argv)', CALLS],
  ['async function serve() {} void serve();', CALLS],
  ['function serve() {}', undefined],
  ['async function serve() {} export { serve }; tool.serve(); observe()', undefined],
  ['// serve();\n/* app.listen(80) */ const here = import.meta.url;', undefined],
  // Makes its app once.
  ['let app;\nfunction serve() { return (app ??= make()); }\nexports.warmUp = () => serve();', undefined],
  ['const helpers = { serve () {} };', undefined],
  // pino, bundled; where the app is; one that only others import.
  ['const root = require.main === undefined ? __dirname : path.dirname(require.main.filename);', undefined],
  ['if (module.parent) exports.helpers = helpers;', undefined],
] as const) {
  test(`${JSON.stringify(text)}: ${String(why)}`, (t) => {
    const file = join(scratch(t), 'app.js');
    writeFileSync(file, text);
    t.deepEqual(ownStart(file, serve), why === undefined ? undefined : { why, sure: true });
    // Not a function that makes an app, but the app.
    t.deepEqual(ownStart(file, { fetch() {} }), why === undefined || why === CALLS ? undefined : { why, sure: why === LISTENS });
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
