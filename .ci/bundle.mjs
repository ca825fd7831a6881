/**
 * Bundles what is started often: what dist/src/worker/main.js imports becomes dist/worker/, and what dist/src/cli/main.js imports dist/cli/; either begins with
 * main.cjs. Run by ready.mjs, after tsc.
 *
 * A worker's start is part of every app's start. Some thirty small ES modules, and node's loader of them, cost two fifths of what `node` itself needs until
 * an app listens; CommonJS in two files costs a tenth. The hundred modules of the command and its master took longer than all else until the first worker is
 * started. What is imported by import() stays a file of its own that is loaded when it is needed, and
 * shares the rest with the others. Names, lines and comments are tsc's, so that stacks can be read; import.meta is that of the module in dist/src.
 */
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'dist', 'src');

const worker = await bundle('worker', {
  // With what it needs with default options (src/http/open-edge.ts): another file costs half a millisecond.
  worker: ['worker/start', 'http/screen', 'http/server-limits', 'http/stalled-clients', 'http/files/pipe'],
});
// What a master knows its workers' code by (src/master/worker-code.ts).
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const hash = createHash('sha256');
for (const { fileName, code } of worker) hash.update(`${fileName}\n${code}`);
writeFileSync(join(root, 'dist', 'worker', 'build'), `${version} ${hash.digest('hex')}`);

await bundle('cli', {
  // What tells that the rest cannot be loaded.
  errors: ['cli/main'],
  // All that a master ever needs: it may run for a year, and an install replace these files.
  drover: ['cli/command', 'master/main', 'config/certificates'],
});
chmodSync(join(root, 'dist', 'cli', 'main.cjs'), 0o755);

/**
 * `files`: by name, the modules that a file has with all that they import, but for what a file before it has. The entry itself is in none: others require them, and it shall run
 * once, whoever has emptied require.cache meanwhile.
 */
async function bundle(name, files) {
  const target = join(root, 'dist', name);
  const main = join(source, name, 'main.js');
  const rolled = await rollup({
    input: main,
    external: (id) => !/^[./]/.test(id),
    treeshake: false,
    onwarn(warning) {
      throw new Error(warning.message);
    },
    plugins: [
      {
        name: 'drover',
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
        // The master compiles these files for the workers, and what is compiled so has no import() (src/ipc/compiled-code.ts): a module that Node loads has it for them.
        renderDynamicImport: ({ targetModuleId }) => (name === 'worker' && !targetModuleId?.startsWith(source) ? { left: "require('./import.cjs')(", right: ')' } : null),
        renderChunk: ascii,
      },
    ],
  });
  rmSync(target, { recursive: true, force: true });
  // An app, or a config file, that looks through require.cache finds its own modules, as under plain node. Where a loader hook hands over the source there is none.
  const intro = 'if (require.cache?.[__filename]) Object.defineProperty(require.cache, __filename, { enumerable: false });';
  const { output } = await rolled.write({
    dir: target,
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    manualChunks: (id, { getModuleInfo }) => {
      if (id === main) return undefined;
      return Object.keys(files).find((file) => reachable(files[file].map((module) => join(source, `${module}.js`)), getModuleInfo).has(id));
    },
    intro,
    // As node's own import does it.
    interop: (id) => (id?.startsWith('node:') ? 'default' : 'auto'),
  });
  await rolled.close();
  if (name === 'worker') writeFileSync(join(target, 'import.cjs'), `'use strict';\n\n${intro}\n\nmodule.exports = (specifier) => import(specifier);\n`);
  return output;
}

/** Those modules, those that they import, and so on, without import(). */
function reachable(modules, getModuleInfo) {
  const found = new Set(modules);
  for (const id of found) for (const imported of getModuleInfo(id).importedIds) if (!getModuleInfo(imported)?.isExternal) found.add(imported);
  return found;
}

/** V8 keeps a byte per character then, not two. Escapes are the same in strings, templates and regular expressions; in comments they can be guessed. */
function ascii(code) {
  return { code: code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`), map: null };
}
