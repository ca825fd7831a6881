import { mkdtempSync, rmSync, writeFileSync, mkdirSync, symlinkSync, copyFileSync, realpathSync } from 'node:fs';
import { connect } from 'node:http2';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { monotonicMs } from '../../src/ipc/clock.js';
import { FakeMaster, type FakeMasterOptions } from '../helpers/fake-master.js';

const APPS = fileURLToPath(new URL('../../../test/fixtures/apps/', import.meta.url));
const strips = Boolean((process.features as { typescript?: unknown }).typescript);

function start(t: ExecutionContext, options: Partial<FakeMasterOptions> & { app: string }): FakeMaster {
  const master = new FakeMaster({ cwd: APPS, ...options });
  t.teardown(async () => {
    master.kill();
    await master.exited;
  });
  return master;
}

/** A directory of the test's own, gone after it. */
function scratch(t: ExecutionContext): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-app-')));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function body(master: FakeMaster, path = '/', init?: RequestInit): Promise<string> {
  const { origin } = await master.ready();
  return (await fetch(origin + path, { ...init, headers: { connection: 'close' } })).text();
}

for (const [app, answer] of Object.entries({
  'cjs-handler.cjs': 'cjs handler',
  './cjs-handler.cjs': 'cjs handler',
  'cjs-handler': 'cjs handler',
  [`${APPS}cjs-handler.cjs`]: 'cjs handler',
  'cjs-default.cjs': 'cjs default',
  'named-app.mjs': 'named app',
  'nested.mjs': 'the default',
  'nested.mjs:api.v1.handler': 'api.v1.handler',
  'nested.mjs:default': 'the default',
  'cjs-handler.cjs:default': 'cjs handler',
  'create.mjs:create({"x":1}, [2], "c:d")': '[{"x":1},[2],"c:d"]',
  'create.mjs:create()': '[null]',
  'factory-rest.mjs': 'made',
  'promise.mjs': 'promised',
  'fetch-named.mjs': 'named fetch',
  'server.mjs': 'server',
  'fastify-ready.mjs': 'fastify, ready',
  'fastify-plain.cjs': 'fastify, not ready',
  'koa.cjs': 'koa',
  'listenable.mjs': 'listenable',
  'script-late.cjs': 'listened late',
  'script-commented.cjs': 'not waited for',
  'script-guarded.cjs': 'main true',
  'script-port-probe.cjs': 'after the probe',
  directory: 'directory main',
  './directory/': 'directory main',
})) {
  test(`serves ${app.replace(APPS, '/absolute/')}`, async (t) => {
    t.is(await body(start(t, { app })), answer);
  });
}

test('serves { fetch } with method, path, body and headers', async (t) => {
  const master = start(t, { app: 'fetch-default.mjs' });
  const { origin } = await master.ready();
  const response = await fetch(`${origin}/some/path?q`, { method: 'POST', body: 'sent', headers: { connection: 'close' } });
  t.is(await response.text(), 'POST /some/path sent');
  t.is(response.headers.get('x-kind'), 'fetch');
});

test('serves an http2 server', async (t) => {
  const { origin } = await start(t, { app: 'http2.mjs' }).ready();
  const session = connect(origin);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/x' }).setEncoding('utf8');
  let text = '';
  stream.on('data', (part: string) => (text += part));
  await once(stream, 'end');
  t.is(text, 'h2 /x');
});

test('a second port of a script gets sockets of its own', async (t) => {
  const master = start(t, { app: 'script-two-ports.cjs' });
  t.is(await body(master), 'first');
  const second = master.sockets.get(1)!.address as { port: number };
  t.is(await (await fetch(`http://127.0.0.1:${second.port}`)).text(), 'second');
});

test('an ESM script is the main module', async (t) => {
  const knowsMain = 'main' in import.meta;
  t.is(await body(start(t, { app: 'esm-main.mjs' })), `esm main ${knowsMain ? 'true' : 'undefined'}`);
});

test('the app is the main module behind a preload, too', async (t) => {
  const nodeArgs = ['--import', new URL('../../../test/fixtures/apps/preload.mjs', import.meta.url).href, '--no-warnings'];
  t.is(await body(start(t, { app: 'script-guarded.cjs', nodeArgs })), 'main true');
  t.is(await body(start(t, { app: 'named-app.mjs', nodeArgs })), 'named app');
});

test('ready only when the module has loaded, even if it listened before', async (t) => {
  const master = start(t, { app: 'tla-after-listen.mjs' });
  const { ordinal } = await master.message('listen');
  t.is(ordinal, 0);
  const { port } = master.sockets.get(0)!.address as { port: number };
  // It answers already, as under plain node; but it is not ready.
  t.is(await (await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } })).text(), 'ok');
  t.false(master.messages.some(({ type }) => type === 'ready'));
  master.kill('SIGUSR2');
  await master.ready();
  t.is(master.stdout, 'loaded\n');
});

test('the process an app finds itself in', async (t) => {
  const cwd = scratch(t);
  copyFileSync(join(APPS, 'script-argv.cjs'), join(cwd, 'real.cjs'));
  symlinkSync('real.cjs', join(cwd, 'link.cjs'));
  const master = start(t, { app: './link.cjs', cwd, slot: 3, config: { appArgs: ['--port', '1', 'x y'], name: 'shop' }, nodeArgs: ['--no-warnings', '--inspect-publish-uid=http'] });
  t.deepEqual(JSON.parse(await body(master)), {
    argv: [process.execPath, join(cwd, 'link.cjs'), '--port', '1', 'x y'],
    instance: '3',
    title: 'drover: worker [shop] #3',
    debugPort: 0,
    send: 'undefined',
    execArgv: ['--no-warnings'],
    cwd,
  });
});

test('a package: its main file, its command, its export for import only', async (t) => {
  const cwd = scratch(t);
  const install = (name: string, manifest: object, file: string, source: string): void => {
    const directory = join(cwd, 'node_modules', name);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ name, ...manifest }));
    writeFileSync(join(directory, file), source);
  };
  const handler = (says: string): string => `(request, response) => response.end('${says}')`;
  install('with-main', { main: 'm.cjs', bin: 'bin.cjs' }, 'm.cjs', `module.exports = ${handler('main')}`);
  install('with-bin', { bin: { other: 'none.js', 'with-bin': 'bin.cjs' } }, 'bin.cjs', `require('http').createServer(${handler('bin')}).listen(3000)`);
  install('@scope/esm', { type: 'module', exports: { '.': { import: './e.js' } } }, 'e.js', `export const api = ${handler('esm')}`);
  mkdirSync(join(cwd, 'node_modules/.bin'));
  symlinkSync('../with-bin/bin.cjs', join(cwd, 'node_modules/.bin/with-bin'));

  t.is(await body(start(t, { app: 'with-main', cwd })), 'main');
  t.is(await body(start(t, { app: 'with-bin', cwd })), 'bin');
  t.is(await body(start(t, { app: '@scope/esm:api', cwd })), 'esm');
  t.is(await body(start(t, { app: 'node_modules/.bin/with-bin', cwd })), 'bin');
});

