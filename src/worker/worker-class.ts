/**
 * --worker-class PATH: a class of the user's that takes part in the life of a worker. In the worker.
 *
 * Finds it, makes the one instance, and calls what it has; types and the moments of the calls are public (index.ts, docs/worker-class.md).
 * It accompanies: accepting, draining and limits stay drover's. What it throws after the boot is an exception like any of the app's.
 */
import { subscribe } from 'node:diagnostics_channel';
import { accessSync, constants, statSync } from 'node:fs';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import { pathToFileURL } from 'node:url';
import type { WorkerConfig } from '../config/worker-config.js';
import type { WorkerClass, WorkerContext } from '../config/worker-class.js';
import { DroverError } from '../errors.js';
import { whyUnreadable } from './app-access.js';
import { describeThrown } from './boot-error.js';

const METHODS = ['boot', 'onServer', 'onRequest', 'onReady', 'onDrain'] as const satisfies readonly (keyof WorkerClass)[];
type Missing = Exclude<keyof WorkerClass, (typeof METHODS)[number]>;
const everyMethodIsListed: [Missing] extends [never] ? true : Missing = true;
void everyMethodIsListed;

/** For the classes that are drover's own. */
const NONE: WorkerClass = {};

/** A class of drover's own, which is no file. */
export function isOwnClass(workerClass: string): boolean {
  return workerClass === 'http' || workerClass === 'sync';
}

/** The instance, booted. Throws ERR_DROVER_WORKER_CLASS. */
export async function loadWorkerClass({ slot, generation, config }: { slot: number; generation: number; config: WorkerConfig }): Promise<WorkerClass> {
  const { workerClass: file } = config;
  if (isOwnClass(file)) return NONE;
  checkFile(file);
  const verb = async <T>(what: string, act: () => T | Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (thrown) {
      const { what: error, remedy } = describeThrown(thrown, file);
      throw new DroverError('ERR_DROVER_WORKER_CLASS', `--worker-class ${file} ${what}: ${error}`, remedy);
    }
  };
  const Class = defaultOf(await verb('threw while loading', () => import(pathToFileURL(file).href) as Promise<Record<string, unknown>>));
  if (typeof Class !== 'function' || Class.prototype === undefined) {
    throw new DroverError('ERR_DROVER_WORKER_CLASS', `--worker-class ${file} has no class as its default export`, 'Write `export default class { … }` (CommonJS: module.exports = class …); see docs/worker-class.md.');
  }
  const context: WorkerContext = { slot, generation, config: publicConfig(config) };
  const instance = await verb('threw in its constructor', () => Reflect.construct(Class, [context]) as WorkerClass);
  if (!METHODS.some((name) => name in instance)) {
    throw new DroverError('ERR_DROVER_WORKER_CLASS', `--worker-class ${file}: the class has none of the methods ${METHODS.join(', ')}`, 'See docs/worker-class.md.');
  }
  const odd = METHODS.find((name) => name in instance && typeof instance[name] !== 'function');
  if (odd !== undefined) throw new DroverError('ERR_DROVER_WORKER_CLASS', `--worker-class ${file}: ${odd} is not a function`, 'See docs/worker-class.md.');
  await verb('threw in boot()', () => instance.boot?.());
  if (instance.onRequest !== undefined) {
    subscribe('http.server.request.start', (message) => {
      const { request, response, server } = message as { request: IncomingMessage; response: ServerResponse; server: HttpServer };
      instance.onRequest!(request, response, server);
    });
  }
  return instance;
}

function checkFile(file: string): void {
  let isDirectory;
  try {
    accessSync(file, constants.R_OK);
    isDirectory = statSync(file).isDirectory();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code!)) {
      throw new DroverError('ERR_DROVER_WORKER_CLASS', `--worker-class ${file} does not exist`, 'Give the path of a module, relative to the working directory (--chdir), or http or sync.');
    }
    const { why, remedy } = whyUnreadable(error);
    throw new DroverError('ERR_DROVER_WORKER_CLASS', `--worker-class ${file} cannot be read: ${why}`, remedy);
  }
  // Node would import none, and say so in its own words.
  if (isDirectory) throw new DroverError('ERR_DROVER_WORKER_CLASS', `--worker-class ${file} is a directory`, 'Give the path of a module in it, with its extension.');
}

/** Of CommonJS that was compiled from ESM, the default is at default.default. */
function defaultOf(exports: Record<string, unknown>): unknown {
  const value = exports['default'];
  return typeof value === 'object' && value !== null && '__esModule' in value ? (value as unknown as Record<string, unknown>)['default'] : value;
}

function publicConfig({ app, appArgs, cwd, name, workerConnections, workerConcurrency, timeoutMs, gracefulTimeoutMs }: WorkerConfig): WorkerContext['config'] {
  return Object.freeze({ app, appArgs: Object.freeze([...appArgs]), cwd, name, workerConnections, workerConcurrency, timeoutMs, gracefulTimeoutMs });
}
