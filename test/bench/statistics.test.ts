import test from 'ava';
import { jain, median, medianBounds, significant, summarize } from '../../bench/statistics.js';

test('median of an odd and an even number of values, in any order', (t) => {
  t.is(median([9, 1, 5]), 5);
  t.is(median([10, 9, 1, 2]), 5.5);
  t.is(median([100, 20, 3]), 20, 'sorted as numbers, not as text');
  t.true(Number.isNaN(median([])));
});

test('summarize keeps the order of the rounds', (t) => {
  t.deepEqual(summarize([3, 1, 2]), { median: 2, min: 1, max: 3, samples: [3, 1, 2] });
});

test('bounds of a median: the outermost values up to seven, then more and more are cut off', (t) => {
  const bounds = (count: number): unknown => medianBounds(Array.from({ length: count }, (_, i) => ((i * 7) % count) + 1));
  t.deepEqual(medianBounds([3]), { low: 3, high: 3 });
  t.deepEqual(medianBounds([10, 9]), { low: 9, high: 10 });
  t.deepEqual(bounds(5), { low: 1, high: 5 });
  t.deepEqual(medianBounds([7, 6, 5, 4, 3, 2, 1]), { low: 1, high: 7 }, 'cut by one they would be 87.5 % sure');
  t.deepEqual(bounds(8), { low: 2, high: 7 }, '93.0 % sure');
  t.deepEqual(bounds(9), { low: 2, high: 8 }, '96.1 % sure; cut by two 82.0 %');
  // From tables of the sign test: k = 6 of 20 (95.9 % and 88.5 % when cut by one more).
  t.deepEqual(bounds(20), { low: 6, high: 15 });
  t.deepEqual(medianBounds([]), { low: NaN, high: NaN });
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
