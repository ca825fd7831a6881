/**
 * Public API: what a user's config file or program may import from 'drover'. Loads nothing of the server: a config file is read
 * in the workers too.
 *
 * Rank 6.
 */
// For who imports it: TypeScript 6 and newer take up @types/node only where something asks for it.
/// <reference types="node" preserve="true" />
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SendFileOptions, SendFileResult } from './config/send-file.js';
import type { Hooks } from './config/hooks.js';
import type { OptionInput } from './config/option-input.js';
import type { RequestInfo } from './config/request-info.js';

export { EXIT_CODES } from './errors.js';
export type { HookName, Hooks, ServerInfo, WorkerDeath, WorkerInfo } from './config/hooks.js';
export type { AcceptStrategyName, Config } from './config/options.js';
export type { ListenAddress } from './config/address.js';
export type { RequestInfo } from './config/request-info.js';
export type { SendFileOptions, SendFileResult } from './config/send-file.js';
export type { WorkerClass, WorkerContext } from './config/worker-class.js';

declare module 'node:http' {
  interface IncomingMessage {
    /** What drover knows of the request (docs/http-edge.md). Not there without drover. */
    readonly drover: RequestInfo;
    /** Path that the app is mounted at, where it is (--script-name). */
    baseUrl?: string;
    /** The request target with that path. */
    originalUrl?: string;
  }
}

declare module 'node:http2' {
  interface Http2ServerRequest {
    readonly drover: RequestInfo;
    baseUrl?: string;
    originalUrl?: string;
  }
}

/** What a config file may export: options and hooks. docs/options.md explains each. */
export interface DroverConfig extends OptionInput, Hooks {}

/** What a config file may export by default: the configuration, a promise of it, or a function that returns either. */
export type DroverConfigExport = DroverConfig | Promise<DroverConfig> | (() => DroverConfig | Promise<DroverConfig>);

/** Returns its argument: it is there for its types. */
export function defineConfig(config: DroverConfigExport): DroverConfigExport {
  return config;
}

/**
 * Answer a GET or HEAD request with a file: with sendfile(2) where the connection allows it (plain HTTP/1, and not --no-sendfile), else by reading and writing. Sets
 * Content-Type, Content-Length, ETag, Last-Modified and Accept-Ranges where the response has none, honours conditional and Range requests, and ends the response. Any other method
 * is answered with 405.
 *
 * `path` is opened as it is: an app that makes it from a request says `root`, which it then cannot leave.
 *
 * Fulfilled when the response is out, or the client gone. Rejects, with the response untouched, when the file cannot be opened: an error of node's shape with
 * `code` ENOENT, EACCES, EISDIR; with `root` also EXDEV or ELOOP for a way out of it; and a `statusCode`, which Express, Fastify and Koa answer with: 404 where there is no such file, 403 where it
 * may not be sent, 400 for a NUL in the path, 503 for EMFILE and ENFILE, out of descriptors, which say nothing of the file.
 */
export async function sendFile(request: IncomingMessage, response: ServerResponse, path: string, options?: SendFileOptions): Promise<SendFileResult> {
  try {
    implementation ??= (await import('./http/files/send-file.js')).sendFile;
    return await implementation(request, response, path, options);
  } catch (error) {
    const statusCode = STATUS_CODES.get((error as NodeJS.ErrnoException | undefined)?.code ?? '');
    throw statusCode === undefined ? error : Object.assign(error as Error, { statusCode });
  }
}

/** As X-Sendfile answers. */
const STATUS_CODES: ReadonlyMap<string, number> = new Map([
  ...['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].map((code) => [code, 404] as const),
  ...['EACCES', 'EISDIR', 'ELOOP', 'ENXIO', 'EXDEV'].map((code) => [code, 403] as const),
  // A path with a NUL in it: it has come with the request.
  ...['EINVAL', 'ERR_INVALID_ARG_VALUE'].map((code) => [code, 400] as const),
  ...['EMFILE', 'ENFILE'].map((code) => [code, 503] as const),
]);

let implementation: typeof sendFile | undefined;
