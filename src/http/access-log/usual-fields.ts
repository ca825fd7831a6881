/**
 * The header fields that usual formats ask for, read off as they came: Node makes `request.headers` of all fields when it is first read, which costs more
 * than a line of the log. In the worker; the hot path.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { is } from '../header-scan.js';

/** By length: no two are of the same. */
const NAMES: readonly (keyof UsualFields | undefined)[] = Object.assign(Array<undefined>(14).fill(undefined), { 4: 'host', 7: 'referer', 10: 'user-agent', 13: 'authorization' });

export type UsualFields = Pick<IncomingHttpHeaders, 'authorization' | 'host' | 'referer' | 'user-agent'>;

/** Of a field that comes twice the first, as Node has it. */
export function usualFieldsOf(rawHeaders: readonly string[]): UsualFields {
  const fields: UsualFields = { authorization: undefined, host: undefined, referer: undefined, 'user-agent': undefined };
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    const usual = NAMES[name.length];
    if (usual !== undefined && fields[usual] === undefined && (name.charCodeAt(0) | 0x20) === usual.charCodeAt(0) && is(name, usual)) fields[usual] = rawHeaders[at + 1]!;
  }
  return fields;
}
