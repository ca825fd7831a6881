import test from 'ava';
import { isFinished, successors, targetAfter, whoServes, type Place } from '../../src/master/reload.js';

const place = (slot: number, generation: number, state: Place['state'] = 'ready', recycle = false): Place => ({ slot, generation, state, recycle });
const none = new Set<number>();
const base = { target: 3, generation: 2, parallel: 1, delayed: none };

test('nothing to do: nobody gets a successor', (t) => {
  t.deepEqual(successors({ ...base, places: [place(0, 2), place(1, 2), place(2, 2)] }), []);
});

test('one successor at a time, slot by slot', (t) => {
  t.deepEqual(successors({ ...base, places: [place(0, 1), place(1, 1), place(2, 1)] }), [0]);
  t.deepEqual(successors({ ...base, places: [place(0, 1), place(1, 1), place(2, 1), place(0, 2, 'starting')] }), []);
  t.deepEqual(successors({ ...base, places: [place(0, 1, 'draining'), place(1, 1), place(2, 1), place(0, 2)] }), [1]);
});

test('parallel bounds what boots, whatever it boots for', (t) => {
  t.deepEqual(successors({ ...base, parallel: 2, places: [place(0, 1), place(1, 1), place(2, 1)] }), [0, 1]);
  t.deepEqual(successors({ ...base, parallel: 2, places: [place(0, 1), place(1, 1), place(2, 2, 'starting')] }), [0]);
  t.deepEqual(successors({ ...base, parallel: 8, places: [place(0, 1), place(1, 1), place(2, 1)] }), [0, 1, 2]);
});

test('a worker that asked to be replaced gets a successor of its own generation', (t) => {
  t.deepEqual(successors({ ...base, generation: 0, places: [place(0, 1), place(1, 1, 'ready', true), place(2, 1)] }), [1]);
  t.deepEqual(successors({ ...base, generation: 0, places: [place(0, 1), place(1, 1, 'ready', true), place(2, 1), place(1, 1)] }), []);
});

test('a slot whose successor died a moment ago waits, the next has its turn', (t) => {
  t.deepEqual(successors({ ...base, delayed: new Set([0]), places: [place(0, 1), place(1, 1), place(2, 1)] }), [1]);
});

test('slots that a reload adds are filled within the same bound', (t) => {
  t.deepEqual(successors({ ...base, target: 4, places: [place(0, 2), place(1, 2), place(2, 2)] }), [3]);
});

test('a reload is finished when every slot is served by the new generation', (t) => {
  t.false(isFinished([place(0, 2), place(1, 1)], 2, 2));
  t.false(isFinished([place(0, 2), place(1, 2, 'starting')], 2, 2));
  t.true(isFinished([place(0, 2), place(1, 2), place(1, 1, 'draining')], 2, 2));
  t.true(isFinished([], 0, 2));
});

test('a count changed by TTIN or TTOU is kept over a reload, unless --workers itself has changed', (t) => {
  t.is(targetAfter(5, 4, 4), 5);
  t.is(targetAfter(5, 4, 2), 2);
});

test('who serves after a reload that has failed', (t) => {
  const says = (replaced: number, old: number, fresh = replaced): string => `reload failed, ${whoServes(replaced, old, fresh)}: why`;
  t.is(says(0, 4), 'reload failed, the old workers serve on: why');
  t.is(says(0, 0), 'reload failed, and no old worker is left to serve: why');
  t.is(says(1, 3), 'reload failed, 1 worker already has the new code, 3 old ones serve on: why');
  t.is(says(3, 1), 'reload failed, 3 workers already have the new code, 1 old one serves on: why');
  t.is(says(2, 0), 'reload failed, 2 workers already have the new code: why');
  t.is(says(0, 3, 1), 'reload failed, 1 worker already has the new code, 3 old ones serve on: why');
  const died = (replaced: number, old: number): string => whoServes(replaced, old, replaced - 1);
  t.is(died(1, 2), '1 old worker was replaced, 2 old ones serve');
  t.is(died(2, 1), '2 old workers were replaced, 1 new one and 1 old one serve');
  t.is(died(2, 0), '2 old workers were replaced, 1 new one serves');
  t.is(died(1, 0), '1 old worker was replaced, nobody serves');
});
