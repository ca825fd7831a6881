import test from 'ava';
import { nearest } from '../../src/config/nearest.js';
import { longFlags, options } from '../../src/config/options.js';

const flags = options.flatMap(longFlags);

test('typing errors find what was meant', (t) => {
  t.is(nearest('--worker', flags), '--workers');
  t.is(nearest('--wrokers', flags), '--workers');
  t.is(nearest('--max-request', flags), '--max-requests');
  t.is(nearest('--log_level', flags), '--log-level');
  t.is(nearest('--loglevel', flags), '--log-level');
});

test("Gunicorn's spelling of a key finds ours", (t) => {
  const names = options.map(({ name }) => name);
  t.is(nearest('graceful_timeout', names), 'gracefulTimeout');
  t.is(nearest('max_requests_jitter', names), 'maxRequestsJitter');
});

test('another word finds nothing', (t) => {
  t.is(nearest('--certificate', flags), undefined);
  t.is(nearest('zzz', ['workers']), undefined);
  t.is(nearest('', ['workers']), undefined);
});
