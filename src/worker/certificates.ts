/** The certificates that the master has read (config/certificates.ts), as JSON in a descriptor. In the worker. */
import { fstatSync, readSync } from 'node:fs';
import type { Certificates } from '../config/certificates.js';
import { closeFd } from '../native.js';

/** Closes the descriptor. Null without one: drover does no TLS. */
export function readCertificates(fd: number | undefined): Certificates | null {
  if (fd === undefined) return null;
  const bytes = Buffer.alloc(fstatSync(fd).size);
  for (let at = 0; at < bytes.length; ) at += readSync(fd, bytes, at, bytes.length - at, at);
  closeFd(fd);
  return JSON.parse(bytes.toString()) as Certificates;
}
