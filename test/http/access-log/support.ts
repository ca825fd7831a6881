/** An exchange as tests need one: a GET over HTTP/1.1 that was answered, but for what is given. */
import { Exchange, type AnyRequest } from '../../../src/http/access-log/exchange.js';

export type Given = Partial<Omit<Exchange, 'durationMs'>>;

export function exchangeOf(given: Given = {}): Exchange {
  const { startMs = 1000, method = 'GET', url = '/a/b?x=1', protocol = 'HTTP/1.1', ...rest } = given;
  const exchange = new Exchange(startMs, method, url, protocol);
  return Object.assign(exchange, { client: '10.0.0.9', status: 200, bytes: 12, endMs: startMs + 1234.5678, ...rest });
}

export function requestOf(given: Record<string, unknown>): AnyRequest {
  return { headers: {}, socket: {}, ...given } as unknown as AnyRequest;
}

/** A byte string, as Node gives headers, of a text. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
