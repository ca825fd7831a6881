import test from 'ava';
import { jsonErrorPosition } from '../../src/config/json-position.js';

/** `¦` stands where the error is. */
const TEXTS = [
  '¦',
  '  ¦',
  '{¦',
  '{"a"¦ 1}',
  '{"a": ¦tru}',
  '{"a": 1,¦}',
  '{"a": 1¦ "b": 2}',
  '{\n  "a": [1, 2,\n  ¦]\n}',
  '{\n  ¦// comment\n}',
  "{¦'a': 1}",
  '{"a": 0¦1}',
  '{"a": ¦.5}',
  '{"a": ¦"b\\x"}',
  '{"a": ¦"b\nc"}',
  '{} ¦x',
  '[1, [2, {"a": null}], ¦undefined]',
];

for (const text of TEXTS) {
  test(JSON.stringify(text), (t) => {
    const before = text.slice(0, text.indexOf('¦')).split('\n');
    // Blanks before the error may be counted or not: both point at the same word.
    const { line, column } = jsonErrorPosition(text.replace('¦', ''));
    t.is(line, before.length);
    const rest = text.replace('¦', '').split('\n')[line - 1]!;
    t.is(rest.slice(column - 1).trimStart(), rest.slice(before.at(-1)!.length).trimStart());
    t.throws(() => JSON.parse(text.replace('¦', '')) as unknown);
  });
}

test('a byte order mark is no error', (t) => {
  t.deepEqual(jsonErrorPosition('\uFEFF{x}'), { line: 1, column: 3 });
});
