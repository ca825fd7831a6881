/**
 * Takes header fields out of a request, or puts one in, so that every view of them agrees: rawHeaders, headers and headersDistinct. In the worker.
 *
 * node:http makes `headers` and `headersDistinct` from rawHeaders when they are first read, by a count taken at parsing. So what is made is changed with
 * rawHeaders, and of what is not the count. Where a Node keeps them in a way we do not know, both are made first.
 */
import { IncomingMessage, type IncomingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';
import { isNamed } from './header-scan.js';

type Kept = Record<symbol, object | number | null | undefined>;

interface KeptNames {
  headers: symbol;
  distinct: symbol;
  count: symbol;
}

let found: { names: KeptNames | undefined } | undefined;

/** The names under which node:http keeps them; undefined: it does not, or a message is not as expected. Looked for with the first request that needs it. */
function keptNames(): KeptNames | undefined {
  found ??= { names: findKept() };
  return found.names;
}

function findKept(): KeptNames | undefined {
  const message = new IncomingMessage(new Socket());
  const parts = message as unknown as Kept;
  const named = (name: string): symbol | undefined => Object.getOwnPropertySymbols(message).find(({ description }) => description === name);
  const [headers, count] = [named('kHeaders'), named('kHeadersCount')];
  if (headers === undefined || count === undefined || parts[headers] !== null || parts[count] !== 0) return undefined;
  const { headersDistinct } = message;
  const distinct = named('kHeadersDistinct');
  return distinct !== undefined && parts[distinct] === headersDistinct ? { headers, distinct, count } : undefined;
}

/** Removes every field whose name (as it came) is to go; the names removed, in lower case. */
export function removeFields(request: IncomingMessage, goes: (name: string) => boolean): string[] {
  const { rawHeaders } = request;
  const message = request as unknown as Kept;
  const kept = keptNames();
  // Of an HTTP/2 request these are not there.
  const counted = kept === undefined ? undefined : message[kept.count];
  const isKnown = counted === rawHeaders.length;
  const views = isKnown ? [] : viewsOf(request);
  const removed = new Set<string>();
  let to = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (goes(name)) {
      removed.add(name.toLowerCase());
      continue;
    }
    rawHeaders[to] = name;
    rawHeaders[to + 1] = rawHeaders[at + 1]!;
    to += 2;
  }
  rawHeaders.length = to;
  if (isKnown) {
    message[kept!.count] = to;
    for (const name of [kept!.headers, kept!.distinct]) {
      const view = message[name] as Record<string, unknown> | null | undefined;
      if (view) message[name] = without(view, removed);
    }
  }
  for (const view of views) for (const name of removed) delete (view as Record<string, unknown>)[name];
  return [...removed];
}

/**
 * A copy. Of an object that a field is deleted from V8 makes a dictionary, which takes twice as long, and longer whenever the app reads it. Who has kept the object from before the edge
 * (a subscriber of `http.server.request.start`) has the fields as they came.
 */
function without(view: Readonly<Record<string, unknown>>, names: ReadonlySet<string>): object {
  const rest = Object.create(Object.getPrototypeOf(view) as object | null) as Record<string, unknown>;
  for (const name of Object.keys(view)) if (!names.has(name)) rest[name] = view[name];
  return rest;
}

/** Sets a field to one value; whatever had the name before is gone. */
export function setField(request: IncomingMessage, name: string, value: string): void {
  const lower = name.toLowerCase();
  if (request.headers[lower] !== undefined) removeFields(request, (other) => isNamed(other, lower));
  const [headers, distinct] = viewsOf(request);
  request.rawHeaders.push(name, value);
  headers[lower] = value;
  if (distinct !== undefined) distinct[lower] = [value];
}

/** HTTP/2 requests have no headersDistinct. */
function viewsOf(request: IncomingMessage): [IncomingHttpHeaders] | [IncomingHttpHeaders, NodeJS.Dict<string[]>] {
  const distinct = request.headersDistinct as NodeJS.Dict<string[]> | undefined;
  return distinct === undefined ? [request.headers] : [request.headers, distinct];
}
