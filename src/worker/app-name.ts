/**
 * APP as the user writes it, read: `target`, `target:export.path` or `target:factory({"json":"args"})`. In the worker.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { DroverError } from '../errors.js';

export interface AppName {
  /** Path or package. */
  target: string;
  /** The export to serve, as a path of names; null: whatever drover finds. */
  exportPath: string[] | null;
  /** Arguments to call the export with; null: it is not called. */
  args: unknown[] | null;
}

const EXPORT = /^([\p{ID_Start}$_][\p{ID_Continue}$]*(?:\.[\p{ID_Start}$_][\p{ID_Continue}$]*)*)(?:\((.*)\))?$/su;

/** Whether it can stand behind the colon. */
export function isExportPath(text: string): boolean {
  return EXPORT.test(text);
}

/** Throws ERR_DROVER_VALUE. */
export function parseAppName(app: string, cwd: string): AppName {
  const whole: AppName = { target: app, exportPath: null, args: null };
  // A file may well have a colon in its name.
  if (!app.includes(':') || existsSync(resolve(cwd, app))) return whole;
  for (let at = app.indexOf(':'); at > 0; at = app.indexOf(':', at + 1)) {
    const match = EXPORT.exec(app.slice(at + 1));
    if (match !== null) {
      return { target: app.slice(0, at), exportPath: match[1]!.split('.'), args: match[2] === undefined ? null : parseArgs(match[2], app) };
    }
  }
  throw new DroverError(
    'ERR_DROVER_VALUE',
    `app ${app}: after the colon comes the name of an export, which ${JSON.stringify(app.slice(app.indexOf(':') + 1))} is not`,
    'Write it as ./app.js:name, ./app.js:some.name or ./app.js:create({"json":"arguments"}).',
  );
}

function parseArgs(text: string, app: string): unknown[] {
  try {
    return JSON.parse(`[${text}]`) as unknown[];
  } catch (error) {
    throw new DroverError(
      'ERR_DROVER_VALUE',
      `app ${app}: the arguments (${text}) are not JSON: ${(error as Error).message}`,
      'In a shell, quote the whole: \'./app.js:create({"x":1})\'.',
    );
  }
}
