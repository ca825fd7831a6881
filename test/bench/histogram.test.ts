import test from 'ava';
import { countOf, merge, quantile } from '../../bench/histogram.js';

test('quantile is the least bucket that covers the share', (t) => {
  const histogram = [[10, 50], [20, 49], [30, 1]] as const;
  t.is(quantile(histogram, 0.5), 10);
  t.is(quantile(histogram, 0.51), 20);
  t.is(quantile(histogram, 0.99), 20);
  t.is(quantile(histogram, 0.991), 30);
  t.is(quantile(histogram, 1), 30);
  t.is(quantile(histogram, 0), 10);
});

test('quantile does not slip a rank for want of exact doubles', (t) => {
  // 0.07 × 100 is 7.000000000000001 in doubles: the rank is 7, not 8.
  t.is(quantile([[1, 7], [2, 93]], 0.07), 1);
});

test('no counts, no quantile', (t) => {
  t.true(Number.isNaN(quantile([], 0.5)));
});

test('merge adds counts of equal buckets and sorts', (t) => {
  const merged = merge([[[10, 1], [30, 2]], [[20, 5], [30, 1]]]);
  t.deepEqual(merged, [[10, 1], [20, 5], [30, 3]]);
  t.is(countOf(merged), 9);
});
