import test from 'ava';
import { DroverError } from '../src/errors.js';

test('an error for people: message, remedy and the app’s stack, indented below the first line', (t) => {
  t.is(new DroverError('ERR_DROVER_VALUE', 'wrong').format(), 'wrong');
  const stack = 'Error: boom\n\n    at f (/a.js:1:1)\n  caused by TypeError: x\n    at g (/a.js:2:2)';
  t.is(new DroverError('ERR_DROVER_APP_THREW', 'app a.js threw', 'Mend it.', stack).format(), 'app a.js threw\n  Mend it.\n  Error: boom\n\n      at f (/a.js:1:1)\n    caused by TypeError: x\n      at g (/a.js:2:2)');
});
