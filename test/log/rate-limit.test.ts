import test from 'ava';
import { RateLimit } from '../../src/log/rate-limit.js';

function limited(keys: number): { told: string[]; note: (key: string, text?: string) => void; pass: () => void; flush: () => void } {
  const told: string[] = [];
  const timers: (() => void)[] = [];
  const limit = new RateLimit<string>({ periodMs: 10, keys, tell: (text, count) => told.push(`${text} × ${count}`), after: (_, run) => timers.push(run) });
  return { told, note: (key, text = key) => limit.note(key, text), pass: () => timers.splice(0).forEach((run) => run()), flush: () => limit.flush() };
}

test('told at once, then together when the period is over', (t) => {
  const { told, note, pass } = limited(10);
  note('a', 'first');
  note('a', 'second');
  note('a', 'third');
  note('b');
  t.deepEqual(told, ['first × 1', 'b × 1']);
  pass();
  t.deepEqual(told.slice(2), ['third × 2']);
  // Told just now: the next waits again.
  note('a', 'fourth');
  t.is(told.length, 3);
  pass();
  t.deepEqual(told.slice(3), ['fourth × 1']);
  pass();
  note('a', 'fifth');
  t.deepEqual(told.slice(4), ['fifth × 1']);
});

test('keys beyond the bound share one', (t) => {
  const { told, note, pass } = limited(2);
  for (const key of ['a', 'b', 'c', 'd', 'e']) note(key);
  t.deepEqual(told, ['a × 1', 'b × 1', 'c × 1']);
  pass();
  t.deepEqual(told.slice(3), ['e × 2']);
});

test('at the end what has not been told is, and not again', (t) => {
  const { told, note, flush, pass } = limited(10);
  note('a');
  flush();
  t.deepEqual(told, ['a × 1']);
  note('a', 'second');
  flush();
  flush();
  pass();
  t.deepEqual(told.slice(1), ['second × 1']);
});
