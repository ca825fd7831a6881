/** Balance: how evenly long-lived connections (WebSockets, server-sent events, keep-alive) lie on the workers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { load, lost } from '../load.js';
import { jain } from '../statistics.js';
import { oneByOne, pick, Samples, type Trial } from '../trial.js';

/** With the privilege to steer by a program, or one that decides for all; and those without. */
const EVEN = ['drover-reuseport', 'drover-grant', 'drover-exclusive'];
const NEARLY_EVEN = ['drover-unprivileged', 'drover-lock', 'drover-semaphore'];

const trial: Trial = {
  name: 'held-connections',
  title: 'Balance of held connections',
  question: 'Many clients stay connected: does every worker hold its share?',
  method:
    '400 connections over 4 workers stay open; each was answered once with its worker’s pid, and the answers are counted. Opened one after the other (`paced`), all at once (`burst`), or paced and then ' +
    'closed and opened again at random (`churn`). Jain’s index is 1 when all hold the same, 0.25 when one of four holds all.',
  rivals: [...EVEN, ...NEARLY_EVEN, 'drover-shared', 'cluster-rr', 'cluster-none', 'node24-reuseport', 'pm2', 'bun', 'gunicorn-gevent', 'nginx-shared', 'nginx-reuseport', 'floor'],
  columns: [
    { metric: 'jain', label: 'Jain', digits: 4 },
    { metric: 'most', label: 'most on one', digits: 0 },
    { metric: 'least', label: 'least on one', digits: 0 },
    { metric: 'lost', label: 'lost', digits: 0 },
  ],
  charts: [{ metric: 'jain', title: 'Jain’s index of 400 connections over 4 workers (1 is even)', shape: 'bars' }],
  claims: ['paced', 'burst', 'churn'].flatMap((condition) => [
    ...EVEN.map((subject) => ({ metric: 'jain', condition, subject, op: '>=' as const, target: 0.999, because: 'Who places connections knows what every worker holds.' })),
    ...NEARLY_EVEN.map((subject) => ({ metric: 'jain', condition, subject, op: '>=' as const, target: 0.98, because: 'Chance, or whoever is idle, decides; the loads correct it.' })),
  ]),
  async measure(context) {
    const samples = new Samples();
    const workers = 4;
    const connections = pick(context.mode, { smoke: 40, quick: 400, full: 400 });
    const rounds = pick(context.mode, { smoke: 1, quick: 2, full: 8 });
    await oneByOne(context, { workers }, async ({ rival, server }) => {
      for (let i = 0; i < rounds; i++) {
        for (const pattern of ['paced', 'burst', 'churn'] as const) {
          const result = await load({
            mode: 'hold', address: server.address, path: '/pid', connections, pattern, gapUs: pattern === 'burst' ? 0 : 500, turns: connections, seed: i + 1,
          });
          const shares = Object.values(result.bodies);
          while (shares.length < workers) shares.push(0);
          samples.add(rival.name, pattern, { jain: jain(shares), most: Math.max(...shares), least: Math.min(...shares), lost: lost(result) });
          await sleep(300); // the server sees all of them gone before the next begins
        }
      }
    });
    return samples.cells();
  },
};

export default trial;
