import test from 'ava';
import { prolong } from '../../src/master/deadline.js';

test('a deadline is over when the master comes at it, or a little later', (t) => {
  t.is(prolong({ at: 2000, then: 'boot-timeout' }, 500, 2000), undefined);
  t.is(prolong({ at: 2000, then: 'grace' }, 500, 2900), undefined);
});

test('a deadline that ended while the master was stopped has the time again that was left when it last ran', (t) => {
  t.deepEqual(prolong({ at: 2000, then: 'boot-timeout' }, 500, 60_000), { at: 61_500, then: 'boot-timeout' });
});

test('a master that is away again and again prolongs no deadline for ever', (t) => {
  const longer = prolong({ at: 2000, then: 'grace' }, 500, 60_000)!;
  t.is(longer.at - 60_000, 1500);
  // It ran at 60 000 and at 61 400, and is away once more.
  t.deepEqual(prolong(longer, 61_400, 90_000), { at: 90_100, then: 'grace' });
});
