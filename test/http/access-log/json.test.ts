import test from 'ava';
import { LogClock } from '../../../src/http/access-log/clock.js';
import { compileJson } from '../../../src/http/access-log/json.js';
import { kCarriesId } from '../../../src/http/request-info.js';
import { bytesOf, exchangeOf, requestOf, type Given } from './support.js';

function parse(given: Given): Record<string, unknown> {
  const line = compileJson({ pid: 42, slot: 3 }, new LogClock(() => Date.UTC(2026, 10, 24, 10, 0, 35, 7)))(exchangeOf(given));
  if (line.indexOf('\n') !== line.length - 1) throw new Error('not one line');
  return JSON.parse(Buffer.from(line, 'latin1').toString('utf8')) as Record<string, unknown>;
}

test('a line has every field, in the documented order', (t) => {
  const record = parse({ headers: { host: 'a.example', referer: 'r', 'user-agent': bytesOf('ü"'), authorization: `Basic ${btoa('ann:x')}` }, request: requestOf({ [kCarriesId]: true, drover: { requestId: 'i' } }) });
  t.deepEqual(Object.entries(record), [
    ['time', '2026-11-24T10:00:35.007Z'],
    ['client', '10.0.0.9'],
    ['user', 'ann'],
    ['method', 'GET'],
    ['path', '/a/b'],
    ['query', 'x=1'],
    ['protocol', 'HTTP/1.1'],
    ['host', 'a.example'],
    ['status', 200],
    ['bytes', 12],
    ['referer', 'r'],
    ['userAgent', 'ü"'],
    ['durationMs', 1234.568],
    ['requestId', 'i'],
    ['pid', 42],
    ['slot', 3],
    ['aborted', false],
  ]);
});

test('what is not known is null', (t) => {
  t.like(parse({ client: '', url: '/', bytes: -1 }), { client: null, user: null, query: null, host: null, bytes: null, referer: null, userAgent: null, requestId: null });
  t.like(parse({ bytes: 0, aborted: true, headers: { ':authority': 'h2.example' }, request: requestOf({ [kCarriesId]: true, drover: { requestId: 'ours' } }) }), { bytes: 0, aborted: true, host: 'h2.example', requestId: 'ours' });
});

test('a refused request has the reason, and its line as far as it came', (t) => {
  t.like(parse({ method: '', url: '', protocol: '', line: 'GET /\x00', refusal: 'bad request line' }), { method: null, path: null, protocol: null, refusal: 'bad request line', line: 'GET /\0' });
});
