/** Wake-ups per connection while everybody is idle: shared by the trials `wakeups-idle-workers` and `growth`. */
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

/**
 * Context switches of the whole server per connection with one request. What the server does when nobody asks (heartbeats, idle
 * garbage collection) is measured first, over a time of the same order, and taken off.
 */
export async function wakeupsPerConnection(server: Running, size: WakeupsSize): Promise<Record<string, number>> {
  const { address } = server;
  await load({ mode: 'closed', address, connections: 1, requests: Math.ceil(size.connections / 4), gapUs: size.gapUs });
  await sleep(size.settleMs);
  const pids = server.pids();
  const idleMs = Math.max(200, size.settleMs);
  const idleBefore = usageOf(pids);
  await sleep(idleMs);
  const before = usageOf(pids);
  const result = await load({ mode: 'closed', address, connections: 1, requests: size.connections, gapUs: size.gapUs });
  const after = usageOf(pids);
  const idlePerSecond = (before.wakeups - idleBefore.wakeups) / (idleMs / 1000);
  return {
    wakeups: (after.wakeups - before.wakeups - idlePerSecond * result.seconds) / result.ok,
    cpuUs: (after.cpuNs - before.cpuNs) / 1000 / result.ok,
    idlePerSecond,
    lost: lost(result),
  };
}
