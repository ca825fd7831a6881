/**
 * Every operation in every state, from one body: whatever is asked of drover, and whenever, it ends in a state of order. Either it goes
 * on, with the number of workers it should have, and answers; or it has stopped with exit code 0 and left nothing behind.
 */
import test from 'ava';
import { fixture, start, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

/** Two workers; brings drover into a state and answers what is running there. */
const STATES: Record<string, (d: Drover) => Promise<void>> = {
  serving: async () => {},
  'in the middle of a reload': async (d) => {
    const mark = d.mark();
    d.signal('SIGHUP');
    await d.event('worker.spawned', {}, mark);
  },
  'with a request running': async (d) => {
    get(await d.address(), '/700').catch(() => {});
    await d.until('the request to begin', () => /begun \/700/.exec(d.text) ?? undefined);
  },
  'while a worker drains': async (d) => {
    get(await d.address(), '/700').catch(() => {});
    await d.until('the request to begin', () => /begun \/700/.exec(d.text) ?? undefined);
    d.signal('SIGHUP');
    await d.event('worker.draining');
  },
  'while a worker is added': async (d) => {
    const mark = d.mark();
    d.signal('SIGTTIN');
    await d.event('worker.spawned', {}, mark);
    // The tests count two workers.
    d.signal('SIGTTOU');
  },
  'with a worker just dead': async (d) => {
    const [worker] = d.workers();
    process.kill(worker!, 'SIGKILL');
    await d.event('worker.died', { worker });
  },
  'without workers': async (d) => {
    d.signal('SIGWINCH');
    await d.count(2, 'worker.exited');
  },
};

interface Operation {
  run: (d: Drover) => Promise<void> | void;
  /** How it ends: stopped, without workers, or so many workers. `from` is 0 in the state "without workers", else 2. */
  ends: (from: number) => number | 'stopped';
}

const OPERATIONS: Record<string, Operation> = {
  HUP: { run: (d) => d.signal('SIGHUP'), ends: () => 2 },
  'HUP twice': {
    run: (d) => {
      d.signal('SIGHUP');
      d.signal('SIGHUP');
    },
    ends: () => 2,
  },
  'TTIN and TTOU': {
    run: async (d) => {
      const mark = d.mark();
      d.signal('SIGTTIN');
      await d.event('workers.changed', {}, mark);
      d.signal('SIGTTOU');
    },
    // After WINCH the first brings all back.
    ends: (from) => (from === 0 ? 1 : 2),
  },
  USR1: { run: (d) => d.signal('SIGUSR1'), ends: (from) => from },
  WINCH: { run: (d) => d.signal('SIGWINCH'), ends: () => 0 },
  'kill -9 of all workers': {
    run: (d) => {
      for (const pid of d.workers()) process.kill(pid, 'SIGKILL');
    },
    ends: (from) => from,
  },
  TERM: { run: (d) => d.signal('SIGTERM'), ends: () => 'stopped' },
  INT: { run: (d) => d.signal('SIGINT'), ends: () => 'stopped' },
};

/** What the strategies do differently, workers that come and go, is in these states. */
const BOTH_STRATEGIES = ['serving', 'in the middle of a reload'];

for (const [state, reach] of Object.entries(STATES)) {
  for (const strategy of BOTH_STRATEGIES.includes(state) ? ['shared', 'reuseport'] : ['reuseport']) {
    for (const [operation, { run, ends }] of Object.entries(OPERATIONS)) {
      test.serial(`${operation}, ${state}: ${strategy}`, async (t) => {
        const d = start(t, [fixture('slow.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', strategy, '--graceful-timeout', '5']);
        await d.ready();
        const address = await d.address();
        await reach(d);
        await run(d);
        const end = ends(state === 'without workers' ? 0 : 2);
        if (end === 'stopped') {
          t.deepEqual(await d.finished(), { code: 0, signal: null }, d.log());
          return;
        }
        // A signal that comes later is seen later: what is asked after USR1 is seen has been asked after all before it.
        await d.until('the count to settle', () => (settled(d, end) ? true : undefined));
        if (end > 0) t.regex((await get(address, '/0')).body, /^done/);
        t.is(d.exit, undefined);
        t.deepEqual(d.events('master.failed'), []);
      });
    }
  }
}

/** So many workers ready, and nobody still on the way in or out. */
function settled(d: Drover, workers: number): boolean {
  const spawned = d.events('worker.spawned').map((record) => record['worker']);
  const gone = new Set([...d.events('worker.exited'), ...d.events('worker.died')].map((record) => record['worker']));
  const alive = spawned.filter((pid) => !gone.has(pid));
  return alive.length === workers && d.workers().length === workers;
}
