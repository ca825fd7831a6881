/**
 * Bundles the worker: what dist/src/worker/main.js imports becomes dist/worker/, which main.cjs begins. Run by ready.mjs, after tsc.
 *
 * A worker's start is part of every app's start. Some thirty small ES modules, and node's loader of them, cost two fifths of what `node` itself needs until
 * an app listens; CommonJS in two files costs a tenth. What is imported by import() stays a file of its own that is loaded when it is needed, and
 * shares the rest with the others. Names, lines and comments are tsc's, so that stacks can be read; import.meta is that of the module in dist/src.
 */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'dist', 'worker');
const main = join(root, 'dist', 'src', 'worker', 'main.js');
/** What src/http/open-edge.ts imports where nobody asks for anything. */
const DEFAULT_EDGE = ['screen', 'server-limits', 'stalled-clients', 'files/pipe'].map((name) => join(root, 'dist', 'src', 'http', `${name}.js`));

const bundle = await rollup({
  input: main,
  external: (id) => !/^[./]/.test(id),
  treeshake: false,
  onwarn(warning) {
    throw new Error(warning.message);
  },
  plugins: [
    {
      name: 'worker',
      resolveImportMeta(property, { moduleId }) {
        const path = (of) => `require('node:path').join(__dirname, ${JSON.stringify(relative(target, of))})`;
        switch (property) {
          case 'filename':
            return path(moduleId);
          case 'dirname':
            return path(dirname(moduleId));
          case 'url':
            return `require('node:url').pathToFileURL(${path(moduleId)}).href`;
          default:
            return null;
        }
      },
      renderChunk: ascii,
    },
  ],
});
rmSync(target, { recursive: true, force: true });
const { output } = await bundle.write({
  dir: target,
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name].cjs',
  manualChunks: (id, { getModuleInfo }) => {
    // All that the worker always needs. Not in main.cjs, where rollup would put it: files that come later require it, and main.cjs shall run once, whoever
    // has emptied require.cache meanwhile.
    if (id === main) return undefined;
    // With what it needs with default options: another file costs half a millisecond.
    return reachable([main, ...DEFAULT_EDGE], getModuleInfo).has(id) ? 'worker' : undefined;
  },
  // An app that looks through require.cache finds its own modules, as under plain node. Where a loader hook hands over the source there is none.
  intro: 'if (require.cache?.[__filename]) Object.defineProperty(require.cache, __filename, { enumerable: false });',
  // As node's own import does it.
  interop: (id) => (id?.startsWith('node:') ? 'default' : 'auto'),
});
await bundle.close();

// What a master knows its workers' code by (src/master/worker-code.ts).
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const hash = createHash('sha256');
for (const { fileName, code } of output) hash.update(`${fileName}\n${code}`);
writeFileSync(join(target, 'build'), `${version} ${hash.digest('hex')}`);

/** V8 keeps a byte per character then, not two. Escapes are the same in strings, templates and regular expressions; in comments they can be guessed. */
function ascii(code) {
  return { code: code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`), map: null };
}

/** Those modules, those that they import, and so on, without import(). */
function reachable(modules, getModuleInfo) {
  const found = new Set(modules);
  for (const id of found) for (const imported of getModuleInfo(id).importedIds) if (!getModuleInfo(imported)?.isExternal) found.add(imported);
  return found;
}
