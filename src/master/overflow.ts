/**
 * Notices that accept queues of ours were full. Runs in the master.
 *
 * The kernel counts the drops of each listening socket (SO_MEMINFO, Linux 4.12), and for the whole network namespace how many of all drops
 * were overflows. A socket that has dropped something while the namespace's count went up was full. Looked at with the watchdog, which is often
 * enough for a counter; the namespace's file is read only when a socket of ours has dropped something.
 */
import { readFileSync } from 'node:fs';
import type { Queue } from '../accept/listeners.js';
import type { Log } from '../log/logger.js';
import { native } from '../native.js';

/** A socket, and what was seen of it. */
export interface Seen extends Omit<Queue, 'fd'> {
  /** Connections it has dropped since it was opened; wraps at 2^32. */
  drops: number;
  length: number;
  limit: number;
}

export interface Overflowed {
  address: string;
  slot: number;
  length: number;
  limit: number;
  /** Since the last time it was told. */
  dropped: number;
}

/** One address is told of once in this time. */
export const TELL_EVERY_MS = 60_000;

/** The policy: counts and times in, what to tell out. */
export class Overflows {
  #overflows: number;
  /** Of the sockets there were at the last look, by socket: another that is opened at the same address begins at 0. */
  #drops: ReadonlyMap<string, number> = new Map();
  /** Dropped and not told yet, by socket. */
  readonly #untold = new Map<string, number>();
  readonly #toldAt = new Map<string, number>();

  /** `overflows`: what the namespace's count begins with. */
  constructor(overflows: number) {
    this.#overflows = overflows;
  }

  look(now: number, sockets: readonly Seen[], readOverflows: () => number): Overflowed[] {
    const more = new Map<string, number>();
    const seen = new Map(sockets.map(({ address, slot, drops }) => [`${address} ${slot}`, drops]));
    for (const [name, drops] of seen) {
      const delta = (drops - (this.#drops.get(name) ?? 0)) >>> 0;
      if (delta > 0) more.set(name, delta);
    }
    this.#drops = seen;
    for (const name of this.#untold.keys()) if (!seen.has(name)) this.#untold.delete(name);
    if (more.size > 0) {
      const overflows = readOverflows();
      if (overflows !== this.#overflows) for (const [name, delta] of more) this.#untold.set(name, (this.#untold.get(name) ?? 0) + delta);
      this.#overflows = overflows;
    }
    if (this.#untold.size === 0) return [];
    const due = sockets.filter(({ address, slot }) => this.#untold.has(`${address} ${slot}`) && now - (this.#toldAt.get(address) ?? -Infinity) >= TELL_EVERY_MS);
    // Of an address's sockets the worst is named; the count is that of all of them.
    return [...groupByAddress(due)].map(([address, group]) => {
      this.#toldAt.set(address, now);
      let dropped = 0;
      const worst = group.reduce((a, b) => (this.#untold.get(`${address} ${b.slot}`)! > this.#untold.get(`${address} ${a.slot}`)! ? b : a));
      for (const { slot } of group) {
        dropped += this.#untold.get(`${address} ${slot}`)!;
        this.#untold.delete(`${address} ${slot}`);
      }
      return { address, slot: worst.slot, length: worst.length, limit: worst.limit, dropped };
    });
  }
}

function groupByAddress(sockets: readonly Seen[]): Map<string, Seen[]> {
  const groups = new Map<string, Seen[]>();
  for (const socket of sockets) groups.set(socket.address, [...(groups.get(socket.address) ?? []), socket]);
  return groups;
}

/** ListenOverflows of this network namespace; 0 where /proc does not tell. */
export function listenOverflows(text = readNetstat()): number {
  const [names = [], values = []] = text.split('\n').filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '));
  return Number(values[names.indexOf('ListenOverflows')] ?? 0);
}

function readNetstat(): string {
  try {
    return readFileSync('/proc/net/netstat', 'utf8');
  } catch {
    return '';
  }
}

/** Looks at the sockets and tells the log. */
export class OverflowWatch {
  readonly #policy = new Overflows(listenOverflows());
  readonly #queues: () => Queue[];
  readonly #log: Log;

  constructor(queues: () => Queue[], log: Log) {
    this.#queues = queues;
    this.#log = log;
  }

  look(now: number): void {
    const seen: Seen[] = [];
    for (const { address, slot, fd } of this.#queues()) {
      const drops = native.listenDrops(fd);
      const queue = native.queueLength(fd);
      // Unix sockets have no such counts: a client waits in connect(2), and none is dropped.
      if (drops >= 0 && typeof queue === 'object') seen.push({ address, slot, drops, ...queue });
    }
    for (const overflowed of this.#policy.look(now, seen, listenOverflows)) this.#log.emit('listen.overflow', { ...overflowed });
  }
}
