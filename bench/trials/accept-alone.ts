/** The accept alone: what waking the right worker costs, with nothing else in the count. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { usageOf } from '../processes.js';
import type { Running } from '../rival.js';
import { oneByOne, pick, Samples, type Trial } from '../trial.js';
import { settle } from '../wakeups.js';

const WORKERS = [8, 32, 64];
const condition = (workers: number): string => `${workers} workers`;

const trial: Trial = {
  name: 'accept-alone',
  title: 'Context switches per accept',
  question: 'A connection that says nothing: how often does anybody sleep and wake until it is accepted?',
  method:
    'Connections are opened one at a time, a few milliseconds apart, say nothing and stay open, so that a worker wakes to accept and for nothing else. Counted are the voluntary context switches of all threads of the server; ' +
    'those of an idle stretch before, when the server had come to rest, are taken off. One is the floor: the worker that accepts.',
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
      smoke: { workers: [4], rounds: 1, connections: 30, gapMs: 2, idleMs: 200 },
      quick: { workers: WORKERS, rounds: 1, connections: 300, gapMs: 4, idleMs: 1500 },
      full: { workers: WORKERS, rounds: 5, connections: 500, gapMs: 4, idleMs: 3000 },
    });
    for (const workers of size.workers) {
      await oneByOne(context, { workers }, async ({ rival, server }) => {
        for (let i = 0; i < size.rounds; i++) samples.add(rival.name, condition(workers), await switchesPerAccept(server, size));
      });
    }
    return samples.cells();
  },
};

async function switchesPerAccept(server: Running, { connections, gapMs, idleMs }: { connections: number; gapMs: number; idleMs: number }): Promise<Record<string, number>> {
  const [host, port] = server.address.split(':') as [string, string];
  const sockets: Socket[] = [];
  const open = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      const socket = connect(Number(port), host);
      sockets.push(socket);
      await once(socket, 'connect');
      await sleep(gapMs);
    }
  };
  try {
    await open(Math.ceil(connections / 10));
    const pids = server.pids();
    const idle = await settle(pids, idleMs);
    const [before, began] = [usageOf(pids).wakeups, performance.now()];
    await open(connections);
    const ms = performance.now() - began;
    return { switches: (usageOf(pids).wakeups - before - (idle / idleMs) * ms) / connections };
  } finally {
    for (const socket of sockets) socket.destroy();
    // The server sees all of them gone before the next begins.
    await sleep(500);
  }
}

export default trial;
