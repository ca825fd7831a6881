/**
 * The access log's format `json`: an object per line, always with the same fields in the same order. In the worker.
 * The fields are documented in docs/access-log.md; names are stable, new ones may come at the end.
 */
import { hostOf, userOf, type Formatter, type Origin } from './atoms.js';
import type { LogClock } from './clock.js';
import { jsonText } from './escape.js';
import { pathOf, queryOf, requestIdOf, UNKNOWN, type Exchange } from './exchange.js';

export function compileJson({ pid, slot }: Origin, clock: LogClock): Formatter {
  const origin = `,"pid":${pid},"slot":${slot}`;
  return (exchange) => {
    const { client, method, url, protocol, status, bytes, headers } = exchange;
    const query = queryOf(url);
    return (
      `{"time":"${clock.iso(exchange.endMs)}","client":${orNull(client)},"user":${headers.authorization === undefined ? 'null' : orNull(userOf(headers.authorization))}` +
      `,"method":${orNull(method)},"path":${orNull(pathOf(url))},"query":${query === '' ? 'null' : jsonText(query)},"protocol":${orNull(protocol)}` +
      `,"host":${orNull(hostOf(headers))},"status":${status},"bytes":${bytes === UNKNOWN ? 'null' : bytes},"referer":${orNull(headers.referer)}` +
      `,"userAgent":${orNull(headers['user-agent'])},"durationMs":${Math.round(exchange.durationMs * 1000) / 1000},"requestId":${orNull(requestIdOf(exchange))}` +
      `${origin},"aborted":${exchange.aborted}${extra(exchange)}}\n`
    );
  };
}

function orNull(value: string | undefined): string {
  return value === undefined || value === '' ? 'null' : jsonText(value);
}

/** Only where drover refused a request. */
function extra({ refusal, line }: Exchange): string {
  return (refusal === null ? '' : `,"refusal":${jsonText(refusal)}`) + (line === null ? '' : `,"line":${jsonText(line)}`);
}
