/** Ids of requests: a trusted peer's is kept if it is fit to be logged, else one is made. In the worker. */
import type { IncomingMessage } from 'node:http';

/** What may go into logs and headers as it is. */
const FIT = /^[\w\-.:/+=@]{1,128}$/;

export function isFitId(text: string): boolean {
  return FIT.test(text);
}

/** node:crypto is loaded when the first id is made. It makes them in batches: 0.1 µs each. */
let uuid: (() => string) | undefined;

export function makeId(): string {
  uuid ??= process.getBuiltinModule('node:crypto').randomUUID;
  return uuid();
}

/** `header` in lower case. */
export function idOf(request: IncomingMessage, trusted: boolean, header: string): string {
  if (trusted) {
    const given = request.headers[header];
    if (typeof given === 'string' && isFitId(given)) return given;
  }
  return makeId();
}
