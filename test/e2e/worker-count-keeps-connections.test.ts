/** TTIN and TTOU under load. */
import test from 'ava';
import http from 'node:http';
import { fixture, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { Load } from '../helpers/load.js';

for (const strategy of ['shared', 'reuseport']) {
  test.serial(`20 × TTIN and TTOU under 32 clients lose nothing: ${strategy}`, async (t) => {
    const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', strategy]);
    await d.ready();
    const load = Load.run(t, await d.address());
    await load.asked(64);
    for (let n = 1; n <= 20; n += 1) {
      d.signal('SIGTTIN');
      await d.count(2 + n, 'worker.ready');
      await load.asked(32);
      d.signal('SIGTTOU');
      await d.count(n, 'worker.draining');
      await load.asked(32);
    }
    const { lost, bodies } = await load.stop();
    t.deepEqual(lost, []);
    t.true(bodies.size > 10, 'the added workers took part');
    t.is(d.events('workers.changed', { from: 2, to: 3 }).length, 20);
    t.is(d.events('workers.changed', { from: 3, to: 2 }).length, 20);
    t.deepEqual(d.events('worker.died'), []);
  });
}

test.serial('from two workers to six and down to one loses nothing', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0']);
  await d.ready();
  const load = Load.run(t, await d.address());
  await load.asked(64);
  for (let workers = 3; workers <= 6; workers += 1) {
    d.signal('SIGTTIN');
    await d.event('workers.changed', { to: workers });
  }
  await d.count(6, 'worker.ready');
  await load.asked(64);
  for (let workers = 5; workers >= 1; workers -= 1) {
    d.signal('SIGTTOU');
    await d.event('workers.changed', { from: workers + 1, to: workers });
  }
  await d.count(5, 'worker.exited');
  await load.asked(64);
  const { lost } = await load.stop();
  t.deepEqual(lost, []);
  t.is(d.workers().length, 1);
});

for (const strategy of ['reuseport', 'lock']) {
  test.serial(`a worker that is out of descriptors when others come serves on: ${strategy}`, async (t) => {
    const d = await start(t, [fixture('starves.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', strategy], { prefix: ['sh', '-c', 'ulimit -n 200; exec "$@"', 'sh'] }).ready();
    const address = await d.address();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    const starved = Number((await get(address, '/starve', { agent })).body);
    d.signal('SIGTTIN');
    await d.event('worker.ready', { slot: 2 });
    await d.event('worker.accept-error', { worker: starved, error: 'EMFILE' });
    t.is(Number((await get(address, '/relieve', { agent })).body), starved);
    // What it could not take comes with the next change.
    d.signal('SIGTTOU');
    await d.event('worker.exited', { slot: 2 });
    t.is(Number((await get(address, '/', { agent })).body), starved);
    t.deepEqual(d.events('worker.draining', { worker: starved }), []);
    t.deepEqual(d.events('worker.died'), []);
  });
}

test.serial('TTIN is kept over a reload', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0']);
  await d.ready();
  d.signal('SIGTTIN');
  await d.count(2, 'worker.ready');
  d.signal('SIGHUP');
  t.is((await d.event('reload.finished'))['workers'], 2);
  await d.count(2, 'worker.exited');
  t.is(d.workers().length, 2);
});

test.serial('TTOU never takes the last worker', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0']);
  await d.ready();
  d.signal('SIGTTOU');
  await d.event('master.signal', { signal: 'SIGTTOU' });
  d.signal('SIGTTIN');
  await d.event('workers.changed', { from: 1, to: 2 });
  await d.count(2, 'worker.ready');
  t.is(d.workers().length, 2);
});
