/**
 * What went wrong while an app was loaded, in a line or two for people: what was thrown, and at which file and line. In the worker.
 */
import { isIP } from 'node:net';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { DroverError, type ErrorCode } from '../errors.js';
import { formatAddress } from '../config/address.js';
import type { ChosenPlace } from '../config/worker-config.js';
import type { ListenRefusal } from '../ipc/messages.js';
import { ListenThrew } from './adapt.js';
import { missingModule } from './missing-module.js';
import { otherModuleKind } from './module-kind.js';
import { beyondTypes } from './typescript-beyond-types.js';
import { unstripped } from './typescript-unstripped.js';
import { withoutClusterWorker } from './app-cluster.js';
import { appStack, placeInApp, plainPath, stackText } from './app-stack.js';
import { inUse } from './unseen.js';

export interface BootError {
  code: ErrorCode;
  message: string;
  remedy?: string;
  stack?: string;
}

export interface Refused {
  app: string;
  /** Why the last listen() failed, if it did. */
  refused: ListenRefusal | undefined;
  /** Where drover has made the app listen, if it has chosen that. */
  place: ChosenPlace | undefined;
}

export interface BootErrorContext extends Refused {
  /** The app's main file, once it is known. */
  file: string | undefined;
}

/** Programs made for PM2 tell it that they are ready. */
const SENDS = /^process\.send is not a function/;
const NO_CHANNEL = 'As under plain node there is nobody to send to: a worker is ready when it listens. Write process.send?.(…).';

/** Of an object with a listen() of another kind than (port, host), as that of socket.io is. */
const LISTEN_ITSELF = 'Call its listen() in the app itself, or export the http server.';

export function toBootError(caught: unknown, context: BootErrorContext): BootError {
  const { app, file, refused } = context;
  const [thrown, threw] = caught instanceof ListenThrew ? [caught.thrown, 'exports an object whose listen(port, host) threw'] : [caught, 'threw while loading'];
  if (thrown instanceof DroverError) {
    return { code: thrown.code, message: thrown.message, ...(thrown.remedy === undefined ? {} : { remedy: thrown.remedy }) };
  }
  if (!(thrown instanceof Error)) {
    return { code: 'ERR_DROVER_APP_THREW', message: `app ${app} ${threw}, and no Error: ${inspect(thrown).split('\n', 1)[0]!.slice(0, 200)}`, ...(caught === thrown ? {} : { remedy: LISTEN_ITSELF }) };
  }
  const stack = appStack(thrown);
  const { code, syscall, errno } = thrown as NodeJS.ErrnoException;
  // Of a name that does not resolve, which may also be another than listen() was given: that of a database.
  const byListen = ['listen', 'bind', 'getaddrinfo'].includes(syscall ?? '') && errno === refused?.errno ? listenRefused(context) : undefined;
  if (byListen !== undefined) return toBootError(byListen, context);
  if (syscall === 'listen' || syscall === 'bind') {
    const used = code === 'EADDRINUSE' ? inUse(thrown as NodeJS.ErrnoException) : undefined;
    return {
      code: 'ERR_DROVER_LISTEN',
      message: `app ${app} cannot listen: ${thrown.message}${used?.holder === undefined ? '' : `, held by ${used.holder}`}`,
      ...(used === undefined ? {} : { remedy: used.remedy }),
      stack,
    };
  }
  const syntaxError = unplacedSyntaxError(thrown, file);
  const text = syntaxError ?? stackText(thrown);
  const where = placeInApp(text);
  const isMissing = isMissingModule(thrown);
  const remedy = remedyOf(thrown, where, text) ?? (caught === thrown ? undefined : LISTEN_ITSELF);
  return {
    code: 'ERR_DROVER_APP_THREW',
    message: `app ${app} ${threw}: ${headline(thrown)}${where === undefined ? '' : ` (${where})`}`,
    ...(remedy === undefined ? {} : { remedy }),
    // Of a missing import it has nothing but Node's own frames.
    ...(syntaxError === undefined && placeInApp(stack) === undefined && isMissing ? {} : { stack: syntaxError ?? stack }),
  };
}

