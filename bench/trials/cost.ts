/** What drover itself costs: memory, time to ready, wake-ups while idle. Issue 2, point 10. */
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from '../load.js';
import { memoryOf, usageOf } from '../processes.js';
import type { Rival, Running } from '../rival.js';
import { pick, Samples, turns, type Trial } from '../trial.js';
import { median } from '../statistics.js';

const WORKERS = 2;
/**
 * Default --timeout 30 s. The target: two wake-ups of a worker, for its loop and for its file, and one of the master, every 5 s. An idle loop turns every 10 s only, and
 * node's own http server in it wakes once in 30 s, which counts, too.
 */
const HEARTBEATS_PER_SECOND = (2 * WORKERS + 1) / 5;

const trial: Trial = {
  name: 'cost',
  title: 'What drover itself costs',
  question: 'How much memory, how much time to start and how many wake-ups does drover add to the app?',
  method:
    'Two workers of drover beside two plain `node` processes of the same app, all up at the same time, so that what Node processes share is shared alike; PSS after one request each (`at start`) and after a load. ' +
    'Time to ready, by the clock of the process itself, which begins when Node starts: of drover’s worker until it is ready (`bootMs` in its log), of plain `node` until it listens; `bootCpuMs` is the CPU the process used until then, which other load on the machine moves less. Starts of those that are compared follow each other in each round. ' +
    'Idle: wake-ups of all processes per second once they have settled (half a minute: V8 still collects garbage until then), in stretches of a beat’s time; over node is what is left without those that the two plain `node` processes have ' +
    'in the same stretch: nothing is taken off for the master, which is drover’s own.',
  rivals: ['drover-reuseport', 'drover-shared', 'node', 'cluster-rr', 'pm2'],
  columns: [
    { metric: 'workerPssMb', label: 'worker PSS MB', digits: 1 },
    { metric: 'workerPssOverNodeMb', label: 'over node MB', digits: 1 },
    { metric: 'workerPssLoadedOverNodeMb', label: 'after load, over node MB', digits: 1 },
    { metric: 'masterPssMb', label: 'master PSS MB', digits: 1 },
    { metric: 'masterRssMb', label: 'master RSS MB', digits: 1 },
    { metric: 'bootMs', label: 'worker ready ms', digits: 0 },
    { metric: 'bootCpuMs', label: 'worker CPU to listen ms', digits: 0 },
    { metric: 'firstAnswerMs', label: 'first answer ms', digits: 0 },
    { metric: 'idleWakeups', label: 'idle wake-ups/s', digits: 2 },
    { metric: 'idleWakeupsOverNode', label: 'over node', digits: 2 },
  ],
  charts: [
    { metric: 'workerPssOverNodeMb', title: 'PSS of a worker over plain node, MB', shape: 'bars' },
    { metric: 'bootMs', title: 'Worker: from its start to ready, ms', shape: 'bars' },
  ],
  claims: [
    { metric: 'workerPssOverNodeMb', subject: 'drover-reuseport', op: '<=', target: 8, because: 'A worker is the app and little else.' },
    { metric: 'bootMs', subject: 'drover-reuseport', rival: 'node', op: '<=', target: 1.25, because: 'Reloads and respawns are as fast as the app allows.' },
    { metric: 'bootCpuMs', subject: 'drover-reuseport', rival: 'node', op: '<=', target: 1.25, because: 'The same by CPU, steadier on a busy machine.' },
    { metric: 'masterPssMb', subject: 'drover-reuseport', op: '<=', target: 60, because: 'The master runs no user code.' },
    { metric: 'idleWakeups', subject: 'drover-reuseport', op: '<=', target: HEARTBEATS_PER_SECOND, because: 'An idle server wakes no more often than its heartbeats.' },
    { metric: 'idleWakeupsOverNode', subject: 'drover-reuseport', op: '<=', target: HEARTBEATS_PER_SECOND, because: 'What drover adds to the timers that Node’s http server has by itself.' },
  ],
  async measure(context) {
    const samples = new Samples();
    const size = pick(context.mode, {
      smoke: { boots: 1, stretches: 1, idleMs: 500, settleMs: 200, requests: 200 },
      quick: { boots: 3, stretches: 2, idleMs: 10_000, settleMs: 20_000, requests: 4000 },
      full: { boots: 11, stretches: 8, idleMs: 10_000, settleMs: 30_000, requests: 4000 },
    });

    // Starting: one at a time, in turns, so that what else the machine does hits all alike.
    for (let i = 0; i < size.boots; i++) {
      for (const rival of turns(context.rivals, trial.claims, i).flat()) {
        context.say(`${rival.name}: start ${i + 1} of ${size.boots}`);
        try {
          const server = await rival.start({ workers: 1 });
          try {
            samples.add(rival.name, '', await startOf(rival, server));
          } finally {
            await server.stop();
          }
        } catch (error) {
          context.failed(rival, error);
        }
      }
    }

    // Memory and idleness: all at once; plain node as often as others have workers.
    const servers: { rival: Rival; servers: Running[] }[] = [];
    try {
      for (const rival of context.rivals) {
        try {
          const one = await rival.start({ workers: WORKERS });
          servers.push({ rival, servers: [one] });
          for (let i = 1; rival.name === 'node' && i < WORKERS; i++) servers.at(-1)!.servers.push(await rival.start({ workers: 1 }));
        } catch (error) {
          context.failed(rival, error);
        }
      }
      context.say(`idle for ${(size.settleMs + size.stretches * size.idleMs) / 1000} s`);
      for (const one of servers) for (const server of one.servers) await load({ mode: 'closed', address: server.address, connections: 4, requests: 4 });
      await sleep(size.settleMs);
      const fresh = memories(servers);
      for (let i = 0; i < size.stretches; i++) {
        const before = new Map(servers.map((one) => [one.rival.name, wakeupsOf(one.servers)]));
        await sleep(size.idleMs);
        const perSecond = new Map(servers.map((one) => [one.rival.name, (wakeupsOf(one.servers) - before.get(one.rival.name)!) / (size.idleMs / 1000)]));
        const node = perSecond.get('node');
        for (const [name, idleWakeups] of perSecond) samples.add(name, '', { idleWakeups, ...(node === undefined || name === 'node' ? {} : { idleWakeupsOverNode: idleWakeups - node }) });
      }
      for (const one of servers) {
        context.say(`${one.rival.name}: load`);
        for (const server of one.servers) await load({ mode: 'closed', address: server.address, connections: 16, requests: size.requests / one.servers.length });
      }
      await sleep(size.settleMs / 10);
      const loaded = memories(servers);
      for (const { rival } of servers) {
        const [own, ownLoaded, node, nodeLoaded] = [fresh.get(rival.name)!, loaded.get(rival.name)!, fresh.get('node'), loaded.get('node')];
        samples.add(rival.name, '', {
          workerPssMb: own.worker,
          workerPrivateMb: own.workerPrivate,
          workerPssLoadedMb: ownLoaded.worker,
          ...(own.master === undefined ? {} : { masterPssMb: own.master.pssMb, masterRssMb: own.master.rssMb }),
          ...(node === undefined || rival.name === 'node' ? {} : { workerPssOverNodeMb: own.worker - node.worker, workerPrivateOverNodeMb: own.workerPrivate - node.workerPrivate }),
          ...(nodeLoaded === undefined || rival.name === 'node' ? {} : { workerPssLoadedOverNodeMb: ownLoaded.worker - nodeLoaded.worker }),
        });
      }
    } finally {
      for (const one of servers) for (const server of one.servers) await server.stop();
    }
    return samples.cells();
  },
};

