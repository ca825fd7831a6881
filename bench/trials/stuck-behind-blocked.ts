/** Head-of-line blocking at the accept queue: one worker is busy, do others' clients wait for it? */
import { setTimeout as sleep } from 'node:timers/promises';
import { merge, quantile } from '../histogram.js';
import { load, lost, type LoadResult } from '../load.js';
import { oneByOne, pick, Samples, type Trial } from '../trial.js';

const FREE = 'nobody blocks';
const BLOCKED = 'one of four blocks';
/** Of drover's, those that promise it. */
const COORDINATED = ['drover-reuseport', 'drover-unprivileged', 'drover-exclusive', 'drover-grant', 'drover-lock', 'drover-semaphore'];

const trial: Trial = {
  name: 'stuck-behind-blocked',
  title: 'Connections stuck behind a blocked worker',
  question: 'While one of four workers is out of its event loop for 400 ms in every 500, how many new connections wait for it?',
  method:
    'Four workers, Poisson arrivals of 400 connections a second with one request each, open loop: latency counts from the moment a request was due. The blocked worker sleeps off the CPU. ' +
    'A round has 1,000 connections, so its p99.9 is nearly the slowest. Stuck: answered later than 50 ms. A few cannot be helped by any server: those whose worker blocked after it had accepted them and before it read their request.',
  rivals: [...COORDINATED, 'drover-shared', 'cluster-rr', 'cluster-none', 'node24-reuseport', 'bun', 'pm2', 'floor'],
  columns: [
    { metric: 'stuckPercent', label: 'stuck %', digits: 2 },
    { metric: 'p50Ms', label: 'p50 ms', digits: 2 },
    { metric: 'p99Ms', label: 'p99 ms', digits: 1 },
    { metric: 'p999Ms', label: 'p99.9 ms', digits: 1 },
    { metric: 'maxMs', label: 'max ms', digits: 0 },
    { metric: 'lost', label: 'lost', digits: 0 },
  ],
  charts: [{ metric: 'stuckPercent', title: 'Connections stuck longer than 50 ms, %', shape: 'bars' }],
  claims: [
    ...COORDINATED.flatMap((subject) => [
      { metric: 'stuckPercent', condition: BLOCKED, subject, op: '<=' as const, target: 0, because: 'Nobody waits behind a worker that is away: an idle one takes the connection at once.' },
      {
        metric: 'p999Ms', condition: BLOCKED, subject, rival: subject, rivalCondition: FREE, op: '<=' as const, target: 3,
        because: 'A blocked worker costs the clients of the others nothing.',
      },
    ]),
    {
      metric: 'p999Ms', condition: BLOCKED, subject: 'drover-unprivileged', rival: 'drover-reuseport', op: '<=', target: 2,
      because: 'Most containers have no capability: they must not pay for it.',
    },
  ],
  async measure(context) {
    const samples = new Samples();
    const seconds = pick(context.mode, { smoke: 1, quick: 1.2, full: 2.5 });
    const rounds = pick(context.mode, { smoke: 1, quick: 2, full: 5 });
    const record = (rival: string, condition: string, result: LoadResult): void => {
      const histogram = merge([result.histogram]);
      samples.add(rival, condition, {
        stuckPercent: (result.stuck / result.planned) * 100,
        p50Ms: quantile(histogram, 0.5) / 1000,
        p99Ms: quantile(histogram, 0.99) / 1000,
        p999Ms: quantile(histogram, 0.999) / 1000,
        maxMs: result.maxUs / 1000,
        lagMs: result.lagUs / 1000,
        lost: lost(result),
      });
    };
    await oneByOne(context, { workers: 4 }, async ({ rival, server }) => {
      const { address } = server;
      await load({ mode: 'closed', address, connections: 8, requests: pick(context.mode, { smoke: 100, quick: 3000, full: 3000 }) });
      for (let i = 0; i < rounds; i++) record(rival.name, FREE, await load({ mode: 'open', address, rate: 400, seconds, seed: i + 1 }));
      // Whoever gets this request blocks from now on.
      await load({ mode: 'closed', address, connections: 1, requests: 1, path: '/block' });
      await sleep(200);
      for (let i = 0; i < rounds; i++) record(rival.name, BLOCKED, await load({ mode: 'open', address, rate: 400, seconds, seed: i + 101 }));
    });
    return samples.cells();
  },
};

export default trial;
