/** One request at a time per worker: do eight workers serve as one queue, or as eight? */
import { merge, quantile } from '../histogram.js';
import { load, lost } from '../load.js';
import { oneByOne, pick, Samples, type Trial } from '../trial.js';

const WORKERS = 8;
const MEAN_MS = 20;
const UTILIZATION = 0.7;
const RATE = (UTILIZATION * WORKERS * 1000) / MEAN_MS;
const DROVER = 'drover-reuseport-one';

const trial: Trial = {
  name: 'one-queue-or-many',
  title: 'One queue or many',
  question: 'Eight workers whose requests block them: how far is the tail from that of one ideal queue?',
  method:
    `${WORKERS} workers; each request blocks its worker, off the CPU, for an exponential time of mean ${MEAN_MS} ms; Poisson arrivals at ${UTILIZATION * 100} % load (${RATE} a second), each on a new connection, open loop. ` +
    `The ideal is M/M/${WORKERS}: one queue, no cost, p99 ${idealMs(0.99).toFixed(1)} ms by Erlang's formula; the last column is the p99 as a multiple of it.`,
  rivals: [DROVER, 'drover-grant-one', 'drover-reuseport', 'cluster-rr', 'cluster-none', 'node24-reuseport'],
  columns: [
    { metric: 'p50Ms', label: 'p50 ms', digits: 1 },
    { metric: 'p99Ms', label: 'p99 ms', digits: 1 },
    { metric: 'p999Ms', label: 'p99.9 ms', digits: 1 },
    { metric: 'lost', label: 'lost', digits: 0 },
    { metric: 'ofIdeal', label: 'p99 ÷ ideal', digits: 2 },
  ],
  charts: [{ metric: 'p99Ms', title: 'p99, ms', shape: 'bars' }],
  claims: [
    { metric: 'ofIdeal', subject: DROVER, op: '<=', target: 1.2, because: 'A worker that has a request takes no other; whoever is free takes it at once.' },
    { metric: 'p99Ms', subject: DROVER, rival: 'node24-reuseport', op: '<=', target: 0.5, because: 'Eight queues: a connection waits behind a busy worker while others are idle.' },
    { metric: 'p99Ms', subject: DROVER, rival: 'cluster-rr', op: '<=', target: 1, because: 'Round-robin gives connections to workers that are busy.' },
  ],
  async measure(context) {
    const samples = new Samples();
    const seconds = pick(context.mode, { smoke: 1, quick: 4, full: 10 });
    const rounds = pick(context.mode, { smoke: 1, quick: 2, full: 5 });
    await oneByOne(context, { workers: WORKERS }, async ({ rival, server }) => {
      const { address } = server;
      await load({ mode: 'closed', address, connections: 8, requests: pick(context.mode, { smoke: 100, quick: 2000, full: 2000 }) });
      for (let i = 0; i < rounds; i++) {
        const result = await load({ mode: 'open', address, path: '/work', rate: RATE, seconds, seed: i + 1 });
        const histogram = merge([result.histogram]);
        const p99Ms = quantile(histogram, 0.99) / 1000;
        samples.add(rival.name, '', {
          p50Ms: quantile(histogram, 0.5) / 1000,
          p99Ms,
          p999Ms: quantile(histogram, 0.999) / 1000,
          lagMs: result.lagUs / 1000,
          lost: lost(result),
          ofIdeal: p99Ms / idealMs(0.99),
        });
      }
    });
    return samples.cells();
  },
};

/** The time in an M/M/c system, waiting and service, that the fraction `q` of all requests does not exceed. */
export function idealMs(q: number, servers = WORKERS, utilization = UTILIZATION, meanMs = MEAN_MS): number {
  // Erlang B by recursion, then C: the probability that a request has to wait; if it does, the wait is exponential.
  const offered = servers * utilization;
  let blocked = 1;
  for (let n = 1; n <= servers; n++) blocked = (offered * blocked) / (n + offered * blocked);
  const waits = blocked / (1 - utilization * (1 - blocked));
  const [service, queue] = [1, servers - offered]; // rates, per mean service time
  const later = (t: number): number => (1 - waits) * Math.exp(-service * t) + (waits * (queue * Math.exp(-service * t) - service * Math.exp(-queue * t))) / (queue - service);
  let [low, high] = [0, 1000];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (later(middle) > 1 - q) low = middle;
    else high = middle;
  }
  return low * meanMs;
}

export default trial;
