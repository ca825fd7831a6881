import test from 'ava';
import { jain, median, significant, summarize } from '../../bench/statistics.js';

test('median of an odd and an even number of values, in any order', (t) => {
  t.is(median([9, 1, 5]), 5);
  t.is(median([10, 9, 1, 2]), 5.5);
  t.is(median([100, 20, 3]), 20, 'sorted as numbers, not as text');
  t.true(Number.isNaN(median([])));
});

test('summarize keeps the order of the rounds', (t) => {
  t.deepEqual(summarize([3, 1, 2]), { median: 2, min: 1, max: 3, samples: [3, 1, 2] });
});

test("Jain's index: 1 when all hold the same, 1/n when one holds all", (t) => {
  t.is(jain([100, 100, 100, 100]), 1);
  t.is(jain([400, 0, 0, 0]), 0.25);
  t.is(jain([3, 1]), 16 / 20);
  t.is(jain([30, 10]), jain([3, 1]), 'does not depend on the scale');
  t.true(Number.isNaN(jain([0, 0])), 'nobody holds anything: no fairness to speak of');
});

test('significant keeps five digits', (t) => {
  t.is(significant(123456.789), 123460);
  t.is(significant(0.000123456), 0.00012346);
  t.is(significant(0), 0);
  t.true(Number.isNaN(significant(NaN)));
});