test('a file with a colon in its name', async (t) => {
  const cwd = scratch(t);
  writeFileSync(join(cwd, 'a:b.cjs'), `module.exports = { 'x': (request, response) => response.end('colon') }`);
  t.is(await body(start(t, { app: './a:b.cjs:x', cwd })), 'colon');
});

test('hooks run in their order, and one that throws is reported', async (t) => {
  const master = start(t, { app: 'cjs-handler.cjs', slot: 2, config: { configFile: join(APPS, 'hooks.config.mjs') } });
  await master.ready();
  master.send({ type: 'quit', killAtMs: monotonicMs() + 2000, reason: 'test' });
  t.deepEqual(await master.exited, { code: 0, signal: null });
  t.is(master.stdout, 'postSpawn 2 starting true\npostWorkerInit 2 starting true\nworkerInt 2 draining true\nworkerExit 2 draining true\n');
  const { event, fields } = await master.message('log');
  t.is(event, 'hook.failed');
  t.like(fields, { hook: 'workerExit', message: 'a hook that throws' });
});

test.serial('TypeScript, where node strips types', async (t) => {
  if (strips) {
    t.is(await body(start(t, { app: 'typed.ts' }), '/x'), 'typed /x');
  } else {
    const failed = await start(t, { app: 'typed.ts' }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_APP_UNUSABLE');
    t.regex(failed.message, /typed\.ts is TypeScript, which Node .* does not run by itself/);
    t.regex(failed.remedy!, /22\.18.*--node-args "--import tsx"/);
  }
});

interface Failure {
  code: string;
  exit: number;
  message: RegExp;
  remedy?: RegExp;
}

for (const [app, expected] of Object.entries<Failure>({
  './cjs-handlr.cjs': { code: 'ERR_DROVER_APP_NOT_FOUND', exit: 4, message: /^app \.\/cjs-handlr\.cjs does not exist: there is no \/.*cjs-handlr\.cjs$/, remedy: /^Did you mean \.\/cjs-handler\.cjs\?$/ },
  'no-such-package': { code: 'ERR_DROVER_APP_NOT_FOUND', exit: 4, message: /^app no-such-package is neither a file nor a package in \// },
  fs: { code: 'ERR_DROVER_APP_NOT_FOUND', exit: 4, message: /^app fs is a module of Node's own, and no file in \// },
  'nothing.cjs': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /never called listen\(\).*it exports version \(a string\), helper \(a function of 1 parameter\), App \(a class\)$/, remedy: /Export a handler/ },
  'exports-api.cjs': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /it exports port \(a number\), api \(a function of 2 parameters\)$/, remedy: /^Export a handler .* If one of its exports is what is to be served, name it: exports-api\.cjs:api\.$/ },
  'ecosystem.config.cjs': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /it exports apps \(an array\)$/, remedy: /^That is a file for PM2: .*`script`/ },
  'empty.mjs': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /never called listen\(\).*it exports nothing$/ },
  'one-parameter.mjs': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /default \(a function of 1 parameter\)/ },
  'factory-of-nothing.mjs': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /its export is a function of 0 parameters, which came to a number$/ },
  'create.mjs:creat()': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /has no export creat; it exports App \(a class\), create/, remedy: /^Did you mean create\.mjs:create\?$/ },
  'create.mjs:number()': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /the export number is a number, and cannot be called/ },
  'create.mjs:number': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /number is a number$/ },
  'create.mjs:App': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /App is a class$/ },
  'create.mjs:create({x:1})': { code: 'ERR_DROVER_VALUE', exit: 2, message: /the arguments \(\{x:1\}\) are not JSON/, remedy: /quote/ },
  'create.mjs:not-a-name': { code: 'ERR_DROVER_VALUE', exit: 2, message: /"not-a-name" is not/ },
  'throws.cjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /^app throws\.cjs threw while loading: TypeError: Cannot read properties of undefined \(reading 'port'\) \(\/.*\/throws\.cjs:3\)$/ },
  'throws.mjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /TypeError: no database \(\/.*\/throws\.mjs:2\)$/ },
  'throws-later.cjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /Error: cannot connect \(\/.*\/throws-later\.cjs:2\)$/ },
  'rejects-later.mjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /Error: no such host \(\/.*\/rejects-later\.mjs:1\)$/ },
  'throws-string.cjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /threw while loading, and no Error: 'just a text'$/ },
  'syntax.cjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /SyntaxError: Unexpected token ';' \(\/.*\/syntax\.cjs:2\)$/ },
  'syntax.mjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /SyntaxError: Unexpected token ';' \(\/.*\/syntax\.mjs:3\)$/ },
  'imports-syntax.mjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /SyntaxError: Unexpected token ';' \(\/.*\/syntax\.mjs:3\)$/ },
  'imports-syntax': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /^app imports-syntax threw while loading: SyntaxError: Unexpected token ';' \(\/.*\/syntax\.mjs:3\)$/ },
  'missing-name.mjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /does not provide an export named 'nope' \(\/.*\/missing-name\.mjs:2\)$/ },
  'missing-import.mjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /Cannot find package 'no-such-package-anywhere'/, remedy: /npm install/ },
  'forks-cluster.cjs': { code: 'ERR_DROVER_APP_UNUSABLE', exit: 4, message: /^app forks-cluster\.cjs forks processes of its own with node:cluster and lets them serve/, remedy: /drover takes the place of the primary/ },
  'sends-ready.cjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /TypeError: process\.send is not a function \(\/.*\/sends-ready\.cjs:4\)$/, remedy: /^As under plain node there is nobody to send to/ },
  'cluster-worker.cjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /TypeError: Cannot read properties of undefined \(reading 'id'\) \(\/.*\/cluster-worker\.cjs:4\)$/, remedy: /NODE_APP_INSTANCE/ },
  'cluster-worker-on.cjs': { code: 'ERR_DROVER_APP_THREW', exit: 3, message: /TypeError: Cannot read properties of undefined \(reading 'on'\)/, remedy: /^As under plain node there is no cluster\.worker: .*cluster\.worker\?\.on\.$/ },
  'exits.cjs': { code: 'ERR_DROVER_WORKER_EXITED', exit: 9, message: /^app exits\.cjs exited with code 9 before it listened$/ },
  'never-settles.mjs': { code: 'ERR_DROVER_WORKER_EXITED', exit: 3, message: /a top-level await that never settles/ },
  'promise-never.mjs': { code: 'ERR_DROVER_WORKER_EXITED', exit: 3, message: /waits for a promise .*that never settles/ },
})) {
  test(`clear error: ${app}`, async (t) => {
    const master = start(t, { app });
    const failed = await master.bootFailed();
    t.is(failed.code, expected.code);
    t.regex(failed.message, expected.message);
    t.is(failed.exit.code, expected.exit);
    if (expected.remedy !== undefined) t.regex(failed.remedy ?? 'no remedy', expected.remedy);
    t.is(failed.message.split('\n').length, 1, 'one line');
    t.deepEqual(master.messages.filter(({ type }) => type === 'boot-failed' || type === 'fatal').length, 1, 'said once');
    t.is(master.stderr, '', 'no stack on stderr');
  });
}

