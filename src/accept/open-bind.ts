/** Opening an address of --bind: names are resolved, and one that is in use is tried again for a while. In the master. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DroverError } from '../errors.js';
import { formatAddress, type ListenAddress } from '../config/address.js';
import type { EventName } from '../log/events.js';
import type { AddressKind, Choice } from './choose.js';
import { findHolder, formatHolder } from './holder.js';
import { openInherited, openTcp, openUnix, type Bind } from './open.js';
import { isRefusal } from './refusal.js';

const RETRY_MS = 5_000;
const RETRY_EVERY_MS = 100;

export interface OpenBindOptions {
  /** As the kernel will take it. */
  backlog: number;
  /** For unix sockets; null leaves the process's. */
  umask: number | null;
  /** How long an address that is in use is tried again. */
  retryMs?: number | undefined;
  choose: (kind: AddressKind) => Choice;
  emit: (event: EventName, fields: Record<string, unknown>) => void;
}

/** Throws ERR_DROVER_LISTEN. */
export async function openBind(address: ListenAddress, { backlog, umask, retryMs = RETRY_MS, choose, emit }: OpenBindOptions): Promise<Bind> {
  const text = formatAddress(address);
  const host = address.kind === 'tcp' ? await resolve(address.host, text) : '';
  const deadline = performance.now() + retryMs;
  let told = false;
  for (;;) {
    const bind =
      address.kind === 'tcp'
        ? openTcp({ host, port: address.port, ipv6Only: false }, backlog, choose('tcp'), 0)
        : address.kind === 'unix'
          ? await openUnix(address.path, backlog, umask, choose('unix'))
          : openInherited(address.fd, backlog, choose('fd'));
    if (!isRefusal(bind)) return bind;
    const remainingMs = Math.round(deadline - performance.now());
    if (!bind.retry || remainingMs <= 0) throw new DroverError('ERR_DROVER_LISTEN', `cannot listen at --bind ${text}: ${bind.reason}`, bind.remedy);
    if (!told) emit('listen.retrying', { address: text, holder: holderOf(address, host), remainingMs });
    told = true;
    // Uneven, so that two drovers that step aside for each other do not for ever.
    await sleep(Math.min(remainingMs, RETRY_EVERY_MS * (0.5 + Math.random())));
  }
}

/** The address of a --bind: a name may stand for many, the first of them counts, as with Node's listen(). */
async function resolve(host: string, text: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DroverError(
      'ERR_DROVER_LISTEN',
      `cannot listen at --bind ${text}: the name ${host} does not resolve (${code})`,
      'Give an address of this machine, 0.0.0.0 or [::] for all of them, or put the name into /etc/hosts.',
    );
  }
}

/** For the sentence of listen.retrying: ` by …`, or nothing. */
function holderOf(address: ListenAddress, host: string): string {
  if (address.kind === 'fd') return '';
  const holder = findHolder(
    address.kind === 'unix' ? { family: 'unix', path: address.path } : { family: host.includes(':') ? 'IPv6' : 'IPv4', address: host, port: address.port },
  );
  return holder === undefined ? '' : ` by ${formatHolder(holder)}`;
}
