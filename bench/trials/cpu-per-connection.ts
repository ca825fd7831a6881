/** What a new connection with one request costs. Issue 2, point 8. */
import { load, loadCounted, lost, type LoadOptions } from '../load.js';
import { quantile } from '../histogram.js';
import { usageOf } from '../processes.js';
import { interleaved, pick, Samples, type Started, type Trial } from '../trial.js';

const BUSY = 'busy';
const HALF = '400 a second';

const trial: Trial = {
  name: 'cpu-per-connection',
  title: 'CPU per new connection',
  question: 'How much CPU does a new connection with one request cost, over all processes of the server?',
  method:
    'Two workers. Every request comes on a connection of its own (`Connection: close`). `busy`: 16 clients, each asks again as soon as it is answered. ' +
    '`400 a second`: Poisson arrivals, so that workers sleep between connections. CPU is user and system time of master and workers together, from the scheduler’s ' +
    'nanosecond counts; instructions (user and kernel, by `perf`) hardly depend on what else the machine does. All servers are up at once and take turns, those that are compared right after each other; each is warmed up by a first load, until V8 has compiled what there is to compile (with 12,000 connections it had not), and again at each turn; and they are started anew for every round: under Node 24 a process may, by chance, come to copy dead objects at each young collection, until the next full one.',
  rivals: [
    'drover-reuseport', 'drover-shared', 'drover-reuseport-node24', 'node', 'cluster-rr', 'cluster-none', 'cluster-rr-node24', 'node24-reuseport',
    'pm2', 'bun', 'gunicorn-sync', 'gunicorn-gevent', 'uwsgi', 'nginx-shared', 'nginx-reuseport', 'floor',
  ],
  columns: [
    { metric: 'cpuUs', label: 'CPU µs', digits: 1 },
    { metric: 'kiloInstructions', label: 'instructions, k', digits: 0 },
    { metric: 'wakeups', label: 'wake-ups', digits: 2 },
    { metric: 'p50Ms', label: 'p50 ms', digits: 2 },
    { metric: 'p99Ms', label: 'p99 ms', digits: 2 },
    { metric: 'lost', label: 'lost', digits: 0 },
  ],
  charts: [{ metric: 'cpuUs', title: 'CPU µs per new connection with one request', shape: 'bars' }],
  claims: [
    { metric: 'cpuUs', condition: BUSY, subject: 'drover-reuseport', rival: 'cluster-rr', op: '<=', target: 0.4, atBest: 'node', because: 'No connection passes through a JavaScript primary.' },
    { metric: 'cpuUs', condition: HALF, subject: 'drover-reuseport', rival: 'cluster-rr', op: '<=', target: 0.4, atBest: 'node', because: 'The same with workers that sleep in between.' },
    { metric: 'cpuUs', condition: BUSY, subject: 'drover-reuseport-node24', rival: 'node24-reuseport', op: '<=', target: 1.05, because: 'Coordination must cost next to nothing beside Node’s own reusePort, same Node.' },
    { metric: 'cpuUs', condition: HALF, subject: 'drover-reuseport-node24', rival: 'node24-reuseport', op: '<=', target: 1.05, because: 'The same with workers that sleep in between.' },
  ],
  async measure(context) {
    const samples = new Samples();
    const size = pick(context.mode, {
      smoke: { warmUp: 200, rewarm: 0, rounds: 1, requests: 200, seconds: 0.5 },
      quick: { warmUp: 20_000, rewarm: 2000, rounds: 3, requests: 2000, seconds: 0.7 },
      full: { warmUp: 30_000, rewarm: 8000, rounds: 8, requests: 6000, seconds: 1.2 },
    });
    const measured = async (started: Started, condition: string, options: Omit<LoadOptions, 'address'>): Promise<void> => {
      const pids = started.server.pids();
      const before = usageOf(pids);
      const result = await loadCounted({ ...options, address: started.server.address }, pids);
      const after = usageOf(pids);
      samples.add(started.rival.name, condition, {
        cpuUs: (after.cpuNs - before.cpuNs) / 1000 / result.ok,
        kiloInstructions: result.instructions / 1000 / result.ok,
        wakeups: (after.wakeups - before.wakeups) / result.ok,
        p50Ms: quantile(result.histogram, 0.5) / 1000,
        p99Ms: quantile(result.histogram, 0.99) / 1000,
        lost: lost(result),
      });
    };
    await interleaved(
      context,
      { workers: 2, rounds: size.rounds, anew: true, claims: trial.claims, conditions: [BUSY, HALF] },
      async ({ server }) => {
        await load({ mode: 'closed', address: server.address, connections: 16, requests: size.warmUp });
      },
      async (started, index, condition) => {
        // While a server waits for its turn V8 throws away compiled code; what is measured is a server at work.
        if (size.rewarm > 0) await load({ mode: 'closed', address: started.server.address, connections: 16, requests: size.rewarm });
        if (condition === HALF) return measured(started, HALF, { mode: 'open', rate: 400, seconds: size.seconds, seed: index + 1 });
        await measured(started, BUSY, { mode: 'closed', connections: 16, requests: size.requests, seed: index + 1 });
      },
    );
    return samples.cells();
  },
};

export default trial;
