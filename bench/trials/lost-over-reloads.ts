/** What clients lose when all workers are replaced under load, and when workers are killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { load, lost, type LoadResult } from '../load.js';
import type { Rival } from '../rival.js';
import { oneByOne, pick, Samples, type Trial } from '../trial.js';

const RELOADS = 'reloads';
const KILLS = 'kills';
const BUSY_KILLS = 'kills, 20 ms a request';
/** Of the workers' time. */
const UTILIZATION = 0.7;
const MEAN_MS = 20;
const WORKERS = 4;

const DROVER = ['drover-reuseport', 'drover-unprivileged', 'drover-exclusive', 'drover-grant', 'drover-lock', 'drover-semaphore', 'drover-shared'];

const trial: Trial = {
  name: 'lost-over-reloads',
  title: 'Requests lost over reloads and kills',
  question: 'Clients keep asking while all workers are replaced again and again, or killed: how many requests fail?',
  method:
    'Four workers; 200 new connections a second with one request each and 200 requests a second over 32 keep-alive connections, both open loop. `reloads`: one reload after the other (drover, nginx, Gunicorn: HUP; ' +
    'PM2: `pm2 reload`). `kills`: kill -9 of a random worker twice a second. `' +
    BUSY_KILLS +
    '`: the same where each request is on a new connection and blocks its worker for an exponential time of mean 20 ms, at 70 % load, so that somebody waits as a rule. Lost: refused, reset, closed before the answer, timed out, or not answered with 2xx; a keep-alive connection closed just as it was used again counts ' +
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
    { metric: 'lostNew', condition: BUSY_KILLS, subject: 'drover-reuseport', rival: 'node24-reuseport', op: '<=', target: 0.5, because: 'The same where many are queued.' },
  ],
  async measure(context) {
    const samples = new Samples();
    const seconds = pick(context.mode, { smoke: 2, quick: 2, full: 2.5 });
    const rounds = pick(context.mode, { smoke: 1, quick: 1, full: 5 });
    /** Loads of new connections and of kept ones. */
    const both = (address: string, seed: number): Promise<LoadResult>[] => [
      load({ mode: 'open', address, rate: 200, seconds, timeoutMs: 10_000, seed: 2 * seed + 1 }),
      load({ mode: 'open', address, rate: 200, seconds, keepalive: 32, timeoutMs: 10_000, seed: 2 * seed + 2 }),
    ];
    const busy = (address: string, seed: number): Promise<LoadResult>[] => [
      load({ mode: 'open', address, path: '/work', rate: (UTILIZATION * WORKERS * 1000) / MEAN_MS, seconds, timeoutMs: 10_000, seed }),
    ];
    const underLoad = async (rival: Rival, condition: string, loads: Promise<LoadResult>[], disturb: () => Promise<void>, pauseMs: number): Promise<void> => {
      const results = Promise.all(loads);
      let over = false;
      void results.then(() => (over = true), () => (over = true));
      let events = 0;
      const until = performance.now() + seconds * 1000 - 500;
      await sleep(300);
      while (!over && performance.now() < until) {
        await disturb();
        events++;
        await sleep(pauseMs);
      }
      const [fresh, kept] = (await results) as [LoadResult, LoadResult?];
      const keptErrors = kept === undefined ? { lost: 0, stale: 0 } : { lost: lost(kept), stale: kept.errors.stale };
      samples.add(rival.name, condition, {
        events,
        requests: fresh.planned + (kept?.planned ?? 0),
        lostNew: lost(fresh),
        lostKeepalive: keptErrors.lost - keptErrors.stale,
        stale: keptErrors.stale,
        lostTotal: lost(fresh) + keptErrors.lost,
        maxMs: Math.max(fresh.maxUs, kept?.maxUs ?? 0) / 1000,
      });
    };
    await oneByOne(context, { workers: WORKERS }, async ({ rival, server }) => {
      const { address } = server;
      await load({ mode: 'closed', address, connections: 8, requests: 500 });
      for (let i = 0; i < rounds && server.reload !== undefined; i++) await underLoad(rival, RELOADS, both(address, i), () => server.reload!(), 100);
      // The first process is the master. Workers that are booting or draining are as good a target as any.
      const killOne = async (): Promise<void> => {
        const workers = server.pids().slice(1);
        const victim = workers[Math.floor(Math.random() * workers.length)];
        if (victim !== undefined) process.kill(victim, 'SIGKILL');
        await Promise.resolve();
      };
      for (let i = 0; i < rounds; i++) await underLoad(rival, KILLS, both(address, i), killOne, 500);
      if (!rival.can.includes('block')) return;
      for (let i = 0; i < rounds; i++) {
        // A worker that dies again and again is started after longer and longer pauses, until a reload.
        await server.reload?.();
        await underLoad(rival, BUSY_KILLS, busy(address, i + 1), killOne, 500);
      }
    });
    return samples.cells();
  },
};

export default trial;