/** Both by performance.now() of the process: drover's worker when it is ready, plain node when it listens. */
async function startOf(rival: Rival, server: Running): Promise<Record<string, number>> {
  const read = (): string | undefined => /"bootMs":([\d.]+)/.exec(server.stderr())?.[1];
  // The first answer may be there before the line is written.
  for (let i = 0; rival.kind === 'drover' && read() === undefined && i < 100; i++) await sleep(20);
  const logged = read();
  const numbers: Record<string, number> = { firstAnswerMs: server.firstAnswerMs, bootCpuMs: median(server.boots().map((boot) => boot.cpuUs / 1000)) };
  if (rival.kind === 'drover' && logged === undefined) throw new Error('no worker.ready with bootMs in its log');
  if (logged !== undefined) numbers['bootMs'] = Number(logged);
  // Workers of other masters tell when they listen, not when their master counts on them.
  else if (rival.name === 'node') numbers['bootMs'] = median(server.boots().map((boot) => boot.ms));
  return numbers;
}

function wakeupsOf(servers: readonly Running[]): number {
  return usageOf(servers.flatMap((server) => server.pids())).wakeups;
}

function memories(servers: readonly { rival: Rival; servers: readonly Running[] }[]): Map<string, { worker: number; workerPrivate: number; master: { pssMb: number; rssMb: number } | undefined }> {
  const found = new Map<string, { worker: number; workerPrivate: number; master: { pssMb: number; rssMb: number } | undefined }>();
  for (const { rival, servers: all } of servers) {
    const workers = all.flatMap((server) => server.boots().map((boot) => memoryOf(boot.pid)));
    const root = all[0]!.pids()[0]!;
    found.set(rival.name, {
      worker: median(workers.map((memory) => memory.pssMb)),
      workerPrivate: median(workers.map((memory) => memory.privateMb)),
      master: rival.name === 'node' ? undefined : memoryOf(root),
    });
  }
  return found;
}

export default trial;