for (const [app, path] of [['syntax.cjs', 'syntax.cjs:2'], ['syntax.mjs', 'syntax.mjs:3'], ['imports-syntax.mjs', 'syntax.mjs:3']] as const) {
  test(`a syntax error shows the line: ${app}`, async (t) => {
    const failed = await start(t, { app }).bootFailed();
    t.regex(failed.stack!, new RegExp(`^/.*/${path}\n.+\n +\\^\n\nSyntaxError: Unexpected token ';'$`));
  });
}

test('a syntax error below the file that a package.json names', async (t) => {
  const cwd = scratch(t);
  mkdirSync(join(cwd, 'd/lib'), { recursive: true });
  writeFileSync(join(cwd, 'd/package.json'), '{"type":"module","main":"lib/a.js"}');
  writeFileSync(join(cwd, 'd/lib/a.js'), "import './b.js';");
  writeFileSync(join(cwd, 'd/lib/b.js'), '\nconst b = ;');
  const failed = await start(t, { app: 'd', cwd }).bootFailed();
  t.is(failed.message, `app d threw while loading: SyntaxError: Unexpected token ';' (${cwd}/d/lib/b.js:2)`);
});

for (const [text, name, message, remedy] of [
  ['exports.makeApp = () => {}; exports.web = { handler() {} };', 'makeap', 'has no export makeap; it exports makeApp (a function of 0 parameters), web (an object)', 'Did you mean a.cjs:makeApp?'],
  ['exports.web = { handler() {} };', 'web.handle', 'has no export web.handle; in web there is handler (a function of 0 parameters)', 'Did you mean a.cjs:web.handler?'],
  ['exports.web = {};', 'other', 'has no export other; it exports web (an object)', undefined],
  ["require('node:http').createServer().listen(3000); exports.web = {};", 'missing', 'has no export missing; it exports web (an object)', undefined],
  ["module.exports = require('express')();", 'lisen', 'has no export lisen; it exports a function of 3 parameters', 'a.cjs alone is an app as well: leave the name out.'],
] as [string, string, string, string | undefined][]) {
  test(`an export that is not there: ${name}`, async (t) => {
    const cwd = scratch(t);
    symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(cwd, 'node_modules'));
    writeFileSync(join(cwd, 'a.cjs'), text);
    const failed = await start(t, { app: `a.cjs:${name}`, cwd }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_APP_UNUSABLE');
    t.is(failed.message, `app a.cjs ${message}`);
    t.is(failed.remedy, remedy);
  });
}

const THROWS = "exports.a = 1; Object.defineProperty(exports, 'NAME', { enumerable: true, get() { throw new Error('NAME is no more'); } });";

test('a getter among the exports that throws: it is nothing to serve, and the app has not thrown', async (t) => {
  const cwd = scratch(t);
  const failure = (app: string, text: string): ReturnType<FakeMaster['bootFailed']> => {
    writeFileSync(join(cwd, 'a.cjs'), text);
    return start(t, { app, cwd }).bootFailed();
  };
  const beside = await failure('a.cjs', `${THROWS.replaceAll('NAME', 'old')} exports.api = (req, res) => res.end();`);
  t.regex(beside.message, /never called listen\(\), .* it exports a \(a number\), old \(throws Error: old is no more\), api \(a function of 2 parameters\)$/);
  t.regex(beside.remedy!, /name it: a\.cjs:api\.$/);
  const odd = await failure('a.cjs', "Object.defineProperty(exports, 'odd', { enumerable: true, get() { throw Object.assign(new Error(), { name: Symbol('odd') }); } });");
  t.regex(odd.message, /it exports odd \(throws a value that cannot be printed\)$/);
  const alone = await failure('a.cjs', THROWS.replaceAll('NAME', 'default'));
  t.regex(alone.message, /it exports a \(a number\), default \(throws Error: default is no more\)$/);
  const missing = await failure('a.cjs:api', THROWS.replaceAll('NAME', 'app'));
  t.regex(missing.message, /has no export api; it exports a \(a number\), app \(throws Error: app is no more\)$/);
  const named = await failure('a.cjs:old', THROWS.replaceAll('NAME', 'old'));
  t.is(named.code, 'ERR_DROVER_APP_THREW', 'what was asked for');
});

test('a getter that throws takes nothing from what is served', async (t) => {
  const cwd = scratch(t);
  writeFileSync(join(cwd, 'a.cjs'), `${THROWS.replaceAll('NAME', 'server')} exports.app = (req, res) => res.end('served');`);
  t.is(await body(start(t, { app: 'a.cjs', cwd })), 'served');
});

