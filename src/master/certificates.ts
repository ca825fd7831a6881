/** What the master does with the certificates of a configuration: hands them to a worker, and warns of those that are about to expire. */
import { writeSync } from 'node:fs';
import type { Certificates, Expiry, LoadedCertificates } from '../config/certificates.js';
import type { LoadedConfig } from '../config/load.js';
import { createSharedMemory } from '../ipc/refused-by-system.js';
import { EVENTS, type EventName } from '../log/events.js';
import { sentence, type Fields, type Log } from '../log/logger.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Certificates of 90 days are renewed 30 days before their end: half of that time is gone. */
const SOON_DAYS = 14;

/** A descriptor with the certificates as JSON, for a worker: a message would be too small for many of them. The caller's to close. */
export function sealCertificates(certificates: Certificates): number {
  const bytes = Buffer.from(JSON.stringify(certificates));
  const fd = createSharedMemory('certificates', bytes.length);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
  return fd;
}

/** Those that have expired, or soon will. */
export function expiring({ expiries }: Pick<LoadedCertificates, 'expiries'>, now: number): (Expiry & { days: number })[] {
  return expiries.map((expiry) => ({ ...expiry, days: Math.floor((expiry.at - now) / DAY_MS) })).filter(({ days }) => days < SOON_DAYS);
}

export function warnOfExpiry(loaded: LoadedConfig, log: Log): void {
  for (const [event, fields] of expiryEvents(loaded)) log.emit(event, fields);
}

/** The same for who reads no log. */
export function formatExpiries(loaded: LoadedConfig): string[] {
  return expiryEvents(loaded).map(([event, fields]) => sentence(EVENTS[event].message, fields));
}

function expiryEvents({ certificates }: LoadedConfig): [EventName, Fields][] {
  if (certificates === null) return [];
  return expiring(certificates, Date.now()).map(({ file, subject, validTo, days }) => [days < 0 ? 'tls.expired' : 'tls.expires-soon', { file, subject, validTo, days }]);
}
