/**
 * Whether connections pass anything before HTTP/1: TLS, or HTTP/2 without it. In the worker, before the app is loaded.
 *
 * What is not on is not imported.
 */
import type { EdgeConfig } from '../config/edge-config.js';
import type { Front, FrontParts } from './front.js';

export async function openFront(config: EdgeConfig, parts: FrontParts): Promise<Front | undefined> {
  if (parts.certificates === null && !config.http2.protocols.includes('h2')) return undefined;
  const { Front } = await import('./front.js');
  return Front.open(config, parts);
}
