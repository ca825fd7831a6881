import test from 'ava';
import { ATOMS, NAMED_FORMATS, parseLogFormat } from '../../src/config/access-log-format.js';

test('every atom is one piece, whatever conversion it is written with', (t) => {
  for (const atom of ATOMS) {
    for (const conversion of 'sdi') t.deepEqual(parseLogFormat(`%(${atom})${conversion}`), [{ atom }], atom);
  }
});

test('headers and variables have their names in lower case', (t) => {
  t.deepEqual(parseLogFormat('%({X-Forwarded-For}i)s|%({Content-Type}o)s|%({REMOTE_ADDR}e)s'), [
    { kind: 'i', name: 'x-forwarded-for' },
    '|',
    { kind: 'o', name: 'content-type' },
    '|',
    { kind: 'e', name: 'remote_addr' },
  ]);
});

test('text stays, and two percent signs are one', (t) => {
  t.deepEqual(parseLogFormat('100%% of "%(U)s" %%'), ['100% of "', { atom: 'U' }, '" %']);
  t.deepEqual(parseLogFormat('%(m)s%(U)s'), [{ atom: 'm' }, { atom: 'U' }]);
});

test('a name stands for its format', (t) => {
  for (const name of ['combined', 'common'] as const) t.deepEqual(parseLogFormat(name), parseLogFormat(NAMED_FORMATS[name]));
});

for (const [format, piece, says] of [
  ['%(zz)s', '%(zz)s', /%\(h\)s .*%\(\{NAME\}i\)s/],
  ['%(S)s', '%(S)s', /The atoms are/],
  ['%({x}z)s', '%({x}z)s', /The atoms are/],
  ['%({}i)s', '%({}i)s', /The atoms are/],
  ['%()s', '%()s', /The atoms are/],
  ['%(h)', '%(h)', /Write %\(h\)s/],
  ['%(h)x', '%(h)x', /Write %\(h\)s/],
  ['%(a)-20s', '%(a)-', /Write %\(a\)s/],
  ['%h %l', '%h', /Write %\(h\)s/],
  ['%(h)s %>s', '%>s', /Write %\(s\)s/],
  ['"%{Referer}i"', '%{Referer}i', /Write %\(\{Referer\}i\)s/],
  ['%(h)s 100%', '%', /The atoms are/],
  ['%(h', '%', /The atoms are/],
  ['jsno', 'jsno', /combined, common, json/],
  ['%(h)s\n%(a)s', '\n', /one line/],
] as const) {
  test(`${JSON.stringify(format)} is refused, with what to write instead`, (t) => {
    const problem = parseLogFormat(format);
    if (Array.isArray(problem)) return t.fail('it was accepted');
    t.is(problem.piece, piece);
    t.regex(problem.remedy, says);
  });
}