/** A listen() that the master has refused, or whose name does not resolve, if there is one, however the app took it. An address that drover has chosen is named with what it is from: the app has not asked for it. */
export function listenRefused({ app, refused, place }: Omit<Refused, 'refused'> & { refused: Omit<ListenRefusal, 'errno'> | undefined }): DroverError | undefined {
  if (refused === undefined) return undefined;
  const [head, address] = /^cannot listen at (\S+)(?=: )/.exec(refused.message) ?? [];
  // Another server of the app may have been refused since.
  const isChosen = place !== undefined && (isIP(place.host) === 0 ? address?.endsWith(`:${place.port}`) === true : address === formatAddress({ kind: 'tcp', ...place }));
  const message = isChosen ? `${head} (${place.source})${refused.message.slice(head!.length)}` : `app ${app} ${refused.message}`;
  return new DroverError('ERR_DROVER_LISTEN', message, refused.remedy);
}

/** What was thrown, and where, in one line; and what to do, where that is known. */
export function describeThrown(thrown: unknown, file: string): { what: string; remedy?: string } {
  if (!(thrown instanceof Error)) return { what: inspect(thrown).split('\n', 1)[0]!.slice(0, 200) };
  const text = unplacedSyntaxError(thrown, file) ?? stackText(thrown);
  const where = placeInApp(text);
  const remedy = remedyOf(thrown, where, text);
  return { what: `${headline(thrown)}${where === undefined ? '' : ` (${where})`}`, ...(remedy === undefined ? {} : { remedy }) };
}

/** `where`: `file:line`; `text`: what begins with the place, where there is one. */
function remedyOf(thrown: Error, where: string | undefined, text: string): string | undefined {
  const missing = isMissingModule(thrown) ? missingModule(thrown) : undefined;
  return missing ?? otherModuleKind(thrown, where) ?? unstripped(thrown) ?? beyondTypes(thrown, text) ?? (SENDS.test(thrown.message) ? NO_CHANNEL : withoutClusterWorker(thrown, where));
}

function isMissingModule(thrown: Error): boolean {
  const { code } = thrown as NodeJS.ErrnoException;
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
}

/** `TypeError: x is not a function`, one line. */
function headline(error: Error): string {
  const line = error.message.split('\n', 1)[0]!.slice(0, 500);
  return line === '' ? error.name : `${error.name}: ${line}`;
}

/** Of a syntax error whose stack does not say where it is, as in an ESM module: what `findSyntaxError` says. */
function unplacedSyntaxError(error: Error, file: string | undefined): string | undefined {
  return error instanceof SyntaxError && file !== undefined && placeInApp(stackText(error)) === undefined ? findSyntaxError(file) : undefined;
}

/**
 * V8 knows where a module has its syntax error, but node keeps it to itself until the process dies of it. So the module and the files it
 * imports are parsed, not run, by another node, which dies of it. Only after a failed boot. Answers `file:line`, the line itself and the message, as node begins the stack of
 * a syntax error in CommonJS.
 */
function findSyntaxError(file: string): string | undefined {
  // Loaded here only: it costs every worker's boot a few milliseconds.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { stderr } = spawnSync(process.execPath, ['--no-warnings', '--experimental-vm-modules', '--input-type=module', '-e', PARSE_ALL, pathToFileURL(file).href], {
    encoding: 'utf8',
    timeout: 15_000,
    env: { PATH: process.env['PATH'] },
  });
  const match = /^(file:\/\/\/.*)(:\d+\n[^]*?^SyntaxError: .*)$/m.exec(stderr ?? '');
  return match === null ? undefined : `${plainPath(match[1]!)}${match[2]}`;
}

const PARSE_ALL = `
import { readFileSync } from 'node:fs';
import * as modules from 'node:module';
import { SourceTextModule } from 'node:vm';
const seen = new Set();
function parse(url) {
  if (seen.has(url) || !/\\.m?[jt]s$/.test(url)) return;
  seen.add(url);
  let source;
  try {
    source = readFileSync(new URL(url), 'utf8');
    if (url.endsWith('ts')) source = modules.stripTypeScriptTypes(source);
  } catch { return; }
  const module = new SourceTextModule(source, { identifier: url });
  const specifiers = module.moduleRequests?.map((request) => request.specifier) ?? module.dependencySpecifiers;
  for (const specifier of specifiers) if (/^(\\.|\\/|file:)/.test(specifier)) parse(new URL(specifier, url).href);
}
parse(process.argv[1]);
`;