for (const [is, manifest, why] of [
  ['is no JSON', '{"main": ', /JSON/],
  ['is null', 'null', /./],
  ['is text', '"main"', /./],
  ['is a list', '[]', /./],
] as [string, string, RegExp][]) {
  test(`a package.json that ${is}: the app, the file, why and what to do`, async (t) => {
    const cwd = scratch(t);
    for (const [app, directory] of [['p', 'node_modules/p'], ['./d', 'd']] as const) {
      mkdirSync(join(cwd, directory), { recursive: true });
      writeFileSync(join(cwd, directory, 'package.json'), manifest);
      writeFileSync(join(cwd, directory, 'app.mjs'), '');
      const failed = await start(t, { app, cwd }).bootFailed();
      t.is(failed.code, 'ERR_DROVER_APP_NOT_FOUND', failed.message);
      t.true(failed.message.startsWith(`app ${app} `) && failed.message.includes(join(cwd, directory)), failed.message);
      t.regex(failed.message, why);
      t.regex(failed.remedy!, /^Look at its package\.json|^Did you mean .*app\.mjs/);
    }
  });
}

test('a package that Node loads is served, whatever else is wrong with its package.json', async (t) => {
  const cwd = scratch(t);
  const app = `module.exports = (req, res) => res.end('served');`;
  mkdirSync(join(cwd, 'node_modules/p/package.json'), { recursive: true });
  writeFileSync(join(cwd, 'node_modules/p/index.js'), app);
  t.is(await body(start(t, { app: 'p', cwd })), 'served', 'a directory');
  mkdirSync(join(cwd, 'node_modules/q'));
  writeFileSync(join(cwd, 'node_modules/q/package.json'), '\uFEFF{"main":"a.js"}');
  writeFileSync(join(cwd, 'node_modules/q/a.js'), app);
  t.is(await body(start(t, { app: 'q', cwd })), 'served', 'a byte order mark');
});

test('a package whose bin has values that are no paths: the one that is', async (t) => {
  const cwd = scratch(t);
  mkdirSync(join(cwd, 'node_modules/p'), { recursive: true });
  writeFileSync(join(cwd, 'node_modules/p/package.json'), '{"bin":{"p":5,"q":null,"r":"./cli.mjs"}}');
  writeFileSync(join(cwd, 'node_modules/p/cli.mjs'), `export default (req, res) => res.end('the command');`);
  t.is(await body(start(t, { app: 'p', cwd })), 'the command');
});

