import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mayListen, ownStart } from '../../src/worker/own-start.js';
import { scratch } from '../helpers/drover.js';

function serve(): void {}

const LISTENS = 'its code also calls listen()';
const AS_MAIN = 'its code also asks whether it is the main module, and calls what it exports';
const CALLS = 'its code also calls what it exports';

for (const [text, why] of [
  ['app\n  .listen (80)', LISTENS],
  ["app.use('/api/*', routes); app.listen(80); app.use('/other/*', others); /* the end */", LISTENS],
  ["load('//cdn'); app.listen(80)", LISTENS],
  ['const css="url(//fonts.example/x)";app.listen(80)', LISTENS],
  ['const options = { /* app.listen(80) */ }, more=/* app.listen(80) */1;//app.listen(80)', undefined],
  ['s.replace(/[/*]/g, "");\napp.listen(80);\n/* end */', LISTENS],
  ['app.use(`${api}/*`, h);\napp.listen(80);\n/* end */', LISTENS],
  ['app.get("/f{/*path}", h);\napp.listen(80);\n/* end */', LISTENS],
  ["// that's it: app.listen(80)\n/* isn't it? app.listen(80) */", undefined],
  ['if (module === require.main) serve();', AS_MAIN],
  ['if(require.main!==module)exports.x=1;else module.exports()', AS_MAIN],
  ['if (require.main?.filename === __filename) { run(await serve()); }', AS_MAIN],
  ['if (!module.parent) serve().catch(fail);', AS_MAIN],
  ['if (module.parent === null) exports.default();', AS_MAIN],
  ['const server = async () => {}; exports.server = server; if (require.main === module) (0, exports.server)();', AS_MAIN],
  ['if (require.main === module) exports.handler();', AS_MAIN],
  ['if (__filename === require.main.filename) connect().then(serve);', AS_MAIN],
  ['const here = fileURLToPath(import.meta.url);\nif (process.argv[1] === here) serve?.();', AS_MAIN],
  ['const nodePath = resolve(process.argv[1]), modulePath = resolve(fileURLToPath(import.meta.url));\nif (nodePath === modulePath) serve();', AS_MAIN],
  ['const entry = process.argv?.[1];\nif (import.meta.url === pathToFileURL(entry).href) await serve();', AS_MAIN],
  ['if (require.main === module) wasm.exports.app();', undefined],
  ['if (require.main === module) log(1); "object"==typeof exports)(f); if(module.exports)(module.exports=f); for(const k in exports) (g);', undefined],
  ['const app = async () => {};\nexports.app = app;\n(0, exports.app)();', CALLS],
  ['module.exports = async () => {};\nmodule.exports();', CALLS],
  ['if (require.main === module) process.nextTick(serve);', AS_MAIN],
  ['if (import.meta.main) run(serve());', (import.meta as { main?: boolean }).main === undefined ? undefined : AS_MAIN],
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
  writeFileSync(file, 'export default () => made;\nif (!module.parent) other(); switch (1) { default (2); }');
  t.is(ownStart(file, Object.defineProperty(() => 0, 'name', { value: 'default' })), undefined);
});

test('a function that only its file has a name for', (t) => {
  const file = join(scratch(t), 'app.js');
  const unnamed = (() => () => 0)();
  for (const [text, why] of [['const main = (module.exports = () => 0); if (require.main === module) main();', AS_MAIN], ['const run = module.exports = () => 0;\nrun();', CALLS], ['const run = exports = module.exports = () => 0;\nrun();', CALLS], ['const run = module.exports === 0;\nrun();', undefined]] as const) {
    writeFileSync(file, text);
    t.is(ownStart(file, unnamed), why, text);
  }
});

test('a file with megabytes in one string', (t) => {
  const file = join(scratch(t), 'app.js');
  for (const character of ['A', '\\x']) {
    writeFileSync(file, `const wasm = "${character.repeat(12e6)}"; /* app.listen(80) */ serve();`);
    t.is(ownStart(file, serve), character === 'A' ? CALLS : LISTENS);
  }
});

test('a name that a minifier has given says nothing', (t) => {
  const file = join(scratch(t), 'app.js');
  const go = 'function go(){}function t(){go();return go}t();go()';
  writeFileSync(file, `${go};${'x();'.repeat(300)}`);
  t.is(ownStart(file, function go() {}), undefined);
  writeFileSync(file, go);
  t.is(ownStart(file, function go() {}), CALLS);
});

test('what exports nothing to serve may yet listen', (t) => {
  const file = join(scratch(t), 'app.js');
  for (const [text, may] of [['exports.start = start; if (require.main === module) start();', true], ['app.listen(80)', true], ['exports.version = 1;', false]] as const) {
    writeFileSync(file, text);
    t.is(mayListen(file), may, text);
  }
});

test('a handler that its file calls is no program', (t) => {
  const file = join(scratch(t), 'app.js');
  writeFileSync(file, 'function serve(request, response) {}\nserve(fakeRequest, fakeResponse);');
  t.is(ownStart(file, function serve(request: unknown, response: unknown) { return [request, response]; }), undefined);
});
