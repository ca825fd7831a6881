/** What clients lose when all workers are replaced under load, and when workers are killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { load, lost } from '../load.js';
import { oneByOne, pick, Samples, type Started, type Trial } from '../trial.js';

const RELOADS = 'reloads';
const KILLS = 'kills';

const DROVER = ['drover-reuseport', 'drover-unprivileged', 'drover-exclusive', 'drover-grant', 'drover-lock', 'drover-semaphore', 'drover-shared'];

const trial: Trial = {
  name: 'lost-over-reloads',
  title: 'Requests lost over reloads and kills',
  question: 'Clients keep asking while all workers are replaced again and again, or killed: how many requests fail?',
  method:
    'Four workers; 200 new connections a second with one request each and 200 requests a second over 32 keep-alive connections, both open loop. `reloads`: one reload after the other (drover, nginx, Gunicorn: HUP; ' +
    'PM2: `pm2 reload`). `kills`: kill -9 of a random worker twice a second. Lost: refused, reset, closed before the answer, timed out, or not answered with 2xx; a keep-alive connection closed just as it was used again counts ' +
    'as lost too, in a column of its own (such requests were never begun, and a client may send them again).',
  rivals: [...DROVER, 'cluster-rr', 'node24-reuseport', 'pm2', 'gunicorn-sync', 'gunicorn-gevent', 'nginx-shared', 'nginx-reuseport'],
  columns: [
    { metric: 'events', label: 'reloads or kills', digits: 0 },
    { metric: 'requests', label: 'requests', digits: 0 },
    { metric: 'lostNew', label: 'lost, new connections', digits: 0 },
    { metric: 'lostKeepalive', label: 'lost, keep-alive', digits: 0 },
    { metric: 'stale', label: 'closed when reused', digits: 0 },
    { metric: 'maxMs', label: 'slowest ms', digits: 0 },
  ],
  charts: [{ metric: 'lostTotal', title: 'Requests lost', shape: 'bars' }],
  claims: [
    ...DROVER.map((subject) => ({ metric: 'lostTotal', condition: RELOADS, subject, op: '<=' as const, target: 0, because: 'A reload loses nothing.' })),
    { metric: 'lostNew', condition: KILLS, subject: 'drover-reuseport', rival: 'node24-reuseport', op: '<=', target: 1, because: 'Nobody who is still queued is lost with a worker.' },
  ],
  async measure(context) {
    const samples = new Samples();
    const seconds = pick(context.mode, { smoke: 2, quick: 2.5, full: 12 });
    const rounds = pick(context.mode, { smoke: 1, quick: 5, full: 5 });
    const underLoad = async ({ rival, server }: Started, condition: string, round: number, disturb: () => Promise<void>, pauseMs: number): Promise<void> => {
      const { address } = server;
      const loads = Promise.all([
        load({ mode: 'open', address, rate: 200, seconds, timeoutMs: 10_000, seed: 2 * round + 1 }),
        load({ mode: 'open', address, rate: 200, seconds, keepalive: 32, timeoutMs: 10_000, seed: 2 * round + 2 }),
      ]);
      let over = false;
      void loads.then(() => (over = true), () => (over = true));
      let events = 0;
      const until = performance.now() + seconds * 1000 - 500;
      await sleep(300);
      while (!over && performance.now() < until) {
        await disturb();
        events++;
        await sleep(pauseMs);
      }
      const [fresh, kept] = await loads;
      samples.add(rival.name, condition, {
        events,
        requests: fresh.planned + kept.planned,
        lostNew: lost(fresh),
        lostKeepalive: lost(kept) - kept.errors.stale,
        stale: kept.errors.stale,
        lostTotal: lost(fresh) + lost(kept),
        maxMs: Math.max(fresh.maxUs, kept.maxUs) / 1000,
      });
    };
    await oneByOne(context, { workers: 4 }, async (started) => {
      const { server } = started;
      await load({ mode: 'closed', address: server.address, connections: 8, requests: 500 });
      for (let i = 0; i < rounds && server.reload !== undefined; i++) await underLoad(started, RELOADS, i, () => server.reload!(), 100);
      // The first process is the master. Workers that are booting or draining are as good a target as any.
      const killOne = async (): Promise<void> => {
        const workers = server.pids().slice(1);
        const victim = workers[Math.floor(Math.random() * workers.length)];
        if (victim !== undefined) process.kill(victim, 'SIGKILL');
        await Promise.resolve();
      };
      for (let i = 0; i < rounds; i++) await underLoad(started, KILLS, i, killOne, 500);
    });
    return samples.cells();
  },
};

export default trial;
