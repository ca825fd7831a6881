/**
 * From APP to something that listens: find the file, run it, and, if it does not listen by itself, serve what it exports. In the worker.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { WorkerConfig } from '../config/worker-config.js';
import { DroverError } from '../errors.js';
import { toServable } from './adapt.js';
import { findAppFile } from './app-file.js';
import { parseAppName, type AppName } from './app-name.js';
import { chooseExport, describe, describeExports, isPm2Config, namedExport, servableExport } from './exports.js';
import { mayListen, ownStart } from './own-start.js';
import { runAsMain, type MainExports } from './run-main.js';
import { UNSEEN_REMEDY, unseenListeners } from './unseen.js';

/** An app that has been loaded. */
export interface App {
  /** The error for an app that listens neither by itself nor by what it exports. `lateMs`: it may yet, for something keeps it alive, but the time of --boot-timeout is over. */
  unusable(lateMs?: number): DroverError;
  /** Why it is waited for while nothing listens: `it exports nothing to serve …`. */
  waitsFor: string;
  /** The framework's own closing, if it has one and drover made it listen. */
  close?: (() => Promise<void>) | undefined;
}

export interface Surroundings {
  /** Whether a server of the app listens at drover's sockets. */
  listens(): boolean;
  /** True once one does; false when the event loop has run empty. `why`: what there is to serve meanwhile, told when it takes long. Rejects with `late` when --boot-timeout is nearly over. */
  untilListensOrIdle(why: string, late: () => DroverError): Promise<boolean>;
  /** The file that APP stands for is known, and about to run. */
  onFile(file: string): void;
  /** It has run. */
  onLoaded(): void;
  /** Why the last listen() failed, if it did. */
  refused(): DroverError | undefined;
  /** drover is about to make the app listen at `place`. */
  onPlaced(): void;
}

/** Its code has done so, and may yet elsewhere. */
const REFUSED = 'its code also calls listen()';
const LATE = 'If it listens later, look for what it waits for, or raise --boot-timeout. If it does not:';
const LISTENS_TO_NOTHING = "It is to open a server of Node's at the port and host that it is given, in the main thread. Else export that server, or a handler (req, res).";

/** Rejects with what the app threw, or with a DroverError. */
export async function loadApp({ app, appArgs, cwd, place, bindGiven }: WorkerConfig, { listens, untilListensOrIdle, onFile, onLoaded, refused, onPlaced }: Surroundings): Promise<App> {
  const name = parseAppName(app, cwd);
  const { file, argv1, command } = await findAppFile(name.target, cwd);
  onFile(file);
  process.argv.splice(1, Infinity, argv1, ...appArgs);
  const main = await runAsMain(file);
  onLoaded();
  // A server that was opened and closed only to find a free port does not count: it is gone after a turn.
  await turn();

  let chosen: { value: unknown; called: boolean } | undefined;
  let found = `it exports ${describeExports(main)}`;
  let madeToListen = false;
  const unusable = (lateMs?: number): DroverError => {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const unseen = unseenListeners();
    if (unseen !== undefined) return new DroverError('ERR_DROVER_APP_UNUSABLE', `app ${app} ${unseen}, and there is nothing else to serve: ${found}`, UNSEEN_REMEDY);
    if (madeToListen) return new DroverError('ERR_DROVER_APP_UNUSABLE', `app ${app} has a listen(port, host) that drover called, and that listens to nothing: ${found}`, LISTENS_TO_NOTHING);
    const remedy = command === undefined ? nothingToServe(main, name, chosen?.value) : `Did you mean ${command}, the "bin" of its package.json?`;
    // What exports something else, and says nothing of listening, is no script that takes its time.
    if (lateMs !== undefined && (describeExports(main) === 'nothing' || mayListen(file))) return new DroverError('ERR_DROVER_BOOT_TIMEOUT', `app ${app} has not called listen() within ${lateMs} ms (--boot-timeout), and there is nothing else to serve: ${found}`, `${LATE} ${remedy.charAt(0).toLowerCase()}${remedy.slice(1)}`);
    return new DroverError('ERR_DROVER_APP_UNUSABLE', `app ${app} never called listen(), and there is nothing to serve: ${found}`, remedy);
  };
  const byItself: App = {
    unusable,
    get waitsFor() {
      return `there is nothing to serve (${found}), and it has not called listen()`;
    },
  };
  if (listens()) {
    // What it exports is not served, but a name that is none is a mistake all the same.
    if (name.exportPath !== null) await namedExport(main, { ...name, args: null });
    return byItself;
  }

  if (name.exportPath !== null) {
    chosen = await namedExport(main, name);
  } else {
    const choice = chooseExport(main);
    const own = choice === undefined ? undefined : refused() === undefined ? ownStart(file, choice.value) : REFUSED;
    if (choice !== undefined && own !== undefined) {
      const why = `it exports something to serve, but ${own}`;
      const late = (): DroverError => refused() ?? new DroverError('ERR_DROVER_BOOT_TIMEOUT', `app ${app} has not called listen() in the time of --boot-timeout: ${why}`, `If what it exports is to be served, name it: ${name.target}:${choice.name}. Else look for what it waits for, or raise --boot-timeout.`);
      if (await untilListensOrIdle(why, late)) return byItself;
    }
    // It wanted to listen and could not: served elsewhere, nobody would find it.
    if (choice !== undefined && refused() !== undefined) throw unusable();
    if (choice !== undefined) chosen = { value: choice.value, called: false };
  }
  if (chosen === undefined) return byItself;

  const servable = await toServable(chosen.value, chosen.called);
  if ('instead' in servable) {
    found = `${name.exportPath?.join('.') ?? 'its export'} is ${describe(chosen.value)}${chosen.value === servable.instead ? '' : `, which came to ${describe(servable.instead)}`}`;
    // A function that listens and returns nothing is as good as a script.
    if (name.exportPath === null || chosen.called || typeof chosen.value === 'function' && chosen.value.length === 0) return byItself;
    throw unusable();
  }
  await turn();
  if (listens()) return byItself;
  // With --bind the master puts that in its place.
  madeToListen = true;
  onPlaced();
  await servable.listen({ ...place, bindGiven });
  return { unusable, waitsFor: 'drover has made it listen, and it does not', close: servable.close?.bind(servable) };
}

/** `tried`: the export that was to be served and cannot be. */
function nothingToServe(main: MainExports, { target, exportPath }: AppName, tried: unknown): string {
  if (isPm2Config(main)) return 'That is a file for PM2: give drover the `script` of the app; its `instances` are `--workers`.';
  const named = exportPath === null ? servableExport(main, tried) : undefined;
  const name = named === undefined ? '' : ` If one of its exports is what is to be served, name it: ${target}:${named}.`;
  return `Export a handler (req, res), a server, a framework's app or { fetch }, or a function of no parameters that makes one; or call listen().${name}`;
}
