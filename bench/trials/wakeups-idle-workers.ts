/** The thundering herd: how many wake-ups a single connection causes among 32 idle workers. */
import { oneByOne, pick, Samples, type Trial } from '../trial.js';
import { warmUp, wakeupsPerConnection } from '../wakeups.js';

const trial: Trial = {
  name: 'wakeups-idle-workers',
  title: 'Wake-ups per connection, 32 idle workers',
  question: 'When one connection arrives and 32 workers wait for it, how many wake up?',
  method:
    'Connections with one request each, one at a time, a few milliseconds apart. Counted are the voluntary context switches of all threads of all processes of the server; ' +
    'those of an idle stretch before are taken off. The workers have had 16 connections each, on average, before anything is counted. One to accept and most of one to read the request is the floor.',
  rivals: [
    'drover-reuseport', 'drover-unprivileged', 'drover-exclusive', 'drover-grant', 'drover-lock', 'drover-semaphore', 'drover-shared', 'drover-reuseport-node24', 'cluster-rr', 'cluster-none', 'node24-reuseport', 'bun', 'gunicorn-sync', 'gunicorn-gevent',
    'uwsgi', 'uwsgi-thunder-lock', 'nginx-shared', 'nginx-reuseport', 'floor',
  ],
  columns: [
    { metric: 'wakeups', label: 'wake-ups', digits: 2 },
    { metric: 'cpuUs', label: 'CPU µs', digits: 0 },
    { metric: 'lost', label: 'lost', digits: 0 },
  ],
  charts: [{ metric: 'wakeups', title: 'Wake-ups per connection, 32 idle workers', shape: 'bars' }],
  claims: [
    ...['drover-reuseport', 'drover-unprivileged', 'drover-exclusive'].map((subject) => ({ metric: 'wakeups', subject, rival: 'floor', op: '<=' as const, target: 1.15, because: 'One connection wakes one worker.' })),
    ...['drover-grant', 'drover-lock'].map((subject) => ({ metric: 'wakeups', subject, op: '<=' as const, target: 3.2, because: 'One hop more: whoever places the connection wakes too.' })),
    { metric: 'wakeups', subject: 'drover-reuseport-node24', rival: 'node24-reuseport', op: '<=', target: 1.05, because: 'Stealing must not wake siblings of an idle owner.' },
  ],
  async measure(context) {
    const samples = new Samples();
    const workers = pick(context.mode, { smoke: 4, quick: 32, full: 32 });
    const rounds = pick(context.mode, { smoke: 1, quick: 3, full: 8 });
    const size = pick(context.mode, {
      smoke: { connections: 50, gapUs: 1000, settleMs: 200 },
      quick: { connections: 200, gapUs: 3000, settleMs: 700 },
      full: { connections: 250, gapUs: 3000, settleMs: 700 },
    });
    await oneByOne(context, { workers }, async ({ rival, server }) => {
      await warmUp(server, workers);
      for (let i = 0; i < rounds; i++) samples.add(rival.name, '', await wakeupsPerConnection(server, size));
    });
    return samples.cells();
  },
};

export default trial;
