import test from 'ava';
import { HEALTHY_MS, Respawn } from '../../src/master/respawn.js';

test('a crash loop doubles its pause from 100 ms to 10 s', (t) => {
  const respawn = new Respawn();
  const pauses = Array.from({ length: 9 }, (_, n) => respawn.died(n, 5));
  t.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test('the first death is no loop, the second is', (t) => {
  const respawn = new Respawn();
  t.false(respawn.looping);
  respawn.died(0, 0);
  t.false(respawn.looping);
  respawn.died(200, 0);
  t.true(respawn.looping);
});

test('a worker that served for a healthy minute is replaced at once, and clears the slate', (t) => {
  const respawn = new Respawn();
  for (let n = 0; n < 5; n += 1) respawn.died(n, 0);
  t.is(respawn.died(1000, HEALTHY_MS), 0);
  t.is(respawn.notBefore, 1000);
  t.false(respawn.looping);
  t.is(respawn.died(2000, HEALTHY_MS - 1), 100);
});

test('the pause runs from the death', (t) => {
  const respawn = new Respawn();
  respawn.died(5000, 0);
  t.is(respawn.notBefore, 5100);
});

test('a person who asks for workers is not kept waiting', (t) => {
  const respawn = new Respawn();
  for (let n = 0; n < 5; n += 1) respawn.died(n, 0);
  respawn.forgive();
  t.is(respawn.notBefore, 0);
  t.is(respawn.died(9, 0), 100);
});
