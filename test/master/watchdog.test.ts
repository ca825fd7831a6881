import test from 'ava';
import { periodMs, Watchdog, type Verdict } from '../../src/master/watchdog.js';

/** Looks every `stepMs` from 0 to `untilMs`; answers what was not ok, with its time. */
function looks(watchdog: Watchdog, stepMs: number, untilMs: number, at: (now: number) => { turns: number; beat?: string | undefined }): (Verdict & { at: number })[] {
  const verdicts: (Verdict & { at: number })[] = [];
  for (let now = stepMs; now <= untilMs; now += stepMs) {
    const { turns, beat } = at(now);
    const verdict = watchdog.look({ now, turns, beat });
    if (verdict.is !== 'ok') verdicts.push({ ...verdict, at: now });
  }
  return verdicts;
}

test('the period is a quarter of the timeout, within bounds', (t) => {
  t.is(periodMs(2000), 500);
  t.is(periodMs(400), 250);
  t.is(periodMs(600_000), 5000);
  t.is(periodMs(0), 5000, 'the master looks at other things, too');
});

test('a loop that turns is left alone', (t) => {
  t.deepEqual(looks(new Watchdog(2000, 0), 500, 60_000, (now) => ({ turns: now, beat: String(now) })), []);
});

test('a loop that stands still for the timeout is stuck', (t) => {
  const [first] = looks(new Watchdog(2000, 0), 500, 10_000, (now) => ({ turns: Math.min(now, 3000), beat: String(Math.min(now, 3000)) }));
  t.deepEqual(first, { is: 'stuck', stuckMs: 2000, at: 5000 });
});

test('a loop that never turned is stuck too', (t) => {
  const [first] = looks(new Watchdog(2000, 0), 500, 10_000, () => ({ turns: 0 }));
  t.is(first?.is, 'stuck');
});

test('a step backwards of the counter is a change like any other', (t) => {
  t.deepEqual(looks(new Watchdog(2000, 0), 500, 20_000, (now) => ({ turns: -now })), []);
});

test('time in which the master did not look is not held against the worker', (t) => {
  const watchdog = new Watchdog(2000, 0);
  t.is(watchdog.look({ now: 500, turns: 7, beat: 'a' }).is, 'ok');
  // The master was stopped for an hour; the worker has not turned yet when both go on.
  t.is(watchdog.look({ now: 3_600_500, turns: 7, beat: 'a' }).is, 'ok');
  t.is(watchdog.look({ now: 3_601_000, turns: 8, beat: 'b' }).is, 'ok');
});

test('turning loop, still file: the disk is to blame, once, and nobody is stuck', (t) => {
  const verdicts = looks(new Watchdog(2000, 0), 500, 60_000, (now) => ({ turns: now, beat: String(Math.min(now, 10_000)) }));
  t.deepEqual(verdicts, [{ is: 'disk-stalled', stalledMs: 2000, at: 12_000 }]);
});

test('the file moves again: recovered, once', (t) => {
  const verdicts = looks(new Watchdog(2000, 0), 500, 60_000, (now) => ({ turns: now, beat: now < 10_000 || now > 30_000 ? String(now) : 'still' }));
  t.deepEqual(verdicts.map(({ is }) => is), ['disk-stalled', 'disk-recovered']);
});

test('a stall that comes back is told again', (t) => {
  const verdicts = looks(new Watchdog(2000, 0), 500, 60_000, (now) => ({ turns: now, beat: Math.floor(now / 10_000) % 2 === 0 ? String(now) : 'still' }));
  t.deepEqual(verdicts.map(({ is }) => is), ['disk-stalled', 'disk-recovered', 'disk-stalled', 'disk-recovered', 'disk-stalled', 'disk-recovered']);
});

test('no file: no word of disks', (t) => {
  t.deepEqual(looks(new Watchdog(2000, 0), 500, 60_000, (now) => ({ turns: now })), []);
});

test('an idle loop, which turns at every second look: left alone while its file follows, and the disk is to blame when it does not', (t) => {
  const turns = (now: number): number => Math.floor(now / 10_000);
  t.deepEqual(looks(new Watchdog(30_000, 0), 5000, 600_000, (now) => ({ turns: turns(now), beat: String(turns(now - 5000)) })), []);
  const verdicts = looks(new Watchdog(30_000, 0), 5000, 600_000, (now) => ({ turns: turns(now), beat: 'still' }));
  t.deepEqual(verdicts, [{ is: 'disk-stalled', stalledMs: 15_000, at: 20_000 }]);
});

test('after a long block the loop turns before the file follows: nobody is to blame', (t) => {
  const begun = (now: number): number => (now > 5000 && now < 30_000 ? 1 : now);
  t.deepEqual(looks(new Watchdog(30_000, 0), 5000, 100_000, (now) => ({ turns: begun(now), beat: String(begun(now - 5000)) })), []);
});

test('a file that stands still because the loop does is not the fault of the disk', (t) => {
  const verdicts = looks(new Watchdog(30_000, 0), 5000, 29_000, () => ({ turns: 1, beat: 'still' }));
  t.deepEqual(verdicts, []);
});
