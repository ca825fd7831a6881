/**
 * Bundles the worker: what dist/src/worker/main.js imports becomes dist/worker/worker.cjs, which dist/worker/start.cjs (src/worker/start.ts) runs, and
 * dist/worker/rest.cjs, which only some workers need. Run by ready.mjs, after tsc.
 *
 * A worker's start is part of every app's start. Some thirty small ES modules, and node's loader of them, cost two fifths of what `node` itself needs until
 * an app listens; one file that is compiled as one script, and so has one code cache, costs a tenth at most. What is imported by import() is a chunk: a function
 * that is called when it is needed. Names, lines and comments are tsc's, so that stacks can be read; import.meta.url is that of the module in dist/src. All of
 * it is ASCII: V8 then keeps a byte per character.
 */
import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'dist', 'worker');
const ALWAYS = ['main.cjs', 'worker.cjs', 'edge.cjs'];
const MAIN = join(root, 'dist', 'src', 'worker', 'main.js');
/** The code caches of what was here before. */
const caches = join(root, 'dist', 'cache');
/** What src/http/open-edge.ts imports where nobody asks for anything. */
const DEFAULT_EDGE = ['screen', 'server-limits', 'stalled-clients', 'files/pipe'].map((name) => join(root, 'dist', 'src', 'http', `${name}.js`));

for (const folder of [target, caches]) rmSync(folder, { recursive: true, force: true });
const start = await bundleOf('start');
await start.write({ file: join(target, 'start.cjs'), format: 'cjs', interop });
await start.close();

const main = await bundleOf('main');
const { output } = await main.generate({
  format: 'cjs',
  exports: 'named',
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name].cjs',
  manualChunks: (id, { getModuleInfo }) => {
    if (id === MAIN) return undefined;
    if (reachable([MAIN], getModuleInfo).has(id)) return 'worker';
    // What it needs with default options. Left to itself, rollup makes a chunk of whatever two others share.
    return reachable(DEFAULT_EDGE, getModuleInfo).has(id) ? 'edge' : undefined;
  },
  interop,
});
await main.close();
const always = output.filter(({ fileName }) => ALWAYS.includes(fileName));
const bundle = ascii(withMain(always));
// Its last line tells one bundle from another: of the code cache V8 itself checks only that it is of a source of this length.
writeFileSync(join(target, 'worker.cjs'), `${bundle}// ${createHash('sha256').update(bundle).digest('hex').slice(0, 16)}\n`);
writeFileSync(join(target, 'rest.cjs'), ascii(`(${table(output.filter((chunk) => !always.includes(chunk)))})\n`));

function bundleOf(name) {
  return rollup({
    input: join(root, 'dist', 'src', 'worker', `${name}.js`),
    external: (id) => !/^[./]/.test(id),
    treeshake: false,
    onwarn(warning) {
      throw new Error(warning.message);
    },
    plugins: [
      {
        name: 'worker',
        resolveImportMeta(property, { moduleId }) {
          if (property !== 'url') return null;
          const path = JSON.stringify(relative(target, moduleId));
          return `require('node:url').pathToFileURL(require('node:path').join(__dirname, ${path})).href`;
        },
        // A script of node:vm has no import() of its own: src/worker/start.ts hands it one.
        renderDynamicImport: ({ targetModuleId }) => (!targetModuleId?.startsWith(root) && name === 'main' ? { left: 'importModule(', right: ')' } : null),
      },
    ],
  });
}

/** As node's own import does it. */
function interop(id) {
  return id?.startsWith('node:') ? 'default' : 'auto';
}

/** The names of chunks and their functions, as an expression. In parentheses is what V8 shall compile at once: all else it first only looks through. */
function table(chunks) {
  const functions = chunks.map(({ fileName, code }) => `'./${fileName}': (function (require, exports, importModule, __dirname) { ${code}}),\n`);
  return `{\n${functions.join('')}}`;
}

/** An expression: a function that runs main.cjs. Within, require() knows the chunks, each of which is run once. */
function withMain(chunks) {
  return `(function (requireBuiltin, rest, importModule, __dirname) {
const chunks = ${table(chunks)};
const modules = {};
function require(id) {
  if (!id.startsWith('./')) return requireBuiltin(id);
  if (!Object.hasOwn(modules, id)) (chunks[id] ?? rest()[id])(require, (modules[id] = {}), importModule, __dirname);
  return modules[id];
}
return require('./main.cjs');
})
`;
}

/** Escapes are the same in strings, templates and regular expressions, and nobody reads them in comments. */
function ascii(code) {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Those modules, those that they import, and so on, without import(). */
function reachable(modules, getModuleInfo) {
  const found = new Set(modules);
  for (const id of found) for (const imported of getModuleInfo(id).importedIds) if (!getModuleInfo(imported)?.isExternal) found.add(imported);
  return found;
}
