import { execFileSync } from 'node:child_process';
import test from 'ava';
import { splitWords } from '../../src/config/shell-words.js';

// The shell itself is the judge: no text here holds what we leave out (variables, globs, operators).
const TEXTS = [
  '',
  '   ',
  'one',
  ' one  two\tthree\nfour ',
  `'one two' three`,
  `"one two" three`,
  `one' 'two" "three`,
  `'' "" x`,
  `a\\ b c\\\\d \\'`,
  `"a \\" b" "c \\\\ d" "e \\n f" 'g \\ h'`,
  `"it's" '"'`,
  `--require="./a b.js" -w4 -e 'A=B C'`,
  `é "ü ß"`,
];

for (const text of TEXTS) {
  test(`splits as sh does: ${JSON.stringify(text)}`, (t) => {
    const printed = execFileSync('sh', ['-c', `for word in ${text.replaceAll('\n', ' ')}; do printf '%s\\0' "$word"; done`], { encoding: 'utf8' });
    t.deepEqual(splitWords(text), printed.split('\0').slice(0, -1));
  });
}

test('what is not closed', (t) => {
  t.is(splitWords(`a 'b`), "a ' is not closed");
  t.is(splitWords(`a "b`), 'a " is not closed');
  t.is(splitWords(`a "b\\`), 'a " is not closed');
  t.is(splitWords(`a "b\\"`), 'a " is not closed');
  t.is(splitWords('a\\'), 'it ends in a backslash');
});
