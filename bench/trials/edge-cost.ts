/** What the HTTP edge costs per request: trust, limits and refusals look at every one. */
import { load, loadCounted, lost, type LoadOptions } from '../load.js';
import { usageOf } from '../processes.js';
import { interleaved, pick, Samples, type Trial } from '../trial.js';

/** The names of the conditions, and what such a client sends. */
const CLIENTS = new Map<string, LoadOptions['fields']>([['Host alone', undefined], ['a browser', 'browser'], ['a browser behind a proxy', 'proxied']]);

const trial: Trial = {
  name: 'edge-cost',
  title: 'CPU per request of the HTTP edge',
  question: 'What does it cost that every request is looked at before the app has it?',
  method: 'One worker, 32 keep-alive connections, each asks again as soon as it is answered; with the header fields of such a client. CPU over all processes of the server. All servers are up at once and take turns, those that are compared right after each other, and are started anew for every round: two starts of one program differ by some percent. Twice as many requests come before those that are measured, since V8 throws away compiled code while a server waits for its turn. Off means that every option of the edge is off and no policy is installed.',
  rivals: ['drover-edge', 'drover-no-edge', 'node'],
  columns: [
    { metric: 'cpuUs', label: 'CPU µs', digits: 2 },
    { metric: 'kiloInstructions', label: 'instructions, k', digits: 1 },
    { metric: 'lost', label: 'lost', digits: 0 },
  ],
  charts: [{ metric: 'cpuUs', title: 'CPU µs per request on an open connection', shape: 'bars' }],
  claims: [...CLIENTS.keys()].flatMap((condition) => [
    { metric: 'cpuUs', condition, subject: 'drover-edge', rival: 'drover-no-edge', op: '<=' as const, target: 1.08, because: 'One pass over the header fields, and nothing made for requests that nobody asks about.' },
    { metric: 'cpuUs', condition, subject: 'drover-no-edge', rival: 'node', op: '<=' as const, target: 1.05, because: 'After accept the request is Node’s alone; drover only counts it.' },
  ]),
  async measure(context) {
    const samples = new Samples();
    const size = pick(context.mode, {
      smoke: { warmUp: 300, rounds: 1, requests: 300 },
      quick: { warmUp: 20_000, rounds: 3, requests: 10_000 },
      full: { warmUp: 20_000, rounds: 11, requests: 30_000 },
    });
    await interleaved(
      context,
      { workers: 1, rounds: size.rounds, anew: true, claims: trial.claims, conditions: [...CLIENTS.keys()] },
      async ({ server }) => {
        for (const fields of CLIENTS.values()) await load({ ...busy(server.address, fields), requests: size.warmUp });
      },
      async ({ rival, server }, index, condition) => {
        const client = busy(server.address, CLIENTS.get(condition));
        const pids = server.pids();
        await load({ ...client, requests: 2 * size.requests });
        const before = usageOf(pids);
        const result = await loadCounted({ ...client, requests: size.requests, seed: index + 1 }, pids);
        const after = usageOf(pids);
        samples.add(rival.name, condition, {
          cpuUs: (after.cpuNs - before.cpuNs) / 1000 / result.ok,
          kiloInstructions: result.instructions / 1000 / result.ok,
          lost: lost(result),
        });
      },
    );
    return samples.cells();
  },
};

function busy(address: string, fields: LoadOptions['fields']): LoadOptions {
  return { mode: 'closed', address, connections: 32, keepalive: 1, ...(fields === undefined ? {} : { fields }) };
}

export default trial;
