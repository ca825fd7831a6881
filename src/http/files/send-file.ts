/**
 * sendFile() of the public API: a file as the answer to a request. In the worker, or any process with a node:http server. The path is the app's own
 * responsibility unless it says `root`.
 */
import { constants, openSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import { native, systemError } from '../../native.js';
import type { SendFileOptions, SendFileResult } from '../../config/send-file.js';
import { mediaTypeOf } from './media-type.js';
import { OpenFile } from './open-file.js';
import { respondWithFile } from './respond.js';
import { Root, stat } from './root.js';
import { isBehind, whenSocket } from './turn.js';

/** Directories that are kept open: an app may have one per customer. */
const ROOTS = 64;
const roots = new Map<string, Root>();

export function sendFile(request: IncomingMessage, response: ServerResponse, path: string, options: SendFileOptions = {}): Promise<SendFileResult> {
  const { statusCode } = response;
  return new Promise((fulfil, reject) => {
    const answer = (): void => {
      try {
        answerWith(request, response, path, { ...options, statusCode }, fulfil);
      } catch (error) {
        reject(error as Error);
      }
    };
    // A client may pipeline many requests: who waits for its turn holds no file open.
    if (isBehind(response)) whenSocket(response, answer, () => fulfil({ status: statusCode, complete: false }));
    else answer();
  });
}

function answerWith(request: IncomingMessage, response: ServerResponse, path: string, options: SendFileOptions & { statusCode: number }, done: (result: SendFileResult) => void): void {
  if (response.headersSent) throw new Error('sendFile: the response has begun already');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    response.writeHead(405, { 'Content-Length': 0 });
    response.end();
    return done({ status: 405, complete: true });
  }
  // What searchParams.get() answers when there is no such parameter.
  if (typeof path !== 'string') throw Object.assign(new TypeError(`sendFile: the path has to be a string, not ${path === null ? 'null' : typeof path}`), { code: 'ERR_INVALID_ARG_TYPE' });
  const file = options.root === undefined ? openTrusted(path) : openBelow(options.root, path);
  if (!file.isFile) {
    file.drop();
    throw systemError('open', file.isDirectory ? EISDIR : EACCES, { path });
  }
  try {
    const headers = options.cacheControl === undefined ? {} : { 'Cache-Control': options.cacheControl };
    respondWithFile(request, response, file, { contentType: options.contentType ?? mediaTypeOf(path), headers, status: options.statusCode }, (outcome) => {
      file.drop();
      done({ status: response.statusCode, complete: outcome === 'sent' });
    });
  } catch (error) {
    // A header that node refuses.
    file.drop();
    throw error;
  }
}

const EACCES = -13;
const EISDIR = -21;

function openTrusted(path: string): OpenFile {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  void native.statBeneath(fd, '', stat);
  return new OpenFile(fd, stat);
}

function openBelow(directory: string, path: string): OpenFile {
  const file = rootOf(resolve(directory)).open(path.replace(/^\/+/, ''));
  if (typeof file === 'number') throw systemError('open', file, { path });
  return file;
}

function rootOf(directory: string): Root {
  const known = roots.get(directory);
  if (known !== undefined) return known;
  const root = new Root(directory, false);
  roots.set(directory, root);
  if (roots.size > ROOTS) {
    const [first, opened] = roots.entries().next().value!;
    roots.delete(first);
    opened.close();
  }
  return root;
}
