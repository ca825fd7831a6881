/**
 * Runs a file as the program's main module, as `node FILE` does, and hands back what it exports. In the worker.
 *
 * Module.runMain is what node itself calls: require.main, import.meta.main, the choice between CJS and ESM and type stripping are so
 * node's own. For CJS it returns when the module has run; for ESM it returns at once and tells nobody when it is done, so the same
 * URL is imported again: the loader answers with the same module, and with the same error.
 */
import Module from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { hasPreloads } from './app-file.js';

/** What a main module exports. */
export type MainExports = { kind: 'cjs'; exports: unknown } | { kind: 'esm'; exports: Record<string, unknown> };

const runMain = (Module as unknown as { runMain(file: string): void }).runMain;

/** Rejects with what the module threw. */
export async function runAsMain(file: string): Promise<MainExports> {
  runMain(file);
  const main = process.mainModule;
  if (main !== undefined) return { kind: 'cjs', exports: main.exports };
  // With --import node awaits these modules once more before it begins with the file. An import of ours that came first would make it
  // an ordinary module; a second main module of ours comes after it.
  if (hasPreloads()) await begun();
  const exports = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  // A CJS file that node's ESM loader was made to run.
  return process.mainModule === undefined ? { kind: 'esm', exports } : { kind: 'cjs', exports: process.mainModule.exports };
}

const kBegun = Symbol.for('drover.main.begun');

function begun(): Promise<void> {
  return new Promise((resolve) => {
    (globalThis as Record<symbol, unknown>)[kBegun] = resolve;
    runMain(fileURLToPath(new URL('./main-begun.js', import.meta.url)));
  });
}
