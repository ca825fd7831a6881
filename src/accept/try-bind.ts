/**
 * Whether an address of --bind could be opened, as far as can be told beside a drover that serves there: for --check-config and the doctor.
 *
 * Of TCP the port is left out: a socket at port 0 of the address tells whether the machine has it, whatever routes, zones and ip_nonlocal_bind say, and disturbs nobody. A unix
 * socket's path is only looked at: to bind there is to make a file, and to knock is a connection for who listens.
 */
import { accessSync, constants as modes } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { formatAddress, type ListenAddress } from '../config/address.js';
import { closeFd, native } from '../native.js';
import { refuseBind, resolveBinds } from './open-bind.js';
import { refuseFile, refuseKept } from './open.js';
import { explain, type Refusal } from './refusal.js';

const { EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENODEV } = constants.errno;
/** What bind(2) says of the address itself, and not of the port or of what the process may open now. */
const OF_THE_ADDRESS: ReadonlySet<number> = new Set([EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENODEV]);

/** All of --bind, names resolved. Throws ERR_DROVER_LISTEN. */
export async function tryBinds(addresses: readonly ListenAddress[]): Promise<void> {
  for (const [i, address] of (await resolveBinds(addresses)).entries()) tryBind(address, formatAddress(addresses[i]!));
}

/** `address`: of resolveBinds; `text`: as it was given. Throws ERR_DROVER_LISTEN. */
export function tryBind(address: ListenAddress, text: string): void {
  const refusal = address.kind === 'tcp' ? tryHost(address.host, address.port) : address.kind === 'unix' ? tryPath(address.path) : undefined;
  if (refusal !== undefined) throw refuseBind(text, refusal);
}

function tryHost(host: string, port: number): Refusal | undefined {
  const fd = native.listenTcp({ host, port: 0, backlog: 1, ipv6Only: false, reusePort: false });
  if (fd >= 0) closeFd(fd);
  return OF_THE_ADDRESS.has(-fd) ? explain(fd, { family: host.includes(':') ? 'IPv6' : 'IPv4', address: host, port }) : undefined;
}

function tryPath(path: string): Refusal | undefined {
  if (path.startsWith('@')) return undefined;
  try {
    accessSync(`${dirname(path)}/.`, modes.W_OK | modes.X_OK);
  } catch (error) {
    return explain((error as NodeJS.ErrnoException).errno!, { family: 'unix', path });
  }
  return refuseFile(path) ?? refuseKept(path);
}
