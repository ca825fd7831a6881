import test from 'ava';
import type { Claim } from '../../bench/claims.js';
import { turns } from '../../bench/trial.js';

const rivals = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name }));
const claims: Claim[] = [{ metric: 'cpu', subject: 'a', rival: 'd', op: '<=', target: 1, because: '' }, { metric: 'cpu', subject: 'b', op: '<=', target: 1, because: '' }];
const order = (round: number): string[] => turns(rivals, claims, round).map((group) => group.map(({ name }) => name).join('+'));

test('those that a claim compares are neighbours, whoever begins the round, and take turns to be first', (t) => {
  t.deepEqual(order(0), ['a+d', 'b', 'c', 'e']);
  t.deepEqual(order(1), ['b', 'c', 'e', 'd+a']);
  t.deepEqual(order(2), ['c', 'e', 'a+d', 'b']);
  t.deepEqual(order(5), ['b', 'c', 'e', 'd+a']);
});

test('nobody here, no turns', (t) => t.deepEqual(turns([], claims, 3), []));
