/**
 * What the process of a worker begins with: compiles the worker's bundle with V8's code cache of it, and runs it. Built to dist/worker/start.cjs, beside
 * the bundle, by .ci/bundle.mjs.
 *
 * With the cache a worker is ready some five milliseconds sooner. Whatever is wrong with it or with its place (code-cache.ts), the bundle is compiled as any other file.
 * The first worker that finds none makes it once the app is ready: by then all that a start needs has been compiled, and nobody waits for it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { CodeCache } from './code-cache.js';

/** The bundle: runs src/worker/main.ts and hands back what that exports. */
type Bundle = (require: NodeJS.Require, rest: () => unknown, importModule: (specifier: string) => Promise<unknown>, directory: string) => typeof import('./main.js');

const BUNDLE = join(__dirname, 'worker.cjs');
/** What only some workers need, as an expression: functions by name. */
const REST = join(__dirname, 'rest.cjs');

// An app that looks through require.cache finds its own modules, as under plain node.
Object.defineProperty(require.cache, __filename, { enumerable: false });

// It is ASCII.
const source = readFileSync(BUNDLE, 'latin1');
const cache = attempt(() => new CodeCache(BUNDLE, source));
const cachedData = attempt(() => cache?.read());
const script = new Script(source, { filename: BUNDLE, ...(cachedData && { cachedData }) });
const isMissing = cachedData === undefined || script.cachedDataRejected === true;
const write = isMissing ? attempt(() => cache?.writer()) : undefined;
// import() is this file's: that of a script of node:vm warns of being experimental.
const { booted } = (script.runInThisContext() as Bundle)(require, rest, (specifier) => import(specifier), __dirname);
if (write !== undefined) void booted.then(() => setImmediate(() => attempt(() => write(script.createCachedData()))));

let restOfBundle: unknown;
function rest(): unknown {
  return (restOfBundle ??= new Script(readFileSync(REST, 'latin1'), { filename: REST }).runInThisContext());
}

/** There need not be a cache, and nobody has to know why there is none. */
function attempt<Result>(act: () => Result): Result | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
