/** What a static file costs. */
import { load, lost } from '../load.js';
import { usageOf } from '../processes.js';
import { SIZES } from '../rivals/static.js';
import { interleaved, pick, Samples, type Trial } from '../trial.js';

const trial: Trial = {
  name: 'static-files',
  title: 'CPU per static file',
  question: 'What does a file cost, from 4 KiB to 64 MiB?',
  method: 'One worker, 8 keep-alive connections, plain HTTP over loopback, files in the page cache. CPU over all processes of the server. All servers are up at once and take turns, those that are compared right after each other, each warmed up before; with the small files until V8 has compiled what there is to compile, and again at each turn.',
  rivals: ['static-drover', 'static-drover-read', 'static-drover-sirv', 'static-sirv', 'static-fastify', 'static-stream', 'static-bun', 'static-nginx'],
  columns: [
    { metric: 'cpuUs', label: 'CPU µs', digits: 1 },
    { metric: 'lost', label: 'lost', digits: 0 },
  ],
  charts: [{ metric: 'cpuUs', title: 'CPU µs per file', shape: 'bars' }],
  claims: [
    { metric: 'cpuUs', condition: '64k', subject: 'static-drover', rival: 'static-sirv', op: '<=', target: 0.2, because: 'No streams, no thread pool: two system calls.' },
    { metric: 'cpuUs', condition: '1m', subject: 'static-drover', rival: 'static-sirv', op: '<=', target: 0.2, because: 'sendfile(2).' },
    { metric: 'cpuUs', condition: '64k', subject: 'static-drover', rival: 'static-nginx', op: '<=', target: 1.5, because: 'What is left is Node’s parser and its request objects.' },
    { metric: 'cpuUs', condition: '1m', subject: 'static-drover', rival: 'static-nginx', op: '<=', target: 1.5, because: 'The kernel does the same for both.' },
  ],
  async measure(context) {
    const samples = new Samples();
    const rounds = pick(context.mode, { smoke: 1, quick: 3, full: 11 });
    const requests = {
      '4k': pick(context.mode, { smoke: 50, quick: 3000, full: 6000 }),
      '64k': pick(context.mode, { smoke: 50, quick: 2500, full: 5000 }),
      '1m': pick(context.mode, { smoke: 8, quick: 200, full: 400 }),
      '64m': pick(context.mode, { smoke: 1, quick: 3, full: 4 }),
    };
    /** Of the sizes that are answered from memory. */
    const warmUp = pick(context.mode, { smoke: 50, quick: 8000, full: 20_000 });
    const sizes = Object.keys(SIZES) as (keyof typeof SIZES)[];
    const ask = (address: string, size: keyof typeof SIZES, count: number, seed: number) =>
      load({ mode: 'closed', address, connections: Math.min(8, count), requests: count, keepalive: 1, path: `/${size}.bin`, timeoutMs: 60_000, seed });
    await interleaved(
      context,
      { workers: 1, rounds, claims: trial.claims, conditions: sizes },
      async ({ server }) => {
        for (const size of sizes) await ask(server.address, size, isSmall(size) ? warmUp : requests[size], 1);
      },
      async ({ rival, server }, index, size) => {
        // While a server waits for its turn V8 throws away compiled code; what is measured is a server at work.
        if (isSmall(size)) await ask(server.address, size, Math.ceil(requests[size] / 3), 1);
        const pids = server.pids();
        const before = usageOf(pids);
        const result = await ask(server.address, size, requests[size], index + 1);
        const after = usageOf(pids);
        samples.add(rival.name, size, { cpuUs: (after.cpuNs - before.cpuNs) / 1000 / result.ok, lost: lost(result) });
      },
    );
    return samples.cells();
  },
};

/** So small that what is measured is mostly code, which V8 compiles only when it has run thousands of times. */
function isSmall(size: keyof typeof SIZES): boolean {
  return SIZES[size] <= SIZES['64k'];
}

export default trial;
