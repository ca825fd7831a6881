import test from 'ava';
import { evaluate, rangeApplies, type Conditions } from '../../../src/http/files/conditional.js';

const MODIFIED = Date.parse('Tue, 24 Nov 2026 10:00:00 GMT');
const strong = { etag: '"a,b"', lastModifiedMs: MODIFIED };
const weak = { etag: 'W/"a,b"', lastModifiedMs: MODIFIED };
const same = 'Tue, 24 Nov 2026 10:00:00 GMT';
const earlier = 'Tue, 24 Nov 2026 09:59:59 GMT';
const later = 'Tuesday, 24-Nov-26 10:00:01 GMT';

const CASES: [Conditions, withStrong: 412 | 304 | undefined, withWeak: 412 | 304 | undefined][] = [
  [{}, undefined, undefined],
  [{ 'if-none-match': '"a,b"' }, 304, 304],
  [{ 'if-none-match': 'W/"a,b"' }, 304, 304],
  [{ 'if-none-match': '"x", "a,b"' }, 304, 304],
  [{ 'if-none-match': '*' }, 304, 304],
  [{ 'if-none-match': '"a", "b"' }, undefined, undefined],
  [{ 'if-none-match': 'a,b' }, undefined, undefined],
  [{ 'if-none-match': '"x"', 'if-modified-since': later }, undefined, undefined],
  [{ 'if-modified-since': same }, 304, 304],
  [{ 'if-modified-since': later }, 304, 304],
  [{ 'if-modified-since': earlier }, undefined, undefined],
  [{ 'if-modified-since': '2' }, undefined, undefined],
  [{ 'if-modified-since': 'yesterday' }, undefined, undefined],
  [{ 'if-match': '"a,b"' }, undefined, 412],
  [{ 'if-match': 'W/"a,b"' }, 412, 412],
  [{ 'if-match': '"x"' }, 412, 412],
  [{ 'if-match': '*' }, undefined, undefined],
  [{ 'if-match': '"a,b"', 'if-unmodified-since': earlier }, undefined, 412],
  [{ 'if-match': '*', 'if-none-match': '"a,b"' }, 304, 304],
  [{ 'if-unmodified-since': earlier }, 412, 412],
  [{ 'if-unmodified-since': same }, undefined, undefined],
  [{ 'if-unmodified-since': 'nonsense' }, undefined, undefined],
];

for (const [conditions, withStrong, withWeak] of CASES) {
  test(`conditions ${JSON.stringify(conditions)}`, (t) => {
    t.is(evaluate(conditions, strong), withStrong);
    t.is(evaluate(conditions, weak), withWeak);
  });
}

test('a date in the form of asctime is GMT, wherever the server is', (t) => {
  const { TZ } = process.env;
  process.env['TZ'] = 'America/New_York';
  t.is(new Date(MODIFIED).getTimezoneOffset(), 300);
  t.is(evaluate({ 'if-modified-since': 'Tue Nov 24 10:00:00 2026' }, strong), 304);
  t.is(evaluate({ 'if-modified-since': 'Tue Nov 24 09:59:59 2026' }, strong), undefined);
  t.is(evaluate({ 'if-unmodified-since': 'Sun Nov  1 09:59:59 2026' }, strong), 412);
  t.true(rangeApplies({ 'if-range': 'Tue Nov 24 10:00:00 2026' }, strong));
  if (TZ === undefined) delete process.env['TZ'];
  else process.env['TZ'] = TZ;
});

const RANGES: [ifRange: string | undefined, withStrong: boolean, withWeak: boolean][] = [
  [undefined, true, true],
  ['"a,b"', true, false],
  ['W/"a,b"', false, false],
  ['"x"', false, false],
  [same, true, true],
  [earlier, false, false],
  [later, false, false],
  ['nonsense', false, false],
];

for (const [ifRange, withStrong, withWeak] of RANGES) {
  test(`If-Range: ${String(ifRange)}`, (t) => {
    t.is(rangeApplies({ 'if-range': ifRange }, strong), withStrong);
    t.is(rangeApplies({ 'if-range': ifRange }, weak), withWeak);
  });
}

test('without validators nothing matches', (t) => {
  const none = { etag: undefined, lastModifiedMs: undefined };
  t.is(evaluate({ 'if-none-match': '"a"' }, none), undefined);
  t.is(evaluate({ 'if-match': '"a"' }, none), 412);
  t.is(evaluate({ 'if-modified-since': same }, none), undefined);
  t.false(rangeApplies({ 'if-range': same }, none));
});
