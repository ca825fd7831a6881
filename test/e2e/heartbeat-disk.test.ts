/** Heartbeat files on a disk that hangs, on a disk at all, in a directory that cannot be used: nobody is killed for it. */
import test from 'ava';
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, IS_ROOT, scratch, start } from '../helpers/drover.js';
import { Load } from '../helpers/load.js';
import { get } from '../helpers/http.js';

test.serial('a disk that hangs for longer than --timeout: requests go on, nobody is killed, the log blames the disk', async (t) => {
  // Every beat takes four seconds in the native half; the loop may stand still for one.
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--timeout', '1'], { env: { DROVER_FAULT_FCHMOD_MS: '4000' } });
  await d.ready();
  const load = Load.run(t, await d.address(), { clients: 8 });
  const stalled = await d.event('heartbeat.disk-stalled');
  t.true((stalled['stalledMs'] as number) > 1000);
  t.truthy(stalled['dir']);
  await d.event('heartbeat.disk-recovered', { slot: stalled['slot'] });
  await load.asked(100);
  const { lost } = await load.stop();
  t.deepEqual(lost, []);
  t.deepEqual(d.events('worker.timeout'), []);
  t.deepEqual(d.events('worker.died'), []);
});

test.serial('a blocked loop on such a disk is still found', async (t) => {
  const d = start(t, [fixture('stuck.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--timeout', '1'], { env: { DROVER_FAULT_FCHMOD_MS: '4000' } });
  await d.ready();
  await t.throwsAsync(get(await d.address(), '/spin'));
  t.regex(String((await d.event('worker.timeout'))['stack']), /stuck\.cjs:3/);
});

test.serial('--worker-tmp-dir that does not exist: drover says so and judges by the board', async (t) => {
  const dir = join(scratch(t), 'missing');
  const d = start(t, [fixture('stuck.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--timeout', '1', '--worker-tmp-dir', dir]);
  await d.ready();
  const warned = d.events('heartbeat.unavailable');
  t.is(warned.length, 1);
  t.true(warned[0]!.msg.includes(dir));
  await t.throwsAsync(get(await d.address(), '/spin'));
  await d.event('worker.died', { kind: 'timeout' });
});

test.serial('--worker-tmp-dir that is read-only', async (t) => {
  if (IS_ROOT) {
    // Root writes anywhere but where nobody can.
    const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--worker-tmp-dir', '/proc']);
    await d.ready();
    t.regex((await d.event('heartbeat.unavailable')).msg, /\/proc/);
    return;
  }
  const dir = scratch(t);
  chmodSync(dir, 0o555);
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--worker-tmp-dir', dir]);
  await d.ready();
  t.true((await d.event('heartbeat.unavailable')).msg.includes(dir));
});

test.serial('--worker-tmp-dir on a disk: a warning with the remedy', async (t) => {
  const dir = fixture('');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--worker-tmp-dir', dir]);
  await d.ready();
  const onDisk = d.events('heartbeat.on-disk');
  const type = statSync('/dev/shm', { throwIfNoEntry: false })?.dev === statSync(dir).dev ? 'tmpfs' : 'disk';
  if (type === 'tmpfs') t.deepEqual(onDisk, []);
  else t.regex(onDisk[0]?.msg ?? '', /\/dev\/shm/);
});
