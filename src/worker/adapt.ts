/**
 * What an app may be, and how each kind is made to listen. In the worker. docs/apps.md says the same to users.
 *
 * One small function per kind; `kindOf` is the only place that tells them apart. listen() is always the app's own or node:http's, and
 * so goes through accept/intercept.ts like that of any script.
 */
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { Server } from 'node:net';

export interface Place {
  port: number;
  host: string;
  /** Whether it is served at --bind instead. */
  bindGiven: boolean;
}

/** An app that can be served. */
export interface Servable {
  /** Fulfilled when it listens; rejects with what listen() said. */
  listen(place: Place): Promise<void>;
  /** The framework's own closing, for its plugins and hooks, when the last connection is gone. */
  close?(): Promise<void>;
}

interface FastifyLike {
  listen(options: Pick<Place, 'port' | 'host'>): Promise<unknown>;
  close(): Promise<unknown>;
}
interface KoaLike {
  callback(): RequestListener;
}
interface FetchLike {
  fetch(request: Request, env: unknown): Response | Promise<Response>;
}
interface Listenable {
  listen(port: number, host: string): unknown;
}

/** What the app's own listen(port, host) threw when drover called it. */
export class ListenThrew extends Error {
  constructor(readonly thrown: unknown) {
    super('listen() threw');
  }
}

export type Kind = 'server' | 'fastify' | 'koa' | 'fetch' | 'handler' | 'listenable' | 'promise' | 'factory';

/** What a value is to drover, or undefined when it is nothing that can be served. */
export function kindOf(value: unknown): Kind | undefined {
  if (value instanceof Server) return 'server';
  if (typeof value === 'function') {
    if (isClass(value)) return undefined;
    if (has(value, 'fetch')) return 'fetch';
    // (req, res), Express and Connect. One parameter is neither a handler nor a factory that could do without it.
    return value.length >= 2 ? 'handler' : value.length === 0 ? 'factory' : undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  // Before `promise`: a Fastify instance has a then().
  if (has(value, 'listen') && has(value, 'routing') && has(value, 'ready')) return 'fastify';
  if (has(value, 'callback') && Array.isArray((value as { middleware?: unknown }).middleware)) return 'koa';
  if (has(value, 'fetch')) return 'fetch';
  if (has(value, 'then')) return 'promise';
  // Nest, Restify, Polka and the like. Not a plain object: `module.exports = { listen }` is a library.
  if (has(value, 'listen') && !isPlain(value)) return 'listenable';
  return undefined;
}

/** What a value came to when it cannot be served. */
export interface Unservable {
  instead: unknown;
}

/** Make a value servable, through promises and a factory. Rejects with what the app's own code threw. `made`: a factory made it. */
export async function toServable(value: unknown, made = false): Promise<Servable | Unservable> {
  const kind = kindOf(value);
  if (kind === 'promise') {
    // In a box: a Fastify instance has a then(), and another await would take it apart.
    const settled = await (value as Promise<unknown>).then((result) => ({ result }));
    return toServable(settled.result, made);
  }
  // What a factory made is never taken for another: a function is then a handler, however many parameters it names.
  if (made && typeof value === 'function' && kind !== 'fetch' && !isClass(value)) return handler(value as RequestListener);
  if (kind === 'factory') return toServable((value as () => unknown)(), true);
  return kind === undefined ? { instead: value } : fromKind[kind](value);
}

const fromKind: Record<Exclude<Kind, 'promise' | 'factory'>, (value: unknown) => Servable | Promise<Servable>> = {
  server: (value) => server(value as Server),
  fastify: (value) => fastify(value as FastifyLike),
  koa: (value) => koa(value as KoaLike),
  fetch: (value) => fetchStyle(value as FetchLike),
  handler: (value) => handler(value as RequestListener),
  listenable: (value) => listenable(value as Listenable),
};

function server(server: Server): Servable {
  return {
    async listen({ port, host, bindGiven }) {
      // once() rejects on `error`.
      const listening = once(server, 'listening');
      // For a host Node loads its resolver: 4.5 ms on Node 24.
      server.listen(bindGiven ? { port } : { port, host });
      await listening;
    },
  };
}

async function handler(listener: RequestListener): Promise<Servable> {
  // Not import(), which would bring up node's loader of ES modules for it.
  const { createServer } = process.getBuiltinModule('node:http');
  return server(createServer(listener));
}

function koa(app: KoaLike): Promise<Servable> {
  return handler(app.callback());
}

function fastify(app: FastifyLike): Servable {
  return {
    async listen({ port, host }) {
      await app.listen({ port, host });
    },
    async close() {
      await app.close();
    },
  };
}

async function fetchStyle(app: FetchLike): Promise<Servable> {
  const { createAdaptorServer } = await import('@hono/node-server');
  return server(createAdaptorServer({ fetch: (request, env) => app.fetch(request, env) }));
}

function listenable(app: Listenable): Servable {
  return {
    async listen({ port, host }) {
      let listening: unknown;
      try {
        listening = app.listen(port, host);
      } catch (thrown) {
        throw new ListenThrew(thrown);
      }
      // What it rejects with is why the app cannot start, not that listen() is called in another way.
      await listening;
    },
  };
}

function has(value: object, method: string): boolean {
  return typeof (value as Record<string, unknown>)[method] === 'function';
}

function isClass(value: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
