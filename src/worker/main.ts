/**
 * Entry of the child: finds the rest of the worker's code, and starts it (start.ts). Started by the master.
 *
 * The rest is one file of the bundle (.ci/bundle.mjs), which the master has compiled already, as a rule: where it says so there is a descriptor (ipc/compiled-code.ts). Node is
 * given the module then as if it had loaded it.
 *
 * Where it cannot be started, the app is not to blame, nor are Node's options, as a rule: the master is told so (no-start.ts).
 */
import { closeSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { COMPILED_FD, readCompiled } from '../ipc/compiled-code.js';
import { tellNoStart } from './no-start.js';

const CHANNEL_FD = 3;

void main();

async function main(): Promise<void> {
  try {
    if (process.argv[2] === String(COMPILED_FD)) takeCompiled(join(import.meta.dirname, '../../worker/worker.cjs'));
    const { start } = await import('./start.js');
    start(CHANNEL_FD);
  } catch (thrown) {
    const exitCode = tellNoStart(CHANNEL_FD, thrown);
    if (exitCode !== undefined) process.exit(exitCode);
    process.nextTick(() => raise(thrown));
  }
}

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
