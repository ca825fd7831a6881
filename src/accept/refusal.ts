/** Why an address cannot be listened on, and what to do about it, in words for people. In the master. */
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { dirname } from 'node:path';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type { BoundAddress, ListenRefusal } from '../ipc/messages.js';
import { findHolder, formatHolder } from './holder.js';
import { RAISE_OPEN_FILES, whyNoFile } from '../errors.js';

const { EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, EMFILE, ENAMETOOLONG, ENFILE, ENODEV, ENOENT, ENOTDIR, EPERM, EROFS } = constants.errno;

/** An address that cannot be listened on. Not an Error: whose mistake it is, the user's or the app's, the caller knows. */
export interface Refusal {
  /** -errno, for the app that asked. */
  errno: number;
  reason: string;
  remedy?: string;
  /** It may be free in a moment: the process that had it may be about to stop. */
  retry: boolean;
}

export function isRefusal(value: object): value is Refusal {
  return 'errno' in value;
}

/** What listen(2) or bind(2) of an address said, in words. */
export function explain(errno: number, address: BoundAddress): Refusal {
  const path = address.family === 'unix' ? address.path : undefined;
  switch (-errno) {
    case EADDRINUSE: {
      const holder = findHolder(address);
      return {
        errno,
        reason: holder === undefined ? 'the address is in use' : `the address is held by ${formatHolder(holder)}`,
        remedy: `Stop what listens there${holder === undefined ? ` (find it as root: ss -lxtp)` : ''}, or choose another address with --bind.`,
        retry: true,
      };
    }
    case EACCES:
    case EPERM:
      if (path !== undefined) {
        return refuse(errno, `not permitted to make a socket in ${dirname(path)}`, 'Choose a directory that this user may write to.');
      }
      if (address.family !== 'unix' && (address.port === 0 || address.port >= firstFreePort())) {
        return refuse(errno, 'not permitted', 'The port needs no privilege, so something forbids it to drover: see SocketBindDeny= in systemd, SELinux (semanage port -l), AppArmor, or the seccomp profile of the container.');
      }
      return refuse(
        errno,
        'not permitted',
        `Ports below ${firstFreePort()} need root or the capability CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE); or choose a higher port.`,
      );
    case EADDRNOTAVAIL:
      return refuse(errno, 'no interface of this machine has that address', `See \`ip address\` for those it has; 0.0.0.0 and [::] stand for all of them.${address.family === 'IPv6' ? bracketed(address.address) : ''}`);
    case EINVAL:
    case ENODEV:
      return address.family === 'IPv6' ? explainInvalid(errno, address.address) : refuse(errno, getSystemErrorName(errno));
    case EAFNOSUPPORT:
      return refuse(
        errno,
        `this machine has no ${address.family === 'unix' ? 'unix sockets' : address.family}`,
        address.family === 'IPv6' ? 'Use an IPv4 address, or 0.0.0.0 for all of them.' : undefined,
      );
    case ENOENT:
      return refuse(errno, whyNoFile(path ?? '.', 'ENOENT'), 'Make it first, with the user that drover runs as allowed to write to it.');
    case ENOTDIR:
      return refuse(errno, whyNoFile(path ?? '.', 'ENOTDIR'), 'Choose another path.');
    case EROFS:
      return refuse(errno, `${dirname(path ?? '.')} is on a read-only filesystem`, 'Choose a directory that can be written to.');
    case ENAMETOOLONG:
      return refuse(errno, "the path is longer than a unix socket's may be (107 bytes)", 'Choose a shorter path.');
    case EMFILE:
    case ENFILE:
      return refuse(errno, 'out of file descriptors', RAISE_OPEN_FILES);
    default:
      return refuse(errno, getSystemErrorName(errno));
  }
}

/** An IPv6 address that getaddrinfo(3) or bind(2) does not understand. */
function explainInvalid(errno: number, address: string): Refusal {
  const [host = '', zone] = address.split('%');
  const isOfLink = /^fe[89ab][0-9a-f]:/i.test(host);
  if (/^ff[0-9a-f]{2}:/i.test(host)) return refuse(errno, 'it is a multicast address, and connections are made to one machine', '[::] stands for all addresses of this machine.');
  if (zone === undefined) return isOfLink ? refuse(errno, 'a link-local address needs the name of its interface', `As \`ip address\` shows it, after a percent sign: [${host}%eth0].`) : refuse(errno, getSystemErrorName(errno));
  if (!isOfLink) return refuse(errno, `only a link-local address (fe80::…) has a zone, and ${host} is none`, `Leave out %${zone}.`);
  return refuse(errno, `this machine has no network interface ${zone}`, 'See `ip address` for those it has; [::] stands for the addresses of all of them.');
}

/** `::1:8000` is an address, and a port to who has written it. */
function bracketed(address: string): string {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
  return host === undefined || !isIPv6(host) ? '' : ` If ${port} is to be the port: [${host}]:${port}.`;
}

export function refuse(errno: number, reason: string, remedy?: string): Refusal {
  return remedy === undefined ? { errno, reason, retry: false } : { errno, reason, remedy, retry: false };
}

/** What a worker that asked for `address` is told. `ordinal`: as in ListenQuestion. */
export function toListenRefusal(address: string, { errno, reason, remedy }: Refusal, ordinal: number): ListenRefusal {
  return {
    // A missing directory is EACCES to apps, as libuv has it.
    errno: errno === -ENOENT ? -EACCES : errno,
    message: `cannot listen at ${address}: ${reason}`,
    // --bind takes the place of the first server only.
    ...(remedy === undefined ? {} : { remedy: ordinal === 0 ? remedy : remedy.replace(' with --bind', ' in the app') }),
  };
}

function firstFreePort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    return 1024;
  }
}
