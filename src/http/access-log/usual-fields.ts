/**
 * The header fields that usual formats ask for, read off as they came: Node makes `request.headers` of all fields when it is first read, which costs more
 * than a line of the log. In the worker; the hot path.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isNamed } from '../header-scan.js';

export type UsualFields = Pick<IncomingHttpHeaders, 'authorization' | 'host' | 'referer' | 'user-agent'>;

/** Of a field that comes twice the first, as Node has it. */
export function usualFieldsOf(rawHeaders: readonly string[]): UsualFields {
  let authorization: string | undefined;
  let host: string | undefined;
  let referer: string | undefined;
  let agent: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    switch (name.length) {
      case 4:
        if (isNamed(name, 'host')) host ??= rawHeaders[at + 1]!;
        break;
      case 7:
        if (isNamed(name, 'referer')) referer ??= rawHeaders[at + 1]!;
        break;
      case 10:
        if (isNamed(name, 'user-agent')) agent ??= rawHeaders[at + 1]!;
        break;
      case 13:
        if (isNamed(name, 'authorization')) authorization ??= rawHeaders[at + 1]!;
        break;
    }
  }
  return { authorization, host, referer, 'user-agent': agent };
}
