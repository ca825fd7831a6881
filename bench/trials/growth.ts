/** What more workers cost those that are idle: wake-ups per connection from 2 to 64. */
import { oneByOne, pick, Samples, type Trial } from '../trial.js';
import { warmUp, wakeupsPerConnection } from '../wakeups.js';

const trial: Trial = {
  name: 'growth',
  title: 'Growth from 2 to 64 workers',
  question: 'Does a connection cost more when more workers wait for it?',
  method: 'As in “wake-ups per connection”, with 2 to 64 workers.',
  rivals: ['drover-reuseport', 'drover-shared', 'cluster-rr', 'cluster-none', 'node24-reuseport', 'uwsgi', 'nginx-reuseport', 'floor'],
  columns: [
    { metric: 'wakeups', label: 'wake-ups', digits: 2 },
    { metric: 'cpuUs', label: 'CPU µs', digits: 0 },
  ],
  charts: [{ metric: 'wakeups', title: 'Wake-ups per connection, by number of workers', shape: 'lines' }],
  claims: [
    {
      metric: 'wakeups', subject: 'drover-reuseport', condition: '32 workers', rival: 'drover-reuseport', rivalCondition: '2 workers', op: '<=', target: 1.25,
      because: 'The number of workers must not matter to a connection.',
    },
  ],
  async measure(context) {
    const samples = new Samples();
    const size = pick(context.mode, {
      smoke: { rounds: 1, connections: 50, gapUs: 1000, settleMs: 200 },
      quick: { rounds: 3, connections: 120, gapUs: 3000, settleMs: 400 },
      full: { rounds: 8, connections: 120, gapUs: 3000, settleMs: 400 },
    });
    for (const workers of pick(context.mode, { smoke: [2], quick: [2, 32], full: [2, 8, 32, 64] })) {
      await oneByOne(context, { workers }, async ({ rival, server }) => {
        await warmUp(server, workers);
        for (let i = 0; i < size.rounds; i++) samples.add(rival.name, `${workers} workers`, await wakeupsPerConnection(server, size));
      });
    }
    return samples.cells();
  },
};

export default trial;
