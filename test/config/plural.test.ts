import test from 'ava';
import { counted } from '../../src/config/plural.js';

test('a number with what is counted', (t) => {
  t.deepEqual([0, 1, 2].map((n) => counted(n, 'worker')), ['0 workers', '1 worker', '2 workers']);
  t.deepEqual([1, 2].map((n) => counted(n, 'line was', 'lines were')), ['1 line was', '2 lines were']);
});
