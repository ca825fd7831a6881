import { closeSync, fstatSync, readSync } from 'node:fs';
import test from 'ava';
import type { LoadedConfig } from '../../src/config/load.js';
import type { Log } from '../../src/log/logger.js';
import { expiring, sealCertificates, warnOfExpiry } from '../../src/master/certificates.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const now = Date.parse('2030-01-15T12:00:00Z');
const expiry = (days: number) => ({ file: '/a.pem', subject: 'a.example', validTo: 'then', at: now + days * DAY_MS });

test('certificates with less than 14 days are told, with what is left', (t) => {
  t.deepEqual(expiring({ expiries: [expiry(365), expiry(14.1), expiry(13.9), expiry(0.5), expiry(-0.1), expiry(-30)] }, now).map(({ days }) => days), [13, 0, -1, -30]);
});

test('one that has expired is another event than one that soon will', (t) => {
  const events: string[] = [];
  const log = { emit: (event: string, fields: { days?: number }) => events.push(`${event} ${fields.days ?? ''}`) } as unknown as Log;
  const expiries = [-1, 3].map((days) => ({ ...expiry(0), at: Date.now() + (days + 0.5) * DAY_MS }));
  warnOfExpiry({ certificates: { expiries, certificates: { default: null, names: {}, ca: null } } } as unknown as LoadedConfig, log);
  warnOfExpiry({ certificates: null } as LoadedConfig, log);
  t.deepEqual(events, ['tls.expired -1', 'tls.expires-soon 3']);
});

test('any number of certificates fits into the descriptor for a worker', (t) => {
  const pair = { cert: 'ä'.repeat(4000), key: 'k'.repeat(2000) };
  const certificates = { default: pair, names: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`h${i}.example`, pair])), ca: null };
  const fd = sealCertificates(certificates);
  const bytes = Buffer.alloc(fstatSync(fd).size);
  t.is(readSync(fd, bytes, 0, bytes.length, 0), bytes.length);
  closeSync(fd);
  t.true(bytes.length > 1_000_000);
  t.deepEqual(JSON.parse(bytes.toString()), certificates);
});
