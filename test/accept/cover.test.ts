import test from 'ava';
import { coveredBy, DEPTH, FULL } from '../../src/accept/cover.js';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test('up to the limit every worker watches every other socket', (t) => {
  for (const n of [1, 2, FULL]) {
    for (const slot of range(n)) t.deepEqual(coveredBy(slot, range(n), range(n)), range(n).filter((other) => other !== slot));
  }
});

test('few workers watch all sockets, also of slots that nobody serves', (t) => {
  t.deepEqual(coveredBy(1, range(40), [1, 2]).length, 39);
});

test('beyond the limit each socket has as many watchers as the next, and none watches its own', (t) => {
  for (const n of [FULL + 1, 32, 65]) {
    const watchers = new Map(range(n).map((slot) => [slot, 0]));
    for (const slot of range(n)) {
      const covered = coveredBy(slot, range(n), range(n));
      t.false(covered.includes(slot));
      t.is(covered.length, DEPTH);
      for (const owner of covered) watchers.set(owner, watchers.get(owner)! + 1);
    }
    t.deepEqual([...new Set(watchers.values())], [DEPTH]);
  }
});

test('a slot without a worker is watched as well as the others', (t) => {
  const serving = range(32).filter((slot) => slot !== 5 && slot !== 6);
  for (const orphan of [5, 6]) {
    t.is(serving.filter((slot) => coveredBy(slot, range(32), serving).includes(orphan)).length, DEPTH);
  }
});

test('a worker that does not serve yet counts itself', (t) => {
  t.true(coveredBy(31, range(32), range(31)).length >= DEPTH);
});
