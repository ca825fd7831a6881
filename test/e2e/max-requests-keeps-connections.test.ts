/** --max-requests under load: the successor first, then the drain. */
import test from 'ava';
import { fixture, start } from '../helpers/drover.js';
import { Load } from '../helpers/load.js';

for (const strategy of ['shared', 'reuseport']) {
  test.serial(`--max-requests 50 under 32 clients loses nothing: ${strategy}`, async (t) => {
    const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--max-requests', '50', '--accept-strategy', strategy]);
    await d.ready();
    const load = Load.run(t, await d.address());
    await d.count(20, 'worker.recycling');
    const { lost } = await load.stop();
    t.deepEqual(lost, []);
    t.deepEqual(d.events('worker.died'), []);
    t.deepEqual(d.events('worker.respawn-delayed'), [], 'a recycled worker is no crash');

    // The successor is ready before the old one drains.
    const drained = d.events('worker.draining')[0]!;
    const successor = d.events('worker.ready', { slot: drained['slot'] })[1]!;
    t.true(d.records.indexOf(successor) < d.records.indexOf(drained));
  });
}

test.serial('--max-requests-jitter spreads the recycling', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '4', '-b', '127.0.0.1:0', '--max-requests', '20', '--max-requests-jitter', '500']);
  await d.ready();
  const load = Load.run(t, await d.address());
  await d.count(3, 'worker.recycling');
  const { lost } = await load.stop();
  t.deepEqual(lost, []);
  const reasons = new Set(d.events('worker.recycling').map((record) => record['reason']));
  t.true(reasons.size > 1, `different numbers of requests: ${[...reasons].join(' | ')}`);
});

test.serial('a worker that exits with another code than 0, once its successor serves, puts off nobody’s start', async (t) => {
  const d = start(t, [fixture('fails-as-it-ends.cjs'), '-w', '1', '--max-requests', '5']);
  await d.ready();
  const load = Load.run(t, await d.address());
  await d.count(4, 'worker.died', { code: 130 });
  const { lost } = await load.stop();
  t.deepEqual(lost, []);
  t.deepEqual(d.events('worker.respawn-delayed'), []);
});
