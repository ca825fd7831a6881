import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CONFIG_EXTENSIONS, findConfigFile, readConfigFile } from '../../src/config/config-file.js';
import { DroverError } from '../../src/errors.js';

function tree(t: ExecutionContext, files: Record<string, string>): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-config-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  write(directory, files);
  return directory;
}

function write(directory: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

async function messageOf(path: string, asked?: string): Promise<string> {
  try {
    await readConfigFile(path, { asked });
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    if (error.code !== 'ERR_DROVER_CONFIG_FILE' || error.exitCode !== 2) throw error;
    if (error.format().split('\n').length !== 2) throw new Error(`not two lines: ${error.format()}`, { cause: error });
    return error.format();
  }
  throw new Error('accepted');
}

const ESM = 'export default { workers: 2 };';
const GOOD: Record<string, string> = {
  'a.mjs': ESM,
  'esm/a.js': ESM,
  'esm/package.json': '{"type": "module"}',
  'a.js': 'module.exports = { workers: 2 };',
  'a.cjs': 'exports.workers = 2;',
  'compiled.cjs': 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = { workers: 2 };',
  'a.ts': 'const workers: number = 2;\nexport default { workers } satisfies { workers: number };',
  'a.mts': 'interface X { workers: number }\nexport default { workers: 2 } as X;',
  'a.json': '\uFEFF{ "workers": 2 }',
  'function.mjs': 'export default () => ({ workers: 2 });',
  'async.mjs': 'export default async () => { await null; return { workers: 2 }; };',
  'bare-promise.cjs': 'module.exports = Promise.resolve({ workers: 2 });',
  'promise.cjs': 'module.exports = () => Promise.resolve({ workers: 2 });',
  'function.ts': 'export default async (): Promise<object> => ({ workers: 2 });',
  'a b%20#?é.mjs': ESM,
};

for (const [name, text] of Object.entries(GOOD)) {
  if (name.endsWith('package.json')) continue;
  test(`reads ${name}`, async (t) => {
    const directory = tree(t, { [name]: text, 'esm/package.json': GOOD['esm/package.json']! });
    t.deepEqual({ ...(await readConfigFile(join(directory, name))) }, { workers: 2 });
  });
}

test('finds each kind, and the first of several', (t) => {
  const directory = tree(t, {});
  t.is(findConfigFile(directory), null);
  for (const extension of CONFIG_EXTENSIONS.toReversed()) {
    write(directory, { [`drover.config${extension}`]: '' });
    t.is(findConfigFile(directory), join(directory, `drover.config${extension}`));
  }
});

const SYNTAX_ERRORS: Record<string, string> = {
  'a.mjs': 'export default {\n  workers: 2,,\n};\n',
  'a.js': 'export default {\n  workers: 2,,\n};\n',
  'esm/a.js': 'export default {\n  workers: 2,,\n};\n',
  'common.js': 'module.exports = {\n  workers: 2,,\n};\n',
  'a.cjs': 'module.exports = {\n  workers: 2,,\n};\n',
  'a.ts': 'export default {\n  workers: 2,,\n};\n',
  'a.mts': 'export default {\n  workers: 2,,\n};\n',
  'a.json': '{\n  "wrk": 2 , ,\n}\n',
};

for (const [name, text] of Object.entries(SYNTAX_ERRORS)) {
  test(`syntax error in ${name}: file, line and column`, async (t) => {
    const path = join(tree(t, { [name]: text, 'esm/package.json': '{"type": "module"}' }), name);
    const message = await messageOf(path);
    t.true(message.startsWith(`config file ${path}:2:14: `), message);
    t.regex(message, name.endsWith('.json') ? /property name/ : /(Syntax|Parse)Error: Unexpected token/);
  });
}

for (const name of ['a.mjs', 'a.js', 'a.cjs', 'common.js', 'esm/a.js']) {
  test(`${name} ends too early: file and line`, async (t) => {
    const text = `${name === 'a.cjs' || name === 'common.js' ? 'module.exports =' : 'export default'} {\n  workers: 2,\n`;
    const path = join(tree(t, { [name]: text, 'esm/package.json': '{"type": "module"}' }), name);
    t.is((await messageOf(path)).split('\n')[0], `config file ${path}:3: SyntaxError: Unexpected end of input`);
  });
}

/** Node strips types by itself: there is no jiti. */
const STRIPS = Boolean((process.features as { typescript?: unknown }).typescript);

const THROWING: Record<string, string> = {
  'a.mjs': 'const a = 1;\nfunction f() {\n  throw new RangeError("boom\\nmore");\n}\nexport default f;',
  'a.cjs': 'const a = 1;\nfunction f() {\n  throw new RangeError("boom\\nmore");\n}\nmodule.exports = f;',
  'a.ts': 'const a: number = 1;\nfunction f() {\n  throw new RangeError("boom\\nmore");\n}\nexport default f;',
  'async.mjs': 'const a = 1;\nasync function f() {\n  throw new RangeError("boom\\nmore");\n}\nexport default f;',
  'top.mjs': 'const a = 1;\n{\n  throw new RangeError("boom\\nmore");\n}',
};

for (const [name, text] of Object.entries(THROWING)) {
  test(`${name} throws: file, line, message, no stack`, async (t) => {
    const path = join(tree(t, { [name]: text }), name);
    // jiti keeps the lines, and no columns.
    const place = name.endsWith('.ts') && !STRIPS ? '3' : '3:9';
    t.is((await messageOf(path)).split('\n')[0], `config file ${path}:${place}: RangeError: boom`);
  });
}

test('what an imported file throws, and its syntax errors: that file as well', async (t) => {
  const directory = tree(t, {
    'a.ts': '\nimport { x } from "./x.ts";\nexport default { workers: x };',
    'x.ts': 'export const x: number = 1;\n\nthrow new Error("boom");',
    'b.ts': 'import { y } from "./y.ts";\nexport default { workers: y };',
    'y.ts': 'export const y: number = 1;\nexport const z = ;',
    'c.mjs': 'import "./z.mjs";\nexport default {};',
    'z.mjs': '\n  throw new Error("boom");',
    'd.cjs': 'module.exports = { workers: require("./w.cjs") };',
    'w.cjs': 'null.x;',
  });
  const first = async (name: string): Promise<string> => (await messageOf(join(directory, name))).split('\n')[0]!.replaceAll(`${directory}/`, '');
  if (!STRIPS) {
    t.is(await first('a.ts'), 'config file a.ts:2: Error: boom (x.ts:3)');
    t.is(await first('b.ts'), 'config file b.ts: ParseError: Unexpected token (y.ts:2:18)');
  }
  t.is(await first('c.mjs'), 'config file c.mjs: Error: boom (z.mjs:2:9)');
  t.is(await first('d.cjs'), "config file d.cjs:1:29: TypeError: Cannot read properties of null (reading 'x') (w.cjs:1:6)");
});

test('drover is not installed where the file is', async (t) => {
  const files = { 'a.ts': 'import { defineConfig } from "drover";\nexport default defineConfig({});', 'a.mjs': 'import { defineConfig } from "drover";\nexport default defineConfig({});', 'a.cjs': 'const { defineConfig } = require("drover");' };
  const directory = tree(t, files);
  for (const name of Object.keys(files)) t.regex(await messageOf(join(directory, name)), /Cannot find (module|package) 'drover'.*\n {2}drover is not installed where this file is\..*export the object/, name);
});

test('a place that jiti has moved is told without its column', async (t) => {
  const path = join(tree(t, { 'a.ts': 'const a: number = 1; const b: number = foo();\nexport default { a, b };' }), 'a.ts');
  t.is((await messageOf(path)).split('\n')[0], `config file ${path}:1${STRIPS ? ':40' : ''}: ReferenceError: foo is not defined`);
});

test('a thing thrown that is no Error', async (t) => {
  const path = join(tree(t, { 'a.mjs': 'throw 5;' }), 'a.mjs');
  t.is((await messageOf(path)).split('\n')[0], `config file ${path}: 5`);
});

test('an import that is not there', async (t) => {
  const path = join(tree(t, { 'a.mjs': 'import "./nope.mjs";' }), 'a.mjs');
  t.regex(await messageOf(path), /a\.mjs: .*Cannot find module '.*nope\.mjs'/);
});

test('exports that are no options', async (t) => {
  const directory = tree(t, { 'a.mjs': 'export const workers = 2;', 'b.mjs': 'export default [1];', 'c.json': 'null', 'd.mjs': 'export default () => 5;', 'e.cjs': 'module.exports = "x";', 'f.json': ' \n' });
  t.regex(await messageOf(join(directory, 'a.mjs')), /a\.mjs has no default export\n {2}Export an object/);
  t.regex(await messageOf(join(directory, 'b.mjs')), /b\.mjs exports a list/);
  t.regex(await messageOf(join(directory, 'c.json')), /c\.json exports null/);
  t.regex(await messageOf(join(directory, 'f.json')), /f\.json:2:1: .*\n.*It is empty: \{\} is the least/);
  t.regex(await messageOf(join(directory, 'd.mjs')), /d\.mjs exports a number/);
  t.regex(await messageOf(join(directory, 'e.cjs')), /e\.cjs exports a string/);
});

test('what is found where drover is started: also what only others read, to be refused', async (t) => {
  const directory = tree(t, { 'drover.config.yaml': 'workers: 3' });
  t.is(findConfigFile(directory), join(directory, 'drover.config.yaml'));
  const error = await t.throwsAsync(readConfigFile(findConfigFile(directory)!, { found: true }), { instanceOf: DroverError });
  t.regex(error.format(), /not a kind of file drover reads \(found by its name, where drover is started\)\n.*Write it as one of \.ts .*, or rename it/);
  t.is(findConfigFile(directory, true), null);
  writeFileSync(join(directory, 'drover.config.json'), '{}');
  t.is(findConfigFile(directory), join(directory, 'drover.config.json'));
  t.is(findConfigFile(tree(t, {})), null);
});

test('files that cannot be read', async (t) => {
  const directory = tree(t, { 'a.yaml': '' });
  t.is((await messageOf(join(directory, 'nope.js'), 'flag -c')).split('\n')[0], `config file ${directory}/nope.js: no such file (flag -c)`);
  t.regex(await messageOf(directory), /: is a directory/);
  t.regex(await messageOf(join(directory, 'a.yaml')), /not a kind of file drover reads\n.*\.ts \.mts \.js \.mjs \.cjs \.json/);
  t.regex(await messageOf(join(directory, 'a.yaml', 'b.js')), /cannot be read \(ENOTDIR\)/);
});

for (const extension of CONFIG_EXTENSIONS) {
  test(`a ${extension} file is read anew each time`, async (t) => {
    const name = `a${extension}`;
    const text = (workers: number): string =>
      extension === '.json' ? `{"workers": ${workers}}` : extension === '.js' || extension === '.cjs' ? `module.exports = { workers: ${workers} };` : `export default { workers: ${workers} };`;
    const directory = tree(t, { [name]: text(1) });
    for (const workers of [1, 2, 3]) {
      write(directory, { [name]: text(workers) });
      t.is((await readConfigFile(join(directory, name))).workers, workers);
    }
  });
}

test('CommonJS that a file requires is read anew, but not packages', async (t) => {
  const directory = tree(t, {
    'a.cjs': 'module.exports = { workers: require("./b.cjs").workers, name: require("pkg") };',
    'b.cjs': 'exports.workers = require("./c.json").workers;',
    'c.json': '{"workers": 1}',
    'node_modules/pkg/index.js': 'module.exports = "first";',
  });
  t.like(await readConfigFile(join(directory, 'a.cjs')), { workers: 1, name: 'first' });
  write(directory, { 'c.json': '{"workers": 2}', 'node_modules/pkg/index.js': 'module.exports = "second";' });
  t.like(await readConfigFile(join(directory, 'a.cjs')), { workers: 2, name: 'first' });
});

test('what a file required before it threw is read anew', async (t) => {
  const directory = tree(t, { 'a.js': 'if (require("./b.js") === 1) throw new Error("boom"); exports.workers = require("./b.js");', 'b.js': 'module.exports = 1;' });
  await messageOf(join(directory, 'a.js'));
  write(directory, { 'b.js': 'module.exports = 2;' });
  t.is((await readConfigFile(join(directory, 'a.js'))).workers, 2);
});

test('a .js file is what its package says, else what it is', async (t) => {
  const directory = tree(t, {
    'module/package.json': '{"type": "module"}',
    'module/deep/a.js': ESM,
    'commonjs/package.json': '{"type": "commonjs"}',
    'commonjs/a.js': 'exports.workers = 2;',
    'commonjs/b.js': ESM,
    'commonjs/c.js': "import { x } from './x.js';",
    'commonjs/d.cjs': ESM,
    'commonjs/a.ts': "import type { X } from './x.js';\nexport default { workers: 2 } as X;",
    'commonjs/b.ts': 'module.exports = { workers: 2 as number };',
    'neither/package.json': '{}',
    'neither/a.js': '#!/usr/bin/env node\nexports.workers = 2;',
    'neither/b.js': ESM,
  });
  for (const path of ['module/deep/a.js', 'commonjs/a.js', 'commonjs/a.ts', 'commonjs/b.ts', 'neither/a.js', 'neither/b.js']) t.is((await readConfigFile(join(directory, path))).workers, 2, path);
  t.regex(await messageOf(join(directory, 'commonjs/b.js')), /b\.js:1:1: SyntaxError: Unexpected token 'export'\n.*rename it to b\.mjs, or set "type": "module" in package\.json\./);
  t.regex(await messageOf(join(directory, 'commonjs/c.js')), /c\.js:1:1: SyntaxError: Cannot use import .*\n.*rename it to c\.mjs, or set/);
  t.regex(await messageOf(join(directory, 'commonjs/d.cjs')), /rename it to d\.mjs\.$/);
});

for (const extension of CONFIG_EXTENSIONS) {
  test(`a link that has come to name another folder is followed anew: ${extension}`, async (t) => {
    const text = (workers: number): string =>
      extension === '.json' ? `{ "workers": ${workers} }` : extension === '.cjs' ? `exports.workers = ${workers};` : `export default { workers: ${workers} };`;
    const directory = tree(t, { [`old/a${extension}`]: text(1), [`new/a${extension}`]: text(2), [`wrong/a${extension}`]: '\n)' });
    const current = join(directory, 'current');
    const path = join(current, `a${extension}`);
    for (const [release, workers] of [['old', 1], ['new', 2]] as const) {
      rmSync(current, { force: true });
      symlinkSync(release, current);
      t.is((await readConfigFile(path))['workers'], workers);
    }
    rmSync(current);
    symlinkSync('wrong', current);
    t.true((await messageOf(path)).startsWith(`config file ${path}:2:`));
  });
}

test('a broken file can be corrected: the error is not remembered', async (t) => {
  const directory = tree(t, { 'a.mjs': 'export default {,', 'a.cjs': 'throw 1' });
  for (const name of ['a.mjs', 'a.cjs']) {
    await messageOf(join(directory, name));
    write(directory, { [name]: name === 'a.mjs' ? ESM : 'exports.workers = 2' });
    t.is((await readConfigFile(join(directory, name))).workers, 2);
  }
});
