/**
 * Entry of the child: finds the rest of the worker's code, and starts it (start.ts). Started by the master.
 *
 * The rest is one file of the bundle (.ci/bundle.mjs), which the master has compiled already, as a rule: where it says so there is a descriptor (ipc/compiled-code.ts). Node is
 * given the module then as if it had loaded it.
 */
import { closeSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { COMPILED_FD, readCompiled } from '../ipc/compiled-code.js';

if (process.argv[2] === String(COMPILED_FD)) takeCompiled(join(import.meta.dirname, '../../worker/worker.cjs'));
void import('./start.js').then(({ start }) => start()).catch((thrown: unknown) => process.nextTick(() => raise(thrown)));

function takeCompiled(file: string): void {
  const run = readCompiled(COMPILED_FD, file);
  // The app's children are not to have it, and nobody to see that there was one.
  closeSync(COMPILED_FD);
  process.argv.length = 2;
  if (run === undefined) return;
  const require = createRequire(file);
  const module = Object.assign(new Module(file), { filename: file });
  require.cache[file] = module;
  Reflect.apply(run, module.exports, [module.exports, require, module, file, dirname(file)]);
  module.loaded = true;
}

/** Outside of the promise: an uncaught exception, whatever --unhandled-rejections says. */
function raise(thrown: unknown): never {
  throw thrown;
}
