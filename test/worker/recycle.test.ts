import test from 'ava';
import { recycleAfter } from '../../src/worker/recycle.js';

test('no limit: never, whatever the jitter', (t) => {
  t.is(recycleAfter(0, 0, 0.5), 0);
  t.is(recycleAfter(0, 100, 0.5), 0);
});

test('the jitter adds 0 to itself, both ends included', (t) => {
  t.is(recycleAfter(50, 0, 0.999), 50);
  t.is(recycleAfter(50, 10, 0), 50);
  t.is(recycleAfter(50, 10, 0.9999), 60);
  const drawn = new Set(Array.from({ length: 1100 }, (_, i) => recycleAfter(50, 10, i / 1100)));
  t.deepEqual([...drawn].sort((a, b) => a - b), [50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60]);
});
