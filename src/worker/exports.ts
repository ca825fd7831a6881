/**
 * Which of a module's exports is the app, and how to tell a person what was found. In the worker.
 */
import { inspect } from 'node:util';
import { DroverError } from '../errors.js';
import { kindOf } from './adapt.js';
import { isExportPath, type AppName } from './app-name.js';
import type { MainExports } from './run-main.js';

/** More are not listed. */
const MANY = 8;

/** Exports looked at when there is no default one, in this order. */
const NAMES = ['app', 'server', 'handler'];

/** The first export that can be served, with its name, as a box (a Fastify instance has a then(), which no await may see); undefined: none. */
export function chooseExport(main: MainExports): { name: string; value: unknown } | undefined {
  const { exports } = main;
  const candidates = [{ name: 'default', value: defaultOf(main) }];
  if (main.kind === 'cjs' || !('default' in main.exports)) candidates.push({ name: 'default', value: exports });
  if (isObject(exports)) for (const name of NAMES) candidates.push({ name, value: valueOf(exports, name) });
  return candidates.find(({ value }) => kindOf(value) !== undefined);
}

/** The name of one that could be served if it were named, among those that a message lists; not of the one that was tried. */
export function servableExport({ exports }: MainExports, tried: unknown): string | undefined {
  if (!isObject(exports) || isFramework(exports)) return undefined;
  return Object.keys(exports).slice(0, MANY).find((name) => isExportPath(name) && valueOf(exports, name) !== tried && kindOf(valueOf(exports, name)) !== undefined);
}

/** ecosystem.config.js. */
export function isPm2Config(main: MainExports): boolean {
  return [main.exports, defaultOf(main)].some((exports) => {
    const apps = isObject(exports) ? valueOf(exports, 'apps') : undefined;
    return Array.isArray(apps) && apps.some((app) => isObject(app) && typeof app['script'] === 'string');
  });
}

/** The export the user named, called if the user said so. Throws ERR_DROVER_APP_UNUSABLE, and whatever the app throws when called. */
export async function namedExport(main: MainExports, { target, exportPath, args }: AppName): Promise<{ value: unknown; called: boolean }> {
  const path = exportPath!;
  let owner: unknown;
  let value: unknown = isObject(main.exports) && path[0]! in main.exports ? main.exports : path[0] === 'default' ? { default: main.exports } : defaultOf(main);
  for (const [i, name] of path.entries()) {
    owner = value;
    value = isObject(value) ? value[name] : undefined;
    if (value === undefined) {
      const asked = path.slice(0, i + 1).join('.');
      const near = await nearestExport(name, i === 0 ? main.exports : owner);
      throw new DroverError(
        'ERR_DROVER_APP_UNUSABLE',
        `app ${target} has no export ${asked}; ${i === 0 ? 'it exports' : `in ${path.slice(0, i).join('.')} there is`} ${describeExports(i === 0 ? main : { kind: 'cjs', exports: owner })}`,
        near !== undefined ? `Did you mean ${target}:${[...path.slice(0, i), near].join('.')}?` : chooseExport(main) === undefined ? undefined : `${target} alone is an app as well: leave the name out.`,
      );
    }
  }
  if (args === null) return { value, called: false };
  if (typeof value !== 'function') {
    throw new DroverError('ERR_DROVER_APP_UNUSABLE', `app ${target}: the export ${path.join('.')} is ${describe(value)}, and cannot be called`);
  }
  return { value: (value as (...args: unknown[]) => unknown).apply(owner, args), called: true };
}

async function nearestExport(name: string, owner: unknown): Promise<string | undefined> {
  if (!isObject(owner) || isFramework(owner)) return undefined;
  // Loaded here only: every worker's boot would pay for it.
  const { nearest } = await import('../config/nearest.js');
  return nearest(name, Object.keys(owner));
}

/** For a message: names and types. */
export function describeExports(main: MainExports): string {
  const { exports } = main;
  if (!isObject(exports) || (typeof exports !== 'function' && main.kind === 'cjs' && !isPlain(exports))) return describe(exports);
  if (isFramework(exports)) return describe(exports);
  const names = Object.keys(exports).filter((name) => name !== 'module.exports');
  const listed = names.slice(0, MANY).map((name) => `${name} (${describeExport(exports, name)})`);
  if (names.length > listed.length) listed.push(`${names.length - listed.length} more`);
  if (typeof exports === 'function') listed.unshift(describe(exports));
  return listed.length === 0 ? 'nothing' : listed.join(', ');
}

/** A getter that throws is nothing to serve: what a library has given up, or an import cycle has not come to yet. A message says what it throws. */
function valueOf(exports: Record<string, unknown>, name: string): unknown {
  try {
    return exports[name];
  } catch {
    return undefined;
  }
}

function describeExport(exports: Record<string, unknown>, name: string): string {
  try {
    return describe(exports[name]);
  } catch (thrown) {
    return `throws ${printed(thrown).split('\n', 1)[0]!.slice(0, 200)}`;
  }
}

/** What is thrown is the app's: a getter or a toString of its may throw in its turn. */
function printed(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown) : inspect(thrown);
  } catch {
    return 'a value that cannot be printed';
  }
}

/** An app of Express's kind: a function with all the methods that others have on a prototype. None of them is an export. */
function isFramework(value: unknown): boolean {
  return typeof value === 'function' && Object.keys(value).length > MANY;
}

/** For a message: what a value is. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') {
    if (/^class\b/.test(Function.prototype.toString.call(value))) return 'a class';
    return `a function of ${value.length} parameter${value.length === 1 ? '' : 's'}`;
  }
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const name = isPlain(value) ? undefined : (value.constructor as { name?: string } | undefined)?.name;
  return name === undefined || name === '' ? 'an object' : `an instance of ${name}`;
}

/** The default export. A CJS module compiled from ESM has it at exports.default; imported as ESM, at default.default. */
function defaultOf({ kind, exports }: MainExports): unknown {
  if (!isObject(exports)) return undefined;
  const value = valueOf(exports, 'default');
  if (kind === 'esm' && isObject(value) && value['__esModule'] === true && 'default' in value) return value['default'];
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
