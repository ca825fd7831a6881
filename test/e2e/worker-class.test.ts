/** -k: sync, and classes of the user's, through the real CLI. */
import test from 'ava';
import http from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_CODES } from '../../src/errors.js';
import { fixture, ROOT, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

test('sync: one request at a time, and every response closes its connection', async (t) => {
  const d = start(t, [fixture('limited.cjs'), '-w', '2', '-k', 'sync']);
  await d.ready();
  const address = await d.address();
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const answers = await Promise.all(Array.from({ length: 10 }, () => get(address, '/', { agent })));
  for (const { status, headers, body } of answers) {
    t.is(status, 200);
    t.is(headers.connection, 'close');
    t.is(body.split(' ')[1], '1');
  }
  t.is(new Set(answers.map(({ localPort }) => localPort)).size, 10, 'a connection each');
});

test('http keeps connections', async (t) => {
  const d = start(t, [fixture('limited.cjs'), '-w', '1', '-k', 'http']);
  await d.ready();
  t.not((await get(await d.address(), '/', { headers: { connection: 'keep-alive' } })).headers.connection, 'close');
});

test('a class: every method is called, in order, in each worker', async (t) => {
  const dir = scratch(t);
  writeFileSync(
    join(dir, 'class.mjs'),
    `const say = (...words) => process.stdout.write(words.join(' ') + '\\n');
     export default class {
       constructor({ slot, generation, config }) { this.slot = slot; say(slot, 'constructor', generation, config.name, Object.isFrozen(config)); }
       async boot() { await null; say(this.slot, 'boot', globalThis.appLoaded === true); }
       onServer(server) { say(this.slot, 'onServer', server.listening, globalThis.appLoaded === true); }
       onReady() { say(this.slot, 'onReady'); }
       onRequest(request, response, server) { response.setHeader('x-class', this.slot + request.url + server.listening); }
       onDrain() { say(this.slot, 'onDrain'); }
     }`,
  );
  writeFileSync(join(dir, 'app.cjs'), 'globalThis.appLoaded = true; module.exports = (req, res) => res.end();');
  const d = start(t, ['app.cjs', '-n', 'shop', '-w', '2', '-b', '127.0.0.1:0', '-k', './class.mjs'], { cwd: dir });
  await d.ready();
  t.regex(String((await get(await d.address(), '/path')).headers['x-class']), /^[01]\/pathtrue$/);
  await d.stop();
  for (const slot of ['0', '1']) {
    t.deepEqual(
      d.stdout.split('\n').filter((line) => line.startsWith(slot)),
      ['constructor 1 shop true', 'boot false', 'onServer false true', 'onReady', 'onDrain'].map((line) => `${slot} ${line}`),
    );
  }
});

test('the example', async (t) => {
  const d = start(t, [join(ROOT, 'examples/hello/app.js'), '-w', '1', '-b', '127.0.0.1:0', '-k', join(ROOT, 'examples/worker-class/worker.mjs')]);
  await d.ready();
  t.is((await get(await d.address())).headers['x-worker'], '0');
  await d.stop();
  t.regex(d.stdout, /worker 0 goes after 1 requests/);
});

test('CommonJS, and a class that a compiler has exported', async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'plain.cjs'), `module.exports = class { onRequest(req, res) { res.setHeader('x-class', 'plain'); } };`);
  writeFileSync(join(dir, 'compiled.cjs'), `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = class { onRequest(req, res) { res.setHeader('x-class', 'compiled'); } };`);
  for (const name of ['plain', 'compiled']) {
    const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-k', join(dir, `${name}.cjs`)]);
    await d.ready();
    t.is((await get(await d.address())).headers['x-class'], name);
    await d.stop();
  }
});

const BAD: [string, string | undefined, RegExp][] = [
  ['missing', undefined, /--worker-class \S+\/missing\.mjs does not exist/],
  ['throws', `function open() { throw new Error('no licence'); }\nopen();`, /threw while loading: Error: no licence \(\S+\/throws\.mjs:1\)/],
  ['syntax', `export default class {\n  onReady( { }\n}`, /threw while loading: SyntaxError/],
  ['nothing', `export const x = 1;`, /has no class as its default export/],
  ['arrow', `export default () => {};`, /has no class as its default export/],
  ['empty', `export default class { start() {} }`, /has none of the methods boot, onServer/],
  ['odd', `export default class { onReady = 5; }`, /onReady is not a function/],
  ['constructor', `export default class { constructor() { throw new Error('not today'); } onReady() {} }`, /threw in its constructor: Error: not today/],
  ['boot', `export default class { async boot() { throw new Error('no database'); } }`, /threw in boot\(\): Error: no database/],
];

for (const [name, source, says] of BAD) {
  test(`a class that is none: ${name}`, async (t) => {
    const dir = scratch(t);
    const file = join(dir, `${name}.mjs`);
    if (source !== undefined) writeFileSync(file, source);
    const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-k', file]);
    t.is((await d.finished()).code, EXIT_CODES.usage.code);
    const failed = d.events('master.failed')[0]!;
    t.is(failed['code'], 'ERR_DROVER_WORKER_CLASS');
    t.regex(String(failed.msg), says);
  });
}

test('a directory is no class, whatever is in it', async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'index.mjs'), 'export default class { onReady() {} }');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-k', dir]);
  t.is((await d.finished()).code, EXIT_CODES.usage.code);
  t.like(d.events('master.failed')[0]!, { code: 'ERR_DROVER_WORKER_CLASS', msg: `--worker-class ${dir} is a directory`, remedy: 'Give the path of a module in it, with its extension.' });
});

test('a class of the other kind of module, and one in TypeScript: what to do', async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'package.json'), '{"type": "commonjs"}');
  const strips = Boolean((process.features as { typescript?: unknown }).typescript);
  const kinds: [string, string, RegExp][] = [
    ['esm.js', 'export default class { onReady() {} }', /rename it to esm\.mjs/],
    ['typed.ts', 'export default class { onReady(): void {} }', strips ? /rename it to typed\.mts/ : /--import tsx/],
  ];
  for (const [name, source, remedy] of kinds) {
    writeFileSync(join(dir, name), source);
    const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-k', join(dir, name)]);
    t.is((await d.finished()).code, EXIT_CODES.usage.code);
    t.regex(String(d.events('master.failed')[0]!['remedy']), remedy, name);
  }
});
