import test from 'ava';
import { LogClock } from '../../../src/http/access-log/clock.js';

test('the wall clock is read once per second, and followed when it is set', (t) => {
  let wall = Date.UTC(2026, 10, 24, 10, 0, 35, 100);
  let reads = 0;
  const clock = new LogClock(() => {
    reads += 1;
    return wall;
  });
  t.is(clock.iso(5000), '2026-11-24T10:00:35.100Z');
  t.is(clock.iso(5001.9), '2026-11-24T10:00:35.101Z');
  t.is(clock.iso(5899.99), '2026-11-24T10:00:35.999Z');
  t.is(reads, 1);
  wall -= 3_600_000 - 900;
  t.is(clock.iso(5900), '2026-11-24T09:00:36.000Z');
  t.is(clock.iso(5905), '2026-11-24T09:00:36.005Z');
  t.is(reads, 2);
});

test('the common form is local time with its zone', (t) => {
  const wall = Date.UTC(2026, 0, 2, 3, 4, 5);
  const common = new LogClock(() => wall).common(0);
  const [, day, month, year, time, zone] = /^\[(\d\d)\/(\w{3})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\]$/.exec(common)!;
  t.is(Date.parse(`${day} ${month} ${year} ${time} ${zone}`), wall);
});
