/** Addresses that are bound, or asked for, as texts. In the master and in the workers. */
import { isIPv6 } from 'node:net';
import type { BoundAddress, ListenQuestion } from '../ipc/messages.js';

/** As a person writes it, and as --bind takes it: `127.0.0.1:8000`, `[::]:8000`, `unix:/run/app.sock`, `unix:@name`. */
export function formatBound(address: BoundAddress): string {
  // An abstract name may end in NUL bytes: see intercept.ts.
  return address.family === 'unix' ? `unix:${address.path.replace(/\0+$/, '')}` : formatHostPort(address.address, address.port);
}

/** What an app asks for, likewise. */
export function formatAsked({ address, port, path }: ListenQuestion): string {
  return path === null ? formatHostPort(address ?? '::', port) : formatBound({ family: 'unix', path });
}

function formatHostPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
