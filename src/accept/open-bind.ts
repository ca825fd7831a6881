/** Opening an address of --bind: names are resolved, and one that is in use is tried again for a while. In the master. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DroverError } from '../errors.js';
import { formatAddress, overlap, type ListenAddress } from '../config/address.js';
import type { EventName } from '../log/events.js';
import type { AddressKind, Choice } from './choose.js';
import { findHolder, formatHolder, type Holder } from './holder.js';
import { openInherited, openTcp, openUnix, type Bind } from './open.js';
import { isRefusal, type Refusal } from './refusal.js';
import { unresolved } from './unresolved.js';

const RETRY_MS = 5_000;
const RETRY_EVERY_MS = 100;

export interface OpenBindOptions {
  /** As the kernel will take it. */
  backlog: number;
  /** For unix sockets; null leaves the process's. */
  umask: number | null;
  /** How long an address that is in use is tried again. */
  retryMs?: number | undefined;
  /** The address is a socket of LISTEN_FDS: nobody has given --bind. */
  handedOver: boolean;
  choose: (kind: AddressKind) => Choice;
  emit: (event: EventName, fields: Record<string, unknown>) => void;
}

/** The addresses of --bind with names resolved: a name may stand for many addresses, the first of them counts, as with Node's listen(). Throws ERR_DROVER_LISTEN. */
export async function resolveBinds(addresses: readonly ListenAddress[]): Promise<ListenAddress[]> {
  const resolved: ListenAddress[] = [];
  for (const address of addresses) {
    const literal = address.kind === 'tcp' ? { ...address, host: await resolve(address.host, formatAddress(address)) } : address;
    const before = resolved.findIndex((other) => overlap(other, literal) !== undefined);
    if (before !== -1) {
      const say = (asked: ListenAddress, is: ListenAddress): string => `${formatAddress(asked)}${formatAddress(asked) === formatAddress(is) ? '' : ` (${formatAddress(is)})`}`;
      throw new DroverError('ERR_DROVER_LISTEN', `cannot listen at --bind ${say(address, literal)}: it overlaps with --bind ${say(addresses[before]!, resolved[before]!)}`, 'Give one of them alone.');
    }
    resolved.push(literal);
  }
  return resolved;
}

/** `address`: of resolveBinds; `text`: as it was given. Throws ERR_DROVER_LISTEN. */
export async function openBind(address: ListenAddress, text: string, { backlog, umask, retryMs = RETRY_MS, handedOver, choose, emit }: OpenBindOptions): Promise<Bind> {
  const deadline = performance.now() + retryMs;
  let told = false;
  for (;;) {
    const bind =
      address.kind === 'tcp'
        ? openTcp({ host: address.host, port: address.port, ipv6Only: false }, backlog, choose('tcp'), 0)
        : address.kind === 'unix'
          ? await openUnix(address.path, backlog, umask, choose('unix'))
          : openInherited(address.fd, backlog, choose('fd'));
    if (!isRefusal(bind)) return bind;
    const remainingMs = Math.round(deadline - performance.now());
    if (handedOver) throw new DroverError('ERR_DROVER_LISTEN', `cannot listen at ${text}, handed over by LISTEN_FDS: ${bind.reason}`, 'All that is handed over is served: leave others out (in systemd, of the .socket unit), or name those to serve with --bind fd://N.');
    if (!bind.retry || remainingMs <= 0) throw refuseBind(text, bind);
    if (!told) {
      const holder = holderOf(address);
      emit('listen.retrying', { address: text, state: holder === undefined ? 'in use' : `held by ${formatHolder(holder)}`, holder, remainingMs, remainingS: Math.ceil(remainingMs / 1_000) });
    }
    told = true;
    // Uneven, so that two drovers that step aside for each other do not for ever.
    await sleep(Math.min(remainingMs, RETRY_EVERY_MS * (0.5 + Math.random())));
  }
}

export function refuseBind(text: string, { reason, remedy }: Refusal): DroverError {
  return new DroverError('ERR_DROVER_LISTEN', `cannot listen at --bind ${text}: ${reason}`, remedy);
}

async function resolve(host: string, text: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw unresolved(`--bind ${text}`, host, (error as NodeJS.ErrnoException).code);
  }
}

function holderOf(address: ListenAddress): Holder | undefined {
  if (address.kind === 'fd') return undefined;
  return findHolder(
    address.kind === 'unix' ? { family: 'unix', path: address.path } : { family: address.host.includes(':') ? 'IPv6' : 'IPv4', address: address.host, port: address.port },
  );
}
