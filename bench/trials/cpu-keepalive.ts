/** What one request on an open connection costs: drover must not be in its way. */
import { load, loadCounted, lost } from '../load.js';
import { quantile } from '../histogram.js';
import { usageOf } from '../processes.js';
import { interleaved, pick, Samples, type Trial } from '../trial.js';

const trial: Trial = {
  name: 'cpu-keepalive',
  title: 'CPU per request on open connections',
  question: 'Once a connection is open, does a request cost more than under plain `node`?',
  method: 'Two workers, 32 keep-alive connections, each asks again as soon as it is answered. CPU over all processes of the server. All servers are up at once and take turns, those that are compared right after each other, each warmed up before, and are started anew for every round: two starts of one program differ by some percent.',
  rivals: [
    'drover-reuseport', 'drover-shared', 'drover-reuseport-node24', 'node', 'cluster-rr', 'cluster-none', 'node24-reuseport', 'pm2', 'bun',
    'gunicorn-gevent', 'nginx-shared', 'nginx-reuseport', 'floor',
  ],
  columns: [
    { metric: 'cpuUs', label: 'CPU µs', digits: 1 },
    { metric: 'kiloInstructions', label: 'instructions, k', digits: 0 },
    { metric: 'p50Ms', label: 'p50 ms', digits: 2 },
    { metric: 'p99Ms', label: 'p99 ms', digits: 2 },
    { metric: 'lost', label: 'lost', digits: 0 },
  ],
  charts: [{ metric: 'cpuUs', title: 'CPU µs per request on an open connection', shape: 'bars' }],
  claims: [
    { metric: 'cpuUs', subject: 'drover-reuseport', rival: 'cluster-none', op: '<=', target: 1.05, because: 'After accept the request is Node’s alone; drover only counts it.' },
    { metric: 'cpuUs', subject: 'drover-reuseport-node24', rival: 'node24-reuseport', op: '<=', target: 1.05, because: 'The same under Node 24.' },
  ],
  async measure(context) {
    const samples = new Samples();
    const size = pick(context.mode, {
      smoke: { warmUp: 300, rewarm: 0, rounds: 1, requests: 300 },
      quick: { warmUp: 10_000, rewarm: 4000, rounds: 3, requests: 6000 },
      full: { warmUp: 20_000, rewarm: 8000, rounds: 11, requests: 20_000 },
    });
    await interleaved(
      context,
      { workers: 2, rounds: size.rounds, anew: true, claims: trial.claims, conditions: [''] },
      async ({ server }) => {
        await load({ mode: 'closed', address: server.address, connections: 32, requests: size.warmUp, keepalive: 1 });
      },
      async ({ rival, server }, index) => {
        const busy = { mode: 'closed', address: server.address, connections: 32, keepalive: 1 } as const;
        // While a server waits for its turn V8 throws away compiled code; what is measured is a server at work.
        if (size.rewarm > 0) await load({ ...busy, requests: size.rewarm });
        const pids = server.pids();
        const before = usageOf(pids);
        const result = await loadCounted({ ...busy, requests: size.requests, seed: index + 1 }, pids);
        const after = usageOf(pids);
        samples.add(rival.name, '', {
          cpuUs: (after.cpuNs - before.cpuNs) / 1000 / result.ok,
          kiloInstructions: result.instructions / 1000 / result.ok,
          p50Ms: quantile(result.histogram, 0.5) / 1000,
          p99Ms: quantile(result.histogram, 0.99) / 1000,
          lost: lost(result),
        });
      },
    );
    return samples.cells();
  },
};

export default trial;
