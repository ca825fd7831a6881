import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownStart } from '../../src/worker/own-start.js';
import { scratch } from '../helpers/drover.js';

function serve(): void {}

const LISTENS = 'its code also calls listen()';
const AS_MAIN = 'its code also calls it when it is the main module';
const CALLS = 'its code also calls serve(), which it exports';
const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];

for (const [text, why] of [
  ['app\n  .listen (80)', LISTENS],
  ["app.use('/api/*', routes); app.listen(80); app.use('/other/*', others); /* the end */", LISTENS],
  ["load('//cdn'); app.listen(80)", LISTENS],
  ['if (module === require.main) serve();', AS_MAIN],
  ['if(require.main!==module)exports.x=1;else module.exports()', AS_MAIN],
  ['if (require.main?.filename === __filename) { run(await serve()); }', AS_MAIN],
  ['if (!module.parent) serve().catch(fail);', AS_MAIN],
  ['if (module.parent === null) exports.default();', AS_MAIN],
  ['if (import.meta.main) run(serve());', major > 24 || (major === 24 && minor >= 2) ? AS_MAIN : undefined],
  ['import.meta.url === pathToFileURL(process.argv[1]).href && serve()', AS_MAIN],
  ['if (process.argv[1] === fileURLToPath(import.meta.url)) { serve() }', AS_MAIN],
  ['const __filename = fileURLToPath(import.meta.url);\nif (\n  process.argv[1] === __filename\n) { void serve(); }', AS_MAIN],
  ['const here = import.meta.filename, file = process.argv[1]; run(serve())', undefined],
  ["if (require.main === module) console.log('direct');", undefined],
  ['if (require.main === module) start();', undefined],
  ['function serve(options = {}) { return make(options); } if (require.main !== module) { tests(); }', undefined],
  ['function serve() {}\nserve(process.argv)', CALLS],
  ['async function serve() {} void serve();', CALLS],
  ['function serve() {}', undefined],
  ['async function serve() {} export { serve }; tool.serve(); observe()', undefined],
  ['// serve();\n/* app.listen(80) */ const here = import.meta.url;', undefined],
  // Makes its app once.
  ['let app;\nfunction serve() { return (app ??= make()); }\nexports.warmUp = () => serve();', undefined],
  ['const helpers = { serve () {} };', undefined],
  ['class Builder{of(){}serve(options){}}', undefined],
  // pino, bundled; where the app is; one that only others import.
  ['const root = require.main === undefined ? __dirname : path.dirname(require.main.filename); run(serve());', undefined],
  ['if (module.parent) exports.helpers = helpers;', undefined],
] as const) {
  test(`${JSON.stringify(text)}: ${String(why)}`, (t) => {
    const file = join(scratch(t), 'app.js');
    writeFileSync(file, text);
    t.is(ownStart(file, serve), why);
    // Not a function that makes an app, but the app.
    t.is(ownStart(file, { fetch() {} }), why === LISTENS ? why : undefined);
  });
}

test('a function without a name of its own', (t) => {
  const file = join(scratch(t), 'app.js');
  writeFileSync(file, 'export default () => made;\nswitch (1) { default (2); }');
  t.is(ownStart(file, Object.defineProperty(() => 0, 'name', { value: 'default' })), undefined);
});

test('a handler that its file calls is no program', (t) => {
  const file = join(scratch(t), 'app.js');
  writeFileSync(file, 'function serve(request, response) {}\nserve(fakeRequest, fakeResponse);');
  t.is(ownStart(file, function serve(request: unknown, response: unknown) { return [request, response]; }), undefined);
});
