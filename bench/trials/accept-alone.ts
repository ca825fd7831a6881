/** The accept alone: what waking the right worker costs, with nothing else in the count. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { servingWakeups } from '../processes.js';
import type { Running } from '../rival.js';
import { oneByOne, pick, Samples, type Trial } from '../trial.js';
import { WARM_UP } from '../wakeups.js';

const WORKERS = [8, 32, 64];
const condition = (workers: number): string => `${workers} workers`;

const trial: Trial = {
  name: 'accept-alone',
  title: 'Context switches per accept',
  question: 'A connection that says nothing: how often does anybody sleep and wake until it is accepted?',
  method:
    'Connections are opened one at a time, a few milliseconds apart, say nothing and stay open, so that a worker wakes to accept and for nothing else. Counted are the voluntary context switches of the threads that accept or decide who does: the main thread of each process and drover’s conductor, ' +
    'not those on which V8 compiles and collects. Counting begins when the server has come to rest (no thread wakes twice within 2 s; waited for a minute at most). Nothing is taken off: what timers wake meanwhile is in the number. ' +
    'One is the floor: the worker that accepts.',
  rivals: ['drover-reuseport', 'drover-exclusive', 'drover-grant', 'drover-lock', 'drover-shared', 'cluster-none', 'floor'],
  columns: [{ metric: 'switches', label: 'switches per accept', digits: 2 }],
  charts: [{ metric: 'switches', title: 'Context switches per accept, by number of workers', shape: 'lines' }],
  claims: WORKERS.flatMap((workers) => [
    ...['drover-reuseport', 'drover-exclusive'].map((subject) => ({
      metric: 'switches', condition: condition(workers), subject, op: '<=' as const, target: 1.1, because: 'The kernel wakes the one worker that accepts.',
    })),
    ...['drover-grant', 'drover-lock'].map((subject) => ({
      metric: 'switches', condition: condition(workers), subject, op: '<=' as const, target: 2.2, because: 'Two wake: who decides, or who is next, and who accepts.',
    })),
  ]),
  async measure(context) {
    const samples = new Samples();
    const size = pick(context.mode, {
      smoke: { workers: [4], rounds: 1, connections: 30, gapMs: 2, restLimitMs: 500 },
      quick: { workers: WORKERS, rounds: 3, connections: 150, gapMs: 3, restLimitMs: 4000 },
      full: { workers: WORKERS, rounds: 11, connections: 250, gapMs: 4, restLimitMs: 60_000 },
    });
    for (const workers of size.workers) {
      await oneByOne(context, { workers }, async ({ rival, server }) => {
        await held(server, Math.max(size.connections / 3, workers * WARM_UP), size.gapMs, () => {});
        const pids = server.pids();
        await rest(pids, size.restLimitMs);
        for (let i = 0; i < size.rounds; i++) {
          const before = servingWakeups(pids);
          await held(server, size.connections, size.gapMs, () => samples.add(rival.name, condition(workers), { switches: wakeupsSince(before, pids) / size.connections }));
        }
      });
    }
    return samples.cells();
  },
};

/** No thread of an idle server has a reason to wake twice in so short a time: beats are seconds apart. */
const REST_MS = 2000;

/** Waits until no thread wakes more than once in REST_MS. */
async function rest(pids: readonly number[], limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (performance.now() < end) {
    const before = servingWakeups(pids);
    await sleep(Math.min(REST_MS, limitMs));
    if ([...servingWakeups(pids)].every(([thread, count]) => count - (before.get(thread) ?? 0) <= 1)) return;
  }
}

function wakeupsSince(before: ReadonlyMap<string, number>, pids: readonly number[]): number {
  let count = 0;
  for (const [thread, now] of servingWakeups(pids)) count += now - (before.get(thread) ?? 0);
  return count;
}

/** Opens connections that say nothing, calls `counted` while they are open, and closes them. */
async function held(server: Running, connections: number, gapMs: number, counted: () => void): Promise<void> {
  const [host, port] = server.address.split(':') as [string, string];
  const sockets: Socket[] = [];
  try {
    for (let n = 0; n < connections; n++) {
      const socket = connect(Number(port), host);
      sockets.push(socket);
      await once(socket, 'connect');
      await sleep(gapMs);
    }
    counted();
  } finally {
    for (const socket of sockets) socket.destroy();
    // The server sees all of them gone before the next begins.
    await sleep(500);
  }
}

export default trial;
