/** Wake-ups per connection while everybody is idle: shared by the trials that count them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { load, lost } from './load.js';
import { usageOf } from './processes.js';
import type { Running } from './rival.js';

export interface WakeupsSize {
  /** Connections, one at a time. */
  connections: number;
  gapUs: number;
  settleMs: number;
}

/** Connections that a worker has had on average before anything is counted: V8 compiles what runs for the first few times, and wakes a thread for each such piece. */
export const WARM_UP = 16;
/** So long at most. */
const SETTLE_LIMIT_MS = 10_000;

/**
 * Waits until a server that nobody asks has come to rest: V8's threads compile and collect for seconds after a boot or some work, which would drown what is counted.
 * It rests when it wakes about as often in one stretch of `stretchMs` as in the one before. Returns how often it wakes in such a stretch.
 */
export async function settle(pids: readonly number[], stretchMs: number): Promise<number> {
  const end = performance.now() + SETTLE_LIMIT_MS;
  let last = Infinity;
  for (;;) {
    const before = usageOf(pids).wakeups;
    await sleep(stretchMs);
    const count = usageOf(pids).wakeups - before;
    if (Math.abs(last - count) <= Math.max(3, count / 10) || performance.now() > end) return count;
    last = count;
  }
}

/** Once, before the first count. */
export async function warmUp(server: Running, workers: number): Promise<void> {
  await load({ mode: 'closed', address: server.address, connections: workers, requests: workers * WARM_UP });
}

/**
 * Context switches of the whole server per connection with one request. What the server does when nobody asks (heartbeats, idle
 * garbage collection) is measured first, over a time of the same order, and taken off.
 */
export async function wakeupsPerConnection(server: Running, size: WakeupsSize): Promise<Record<string, number>> {
  const { address } = server;
  await load({ mode: 'closed', address, connections: 1, requests: Math.ceil(size.connections / 4), gapUs: size.gapUs });
  const pids = server.pids();
  const idlePerSecond = (await settle(pids, size.settleMs)) / (size.settleMs / 1000);
  const before = usageOf(pids);
  const result = await load({ mode: 'closed', address, connections: 1, requests: size.connections, gapUs: size.gapUs });
  const after = usageOf(pids);
  return {
    wakeups: (after.wakeups - before.wakeups - idlePerSecond * result.seconds) / result.ok,
    cpuUs: (after.cpuNs - before.cpuNs) / 1000 / result.ok,
    idlePerSecond,
    lost: lost(result),
  };
}