for (const [is, files, app, expected, remedy] of [
  ['a directory with nothing in it', {}, './d', /^app \.\/d is a directory, and .* no index\.js and no package\.json with a "main" \(\/.*\/d\)$/, /^Give the path of the file\.$/],
  ['a directory with one script', { 'd/web.js': '', 'd/web.test.js': '', 'd/types.d.ts': '' }, 'd/', /^app d\/ is a directory/, /^Did you mean d\/web\.js\?$/],
  ['a directory with a likely script', { 'd/a.js': '', 'd/server.mjs': '' }, './d', /is a directory/, /^Did you mean \.\/d\/server\.mjs\?$/],
  ['a directory whose main is missing', { 'd/package.json': '{"main":"dist/x.js"}' }, './d', /"main" of its package\.json is dist\/x\.js, which is not there \(/, /^Is it built\? Else give the path of the file\.$/],
  ['a directory whose main is a directory', { 'd/package.json': '{"main":"lib"}', 'd/lib/x': '', 'd/app.js': '' }, './d', /"main" of its package\.json is lib, a directory without an index\.js \(/, /^Did you mean \.\/d\/app\.js\?$/],
  ['a package whose main is a directory with an index file that does not count', { 'node_modules/p/package.json': '{"main":"./lib/"}', 'node_modules/p/lib/index.mjs': '', 'node_modules/p/lib/app.js': '' }, 'p', /"main" of its package\.json is \.\/lib\/, a directory without an index\.js \(/, /^Did you mean \.\/node_modules\/p\/lib\/index\.mjs\?$/],
  ['a directory whose main is a directory with a likely script', { 'd/package.json': '{"main":"lib"}', 'd/lib/app.js': '', 'd/lib/b.js': '', 'd/server.js': '' }, './d', /a directory without an index\.js \(/, /^Did you mean \.\/d\/lib\/app\.js\?$/],
  ['a directory whose main is itself', { 'd/package.json': '{"main":"."}', 'd/app.js': '' }, './d', /"main" of its package\.json is \., a directory without an index\.js \(/, /^Did you mean \.\/d\/app\.js\?$/],
  ['a package that is not built', { 'node_modules/p/package.json': '{"exports":{".":{"import":"./dist/i.mjs","require":"./dist/i.cjs"}}}' }, 'p', /cannot be told: "exports" of its package\.json is \.\/dist\/i\.mjs, which is not there \(.*\/node_modules\/p\)$/, /^Is it built\?/],
  ['a package for require that is not built', { 'node_modules/p/package.json': '{"exports":{"require":"./dist/i.cjs"}}' }, 'p', /"exports" of its package\.json is \.\/dist\/i\.cjs, which is not there \(/, /^Is it built\?/],
  ['a directory whose exports are missing', { 'd/package.json': '{"exports":"./nope.js"}' }, './d', /"exports" of its package\.json is \.\/nope\.js, which is not there \(/, /^Is it built\?/],
  ['a package whose exports are missing and whose main is there', { 'node_modules/p/package.json': '{"exports":"./nope.js","main":"lib/m.js"}', 'node_modules/p/lib/m.js': '' }, 'p', /"exports" of its package\.json is \.\/nope\.js, which is not there \(/, /^Did you mean \.\/node_modules\/p\/lib\/m\.js, the "main" of its package\.json\?$/],
  ['a package whose command is not built', { 'node_modules/p/package.json': '{"bin":"./dist/cli.js"}' }, 'p', /"bin" of its package\.json is \.\/dist\/cli\.js, which is not there \(/, /^Is it built\?/],
  ['a package of a command only', { 'd/package.json': '{"name":"@a/d","bin":{"x":"./no.js","d":"./cli.js"}}', 'd/cli.js': '', 'd/other.js': '' }, 'd', /no index\.js and no package\.json with a "main"/, /^Did you mean d\/cli\.js, the "bin" of its package\.json\?$/],
  ['a package of exports only', { 'package.json': '{"exports":{"import":"./d/a.js"}}', 'd/a.js': '' }, '.', /^app \. is a directory/, /^Did you mean \.\/d\/a\.js, the "exports" of its package\.json\?$/],
  ['a package whose command is not there', { 'd/package.json': '{"bin":"./cli.js"}', 'd/app.js': '' }, './d', /"bin" of its package\.json is \.\/cli\.js, which is not there \(/, /^Did you mean \.\/d\/app\.js\?$/],
  ['a package whose exports are data', { 'd/package.json': '{"exports":"./data.json"}', 'd/data.json': '{}', 'd/app.js': '' }, './d', /is a directory/, /^Did you mean \.\/d\/app\.js\?$/],
  ['a package whose bin is null', { 'd/package.json': '{"name":"d","bin":null}', 'd/app.js': '' }, './d', /is a directory/, /^Did you mean \.\/d\/app\.js\?$/],
  ['a package of types only', { 'node_modules/p/package.json': '{"main":"","types":"index.d.ts"}', 'node_modules/p/index.d.ts': '' }, 'p', /^app p is a directory, and .* no package\.json with a "main" \(.*\/node_modules\/p\)$/, /^Give the path of the file\.$/],
  ['a package of which only other files are exported', { 'node_modules/p/package.json': '{"exports":{"./x":"./x.js"}}', 'node_modules/p/app.js': '' }, 'p', /no "main", and "exports" that name no file to run/, /^Did you mean \.\/node_modules\/p\/app\.js\?$/],
  ['a package whose exports hide its main', { 'node_modules/p/package.json': '{"exports":{".":null},"main":"app.js"}', 'node_modules/p/app.js': '' }, 'p', /"main", app\.js, does not count/, /^Did you mean \.\/node_modules\/p\/app\.js, the "main" of its package\.json\?$/],
  ['a package whose exports hide a main without its extension', { 'node_modules/p/package.json': '{"exports":{".":null},"main":"app"}', 'node_modules/p/app.js': '' }, 'p', /"main", app, does not count/, /^Did you mean \.\/node_modules\/p\/app\.js\?$/],
  ['beside a package of that name', { 'p/package.json': '{"main":"no.js"}', 'p/app.js': '', 'node_modules/p/package.json': '{}' }, 'p', /"main" of its package\.json is no\.js/, /^Did you mean p\/app\.js\?$/],
  ['a package.json with a byte order mark', { 'd/package.json': '\uFEFF{"main":"no.js"}', 'd/app.js': '' }, './d', /is a directory/, /^Did you mean \.\/d\/app\.js\?$/],
  ['the working directory', { 'app.cjs': '' }, './', /^app \.\/ is a directory/, /^Did you mean \.\/app\.cjs\?$/],
  ['one of nearly that name', { 'd/index.mjs': '' }, './dd', /does not exist/, /^Did you mean \.\/d\/\?$/],
  ['one of nearly that name with a main', { 'd/package.json': '{"main":"lib/a"}', 'd/lib/a.js': '' }, './dd', /does not exist/, /^Did you mean \.\/d\/\?$/],
  ['one of nearly that name that cannot be run', {}, './dd', /does not exist/, /^APP is a path/],
  ['one of nearly that name whose main is missing', { 'd/package.json': '{"main":"no.js"}' }, './dd', /does not exist/, /^APP is a path/],
  ['one of nearly that name whose package.json is broken', { 'd/package.json': '{' }, './dd', /does not exist/, /^APP is a path/],
  ['a short name that two edits make of it', { 'exo/index.js': '' }, 'next', /is neither a file nor a package/, /^APP is a path/],
  ['a short name that one edit makes of it', { 'nest/index.js': '' }, 'next', /is neither a file nor a package/, /^Did you mean \.\/nest\/\?$/],
] as [string, Record<string, string>, string, RegExp, RegExp][]) {
  test(`APP is a directory: ${is}`, async (t) => {
    const cwd = scratch(t);
    for (const name of ['d/x', ...Object.keys(files)]) mkdirSync(dirname(join(cwd, name)), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
    const failed = await start(t, { app, cwd }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_APP_NOT_FOUND', failed.message);
    t.regex(failed.message, expected);
    t.regex(failed.remedy!, remedy);
  });
}

for (const [is, source, app, found] of [
  ['named', 'exports.x = new (class { listen(port, host) {} })();', 'app.cjs:x', /: it exports x \(an object\)$/],
  ['alone', 'module.exports = new (class Nest { async listen(port, host) {} })();', 'app.cjs', /: it exports an instance of Nest$/],
  ['made by a function', 'exports.make = () => new (class { listen(port, host) {} })();', 'app.cjs:make', /: it exports make \(a function of 0 parameters\)$/],
] as const) {
  test(`an object whose listen(port, host) listens to nothing: ${is}`, async (t) => {
    const cwd = scratch(t);
    writeFileSync(join(cwd, 'app.cjs'), source);
    const failed = await start(t, { app, cwd }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_APP_UNUSABLE');
    t.true(failed.message.startsWith(`app ${app} has a listen(port, host) that drover called, and that listens to nothing`), failed.message);
    t.regex(failed.message, found);
    t.regex(failed.remedy!, /^It is to open a server of Node's at the port and host/);
  });
}

for (const [app, files, remedy] of [
  ['sevrer', ['server.js', 'revers.txt'], /^Did you mean \.\/server\.js\?$/],
  ['sevrer.js', ['server.js'], /^Did you mean \.\/server\.js\?$/],
  ['./sevrer', ['server.mjs'], /^Did you mean \.\/server\.mjs\?$/],
  ['d/sevrer', ['d/server.ts'], /^Did you mean \.\/d\/server\.ts\?$/],
  ['server', ['server.d.ts', 'served.js'], /^Did you mean \.\/served\.js\?$/],
  ['worker', ['server.js'], /^APP is a path/],
  ['hono', ['home.js', 'h.js'], /^APP is a path/],
] as [string, string[], RegExp][]) {
  test(`APP is not there: ${app} beside ${files.join(' and ')}`, async (t) => {
    const cwd = scratch(t);
    mkdirSync(join(cwd, 'd'));
    for (const name of files) writeFileSync(join(cwd, name), '');
    const failed = await start(t, { app, cwd }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_APP_NOT_FOUND', failed.message);
    t.regex(failed.remedy!, remedy);
  });
}

for (const [is, type, name, text, remedy] of [
  ['an ES module in a package of CommonJS', 'commonjs', 'app.js', "\nimport 'node:http';", 'DIR/app.js is written as an ES module, and Node takes it for CommonJS: set "type": "module" in DIR/package.json, or rename it to app.mjs.'],
  ['export there', 'commonjs', 'app.js', 'export default () => {};', 'DIR/app.js is written as an ES module, and Node takes it for CommonJS: set "type": "module" in DIR/package.json, or rename it to app.mjs.'],
  ['an ES module in a .cjs', undefined, 'app.cjs', "import 'node:http';", 'DIR/app.cjs is written as an ES module, and Node takes it for CommonJS for its name: rename it to app.mjs.'],
  ['await in a package of CommonJS', 'commonjs', 'app.js', "require('node:http');\nawait 1;", 'Make the function around this await async; outside of all functions await is for ES modules, and Node takes DIR/app.js for CommonJS: set "type": "module" in DIR/package.json, or rename it to app.mjs.'],
  ['await in a function that is not async', undefined, 'app.cjs', 'module.exports = (req, res) => { await 1; };', 'Make the function around this await async; outside of all functions await is for ES modules, and Node takes DIR/app.cjs for CommonJS for its name: rename it to app.mjs.'],
  ['await in a .cjs', undefined, 'app.cjs', 'await 1;', 'Make the function around this await async; outside of all functions await is for ES modules, and Node takes DIR/app.cjs for CommonJS for its name: rename it to app.mjs.'],
  ['require in a package of ES modules', 'module', 'app.js', "require('node:http');", 'require is CommonJS, and DIR/app.js is an ES module by "type": "module" in DIR/package.json: write import instead, or rename the file to app.cjs if all of it is CommonJS.'],
  ['module in a .mjs', undefined, 'app.mjs', 'module.exports = () => {};', 'module is CommonJS, and DIR/app.mjs is an ES module by its name: write export instead, or rename the file to app.cjs if all of it is CommonJS.'],
  ['__dirname beside an export', undefined, 'app.js', 'export default __dirname;', '__dirname is CommonJS, and DIR/app.js is an ES module by an import or export in it: write import.meta.dirname instead.'],
] as [string, string | undefined, string, string, string][]) {
  test(`a file of the other kind of module: ${is}`, async (t) => {
    const cwd = scratch(t);
    writeFileSync(join(cwd, 'package.json'), JSON.stringify({ type }));
    writeFileSync(join(cwd, name), text);
    const failed = await start(t, { app: name, cwd }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_APP_THREW');
    t.is(failed.remedy, remedy.replaceAll('DIR', cwd));
  });
}

if (strips) {
  for (const [is, text] of [
    ['an enum', 'enum Kind { One }\nexport default () => Kind.One;'],
    ['a decorator', 'const seen = (value: unknown): void => void value;\n@seen class App {}\nexport default () => App;'],
  ] as const) {
    test(`TypeScript that is more than types: ${is}`, async (t) => {
      const cwd = scratch(t);
      writeFileSync(join(cwd, 'app.mts'), text);
      const failed = await start(t, { app: 'app.mts', cwd }).bootFailed();
      t.is(failed.code, 'ERR_DROVER_APP_THREW');
      t.regex(failed.remedy!, /decorators, enums, .* need a compiler, or a loader: .*--import tsx/);
    });
  }
}

test("pnpm's commands are shell scripts: the file that one runs is the app, any other is told of", async (t) => {
  const cwd = scratch(t);
  const store = join(cwd, 'node_modules/.pnpm/tool@1/node_modules/tool');
  mkdirSync(join(store, 'bin'), { recursive: true });
  mkdirSync(join(cwd, 'node_modules/.bin'));
  symlinkSync(store, join(cwd, 'node_modules/tool'));
  writeFileSync(join(store, 'bin/tool.js'), "console.log(__filename, ...process.argv.slice(1)); require('node:http').createServer().listen(3000);");
  const shim = ['#!/bin/sh', 'basedir=$(dirname "$(echo "$0" | sed -e \'s,\\\\,/,g\')")', 'if [ -x "$basedir/node" ]; then', '  exec "$basedir/node"  "$basedir/../tool/bin/tool.js" "$@"', 'else', '  exec node  "$basedir/../tool/bin/tool.js" "$@"', 'fi', ''];
  writeFileSync(join(cwd, 'node_modules/.bin/tool'), shim.join('\n'));
  const master = start(t, { app: 'node_modules/.bin/tool', cwd });
  await master.ready();
  master.kill('SIGTERM');
  await master.exited;
  t.is(master.stdout, `${store}/bin/tool.js ${cwd}/node_modules/tool/bin/tool.js\n`);

  // Valid for both: the shell is to start node with it.
  for (const [name, line] of [['quoted', `':' //; exec node "$0" "$@"`], ['bare', '// 2>/dev/null; exec node "$0" "$@"']] as const) {
    writeFileSync(join(cwd, name), `#!/bin/sh\n${line}\nrequire('node:http').createServer().listen(3000);\n`);
    await start(t, { app: `./${name}`, cwd }).ready();
  }

  for (const name of ['start', 'start.sh']) {
    writeFileSync(join(cwd, name), '#!/usr/bin/env bash\nexec node server.js\n');
    const failed = await start(t, { app: `./${name}`, cwd }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_APP_UNUSABLE');
    t.is(failed.message, `app ./${name} is a shell script: ${cwd}/${name}`);
  }
});

test('a module that is not there: a package is to be installed, a file is named with who asked for it', async (t) => {
  const cwd = scratch(t);
  mkdirSync(join(cwd, 'node_modules/broken/lib'), { recursive: true });
  mkdirSync(join(cwd, 'dir'));
  writeFileSync(join(cwd, 'node_modules/broken/index.js'), "require('./lib/gone');");
  writeFileSync(join(cwd, 'there.js'), '');
  const remedyOf = async (name: string, text: string): Promise<{ remedy: string; stack: string | undefined }> => {
    writeFileSync(join(cwd, name), text);
    const { code, remedy, stack } = await start(t, { app: name, cwd }).bootFailed();
    t.is(code, 'ERR_DROVER_APP_THREW');
    return { remedy: remedy!, stack };
  };
  const install = 'Is it installed? Run npm install where the app is.';
  t.is((await remedyOf('a.cjs', "require('no-such-package-anywhere');")).remedy, install);
  t.is((await remedyOf('b.cjs', "require('broken');")).remedy, install);
  const required = await remedyOf('c.cjs', "\nrequire('./nothere');");
  t.is(required.remedy, `${cwd}/c.cjs asks for ${cwd}/nothere, and there is no such file.`);
  t.regex(required.stack!, /at .*c\.cjs:2:1\)$/);
  t.is((await remedyOf('d.cjs', "require('./dir');")).remedy, `${cwd}/d.cjs asks for ${cwd}/dir, a directory without an index file.`);
  const imported = await remedyOf('e.mjs', "import './nothere.js';");
  t.is(imported.remedy, `${cwd}/e.mjs asks for ${cwd}/nothere.js, and there is no such file.`);
  t.is(imported.stack, undefined, "Node's frames alone say nothing");
  t.is((await remedyOf('f.mjs', "import './there';")).remedy, `${cwd}/f.mjs asks for ${cwd}/there, and there is no such file. Did you mean ${cwd}/there.js? An import names the extension.`);
});

test('an app that is kept alive and serves nothing yet: said after a while', async (t) => {
  const cwd = scratch(t);
  writeFileSync(join(cwd, 'a.cjs'), 'setTimeout(() => {}, 1e6); module.exports = {};');
  writeFileSync(join(cwd, 'b.cjs'), 'setTimeout(() => {}, 1e6); module.exports = (request, response) => response.end(); const later = (server) => server.listen(1);');
  writeFileSync(join(cwd, 'c.cjs'), "setTimeout(() => {}, 1e6); require('node:http').createServer().on('error', () => {}).listen(1);");
  const whyOf = async (app: string, listenErrno?: number): Promise<unknown> => {
    const { event, fields } = await start(t, { app, cwd, ...(listenErrno === undefined ? {} : { listenErrno }) }).message('log');
    t.is(event, 'worker.waiting');
    t.is(fields['app'], app);
    return fields['why'];
  };
  const [a, b, c] = await Promise.all([whyOf('a.cjs'), whyOf('b.cjs'), whyOf('c.cjs', 98)]);
  t.is(a, 'there is nothing to serve (it exports nothing), and it has not called listen()');
  t.is(b, 'it exports something to serve, but its code also calls listen()');
  t.is(c, 'cannot listen at 127.0.0.1:80: refused by the test');
});

for (const [is, files] of Object.entries<Record<string, string>>({
  'a command runs the function that it exports when it is the main module': {
    'app.js': "const start = require('./later.js'); async function serve() { console.log('runs'); await start(); } module.exports = serve; if (require.main === module) serve();",
  },
  'a module calls what it exports, whoever imports it': {
    'app.mjs': "import start from './later.js'; export default async function main() { console.log('runs'); await start(); } main();",
  },
  'the same as an ES module': {
    'app.mjs': "import { fileURLToPath } from 'node:url'; import start from './later.js'; export default async function main() { console.log('runs'); await start(); } if (process.argv[1] === fileURLToPath(import.meta.url)) await main();",
  },
  'a handler is exported for tests, and the file listens when it is the main module': {
    'app.js': "const app = (request, response) => response.end('later'); console.log('runs'); module.exports = app; if (!module.parent) setTimeout(() => require('node:http').createServer(app).listen(3000), 100);",
  },
})) {
  test(`a program that seems to start itself is waited for, not started once more: ${is}`, async (t) => {
    const cwd = scratch(t);
    const later = "module.exports = () => new Promise((resolve) => setTimeout(() => require('node:http').createServer((request, response) => response.end('later')).listen(3000, resolve), 100));";
    for (const [name, text] of Object.entries({ 'later.js': later, ...files })) writeFileSync(join(cwd, name), text);
    const master = start(t, { app: Object.keys(files)[0]!, cwd });
    await master.ready();
    t.is(await body(master), 'later');
    master.kill('SIGTERM');
    await master.exited;
    t.is(master.stdout, 'runs\n');
  });
}

test('a handler whose file asks whether it is the main module, and that something keeps alive: nothing is waited for', async (t) => {
  const cwd = scratch(t);
  writeFileSync(join(cwd, 'app.js'), "module.exports = (request, response) => response.end('own'); if (require.main === module) setInterval(() => {}, 1e6);");
  const master = start(t, { app: 'app.js', cwd });
  await master.ready();
  t.is(await body(master), 'own');
  t.deepEqual(master.messages.filter(({ type }) => type === 'log'), []);
});

test('a program that starts itself, and does not listen in the time of --boot-timeout: how to have its export served', async (t) => {
  const cwd = scratch(t);
  writeFileSync(join(cwd, 'app.js'), 'const serve = () => void setInterval(() => {}, 1e6); exports.app = serve; if (require.main === module) serve();');
  const failed = await start(t, { app: 'app.js', cwd, config: { bootTimeoutMs: 3_000 } }).bootFailed();
  t.is(failed.code, 'ERR_DROVER_BOOT_TIMEOUT');
  t.is(failed.message, 'app app.js has not called listen() in the time of --boot-timeout: it exports something to serve, but its code also asks whether it is the main module, and calls what it exports');
  t.regex(failed.remedy!, /name it: app\.js:app\. Else look for what it waits for, or raise --boot-timeout\.$/);
});

for (const [is, text, code] of [
  ['starts something as the main module', 'exports.start = () => {}; if (require.main === module) setInterval(() => {}, 1e6);', 'ERR_DROVER_BOOT_TIMEOUT'],
  ['says nothing of listening', 'exports.start = () => {}; setInterval(() => {}, 1e6);', 'ERR_DROVER_APP_UNUSABLE'],
] as const) {
  test(`a program that exports nothing to serve, ${is}, and does not listen in the time of --boot-timeout`, async (t) => {
    const cwd = scratch(t);
    writeFileSync(join(cwd, 'app.js'), text);
    const failed = await start(t, { app: 'app.js', cwd, config: { bootTimeoutMs: 3_000 } }).bootFailed();
    t.is(failed.code, code);
    t.regex(failed.message, code === 'ERR_DROVER_BOOT_TIMEOUT' ? /^app app\.js has not called listen\(\) within 3000 ms/ : /^app app\.js never called listen\(\)/);
  });
}

test('a program that asks whether it is the main module, and starts nothing: what it exports is served', async (t) => {
  const cwd = scratch(t);
  writeFileSync(join(cwd, 'app.js'), "const make = () => (request, response) => response.end('made'); module.exports = make; if (require.main === module) console.log('as main');");
  const master = start(t, { app: 'app.js', cwd });
  await master.ready();
  t.is(await body(master), 'made');
});

test("a package's main file that serves nothing: its command, as a path that can be given", async (t) => {
  const cwd = scratch(t);
  mkdirSync(join(cwd, 'node_modules/tool/dist/bin'), { recursive: true });
  mkdirSync(join(cwd, 'below'));
  const manifest = (bin: string): void => writeFileSync(join(cwd, 'node_modules/tool/package.json'), JSON.stringify({ main: 'm.js', bin: { tool: bin } }));
  writeFileSync(join(cwd, 'node_modules/tool/m.js'), 'exports.version = 1;');
  writeFileSync(join(cwd, 'node_modules/tool/dist/bin/tool'), "#!/usr/bin/env node\nrequire('node:http').createServer((request, response) => response.end('the command')).listen(3000);");
  const remedy = async (directory = cwd): Promise<string> => (await start(t, { app: 'tool', cwd: directory }).bootFailed()).remedy!;

  manifest('./dist/bin/tool');
  const app = /^Did you mean (\S+), the "bin" of its package\.json\?$/.exec(await remedy())![1]!;
  t.is(app, './node_modules/tool/dist/bin/tool');
  t.is(await body(start(t, { app, cwd })), 'the command');
  t.regex(await remedy(join(cwd, 'below')), new RegExp(`^Did you mean ${cwd}/node_modules/tool/dist/bin/tool, `));
  for (const bin of ['./gone.js', './m.js']) {
    manifest(bin);
    t.regex(await remedy(), /^Export a handler/, bin);
  }
});

test("an object's listen(port, host) that throws: said so, and what to do instead", async (t) => {
  const cwd = scratch(t);
  const failure = (listen: string): ReturnType<FakeMaster['bootFailed']> => {
    writeFileSync(join(cwd, 'a.cjs'), `class Io {\n  ${listen}\n}\nmodule.exports = new Io();`);
    return start(t, { app: 'a.cjs', cwd }).bootFailed();
  };
  const remedy = 'Call its listen() in the app itself, or export the http server.';
  const failed = await failure("listen(port, options) { 'use strict'; options.path = '/io'; }");
  t.is(failed.code, 'ERR_DROVER_APP_THREW');
  t.is(failed.message, `app a.cjs exports an object whose listen(port, host) threw: TypeError: Cannot create property 'path' on string '127.0.0.1' (${cwd}/a.cjs:2)`);
  t.is(failed.remedy, remedy);
  t.regex(failed.stack!, /^TypeError: .*\n +at Io\.listen \(.*a\.cjs:2:/);
  const text = await failure("listen() { throw 'no'; }");
  t.is(text.message, "app a.cjs exports an object whose listen(port, host) threw, and no Error: 'no'");
  t.is(text.remedy, remedy);
  const rejected = await failure("async listen() { throw new Error('no database'); }");
  t.is(rejected.message, `app a.cjs threw while loading: Error: no database (${cwd}/a.cjs:2)`);
  t.is(rejected.remedy, undefined);
});

test('an export that came to nothing to serve is not proposed; another one is', async (t) => {
  const cwd = scratch(t);
  const remedyOf = async (name: string, text: string): Promise<string> => {
    writeFileSync(join(cwd, name), text);
    return (await start(t, { app: name, cwd }).bootFailed()).remedy!;
  };
  t.regex(await remedyOf('a.mjs', "await 1; export default () => new Response('x');"), /; or call listen\(\)\.$/);
  t.regex(await remedyOf('b.cjs', 'exports.app = () => 1;'), /; or call listen\(\)\.$/);
  t.regex(await remedyOf('c.mjs', 'export const api = (req, res) => res.end(); export default () => 1;'), /name it: c\.mjs:api\.$/);
});

test('a link that leads back to itself: no permission is asked for', async (t) => {
  const cwd = scratch(t);
  symlinkSync('b', join(cwd, 'a'));
  symlinkSync('a', join(cwd, 'b'));
  const failed = await start(t, { app: './a', cwd }).bootFailed();
  t.is(failed.code, 'ERR_DROVER_APP_NOT_FOUND');
  t.regex(failed.message, /^app \.\/a cannot be read: .*: ELOOP: too many symbolic links/);
  t.is(failed.remedy, undefined);
});

test('a file that may not be read', async (t) => {
  if (process.getuid!() === 0) return void t.pass('root may read all files');
  const cwd = scratch(t);
  writeFileSync(join(cwd, 'secret.cjs'), '', { mode: 0 });
  const failed = await start(t, { app: './secret.cjs', cwd }).bootFailed();
  t.is(failed.code, 'ERR_DROVER_APP_NOT_FOUND');
  t.regex(failed.message, /cannot be read: .*permission denied/);
});

for (const app of ['cjs-handler.cjs', 'fastify-plain.cjs', 'script-two-ports.cjs', 'express-script.cjs', 'refused-exits.cjs']) {
  test(`a listen() that fails at the address that drover chooses: what that is from, where the app has not asked for it (${app})`, async (t) => {
    const place = { host: '127.0.0.1', port: 80, source: 'environment variable PORT' };
    const isServed = app === 'cjs-handler.cjs' || app === 'fastify-plain.cjs';
    const failed = await start(t, { app, listenErrno: 98, config: { place } }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_LISTEN');
    t.is(failed.message, isServed ? 'cannot listen at 127.0.0.1:80 (environment variable PORT): refused by the test' : `app ${app} cannot listen at 127.0.0.1:80: refused by the test`);
    t.is(failed.remedy, 'Let it.');
    // With --bind it is no choice of drover's, and neither is another address of that port.
    if (isServed) t.is((await start(t, { app, listenErrno: 98, config: { place: { ...place, host: '127.0.0.2' } } }).bootFailed()).message, `app ${app} cannot listen at 127.0.0.1:80: refused by the test`);
    if (isServed) t.is((await start(t, { app, listenErrno: 98, config: { place, bindGiven: true } }).bootFailed()).message, `app ${app} cannot listen at 127.0.0.1:80: refused by the test`);
  });
}

for (const app of ['cjs-handler.cjs', 'script-two-ports.cjs', 'fastify-plain.cjs', 'express-script.cjs', 'express-exported.cjs', 'refused-exits.cjs', 'refused-waits.mjs']) {
  test(`a listen() that fails: ${app}`, async (t) => {
    const EADDRINUSE = 98;
    const failed = await start(t, { app, listenErrno: EADDRINUSE }).bootFailed();
    t.is(failed.code, 'ERR_DROVER_LISTEN');
    t.is(failed.exit.code, app === 'refused-exits.cjs' ? 1 : 5);
    t.is(failed.message, `app ${app} cannot listen at 127.0.0.1:80: refused by the test`);
    t.is(failed.remedy, 'Let it.');
    t.is(failed.stack, undefined);
  });
}
