/** Worker threads: each has its own state, and leaves nothing behind when it ends, however it ends. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { check, closeFd, native } from '../../src/native.js';
import { EEXIST, startChild } from './support.js';

const program = new URL('children/thread.js', import.meta.url);

test.serial('a thread that ends with everything open: by itself, by exit, by terminate', async (t) => {
  const before = readdirSync('/proc/self/fd').length;
  const threads = readdirSync('/proc/self/task').length;
  for (let round = 0; round < 3; round++) {
    for (const how of ['return', 'exit', 'terminate']) {
      const worker = new Worker(program, { workerData: { how }, trackUnmanagedFds: false });
      const exit = once(worker, 'exit');
      const [message] = (await once(worker, 'message')) as [string];
      t.is(message, 'running');
      if (how === 'terminate') await worker.terminate();
      await exit;
    }
  }
  t.is(readdirSync('/proc/self/fd').length, before, 'no descriptor is left');
  t.is(readdirSync('/proc/self/task').length, threads, 'no thread is left');
  t.is(typeof native.boardLayout().bytes['row'], 'number');
});

test.serial('a thread whose acceptor could not be armed, and was not closed: by itself, by exit, by terminate', async (t) => {
  for (const how of ['return', 'exit', 'terminate']) {
    const worker = new Worker(new URL('children/refused-thread.js', import.meta.url), { workerData: { how }, trackUnmanagedFds: false });
    const exit = once(worker, 'exit');
    const [status] = (await once(worker, 'message')) as [number];
    t.is(status, EEXIST);
    if (how === 'terminate') await worker.terminate();
    await exit;
  }
});

for (const within of ['onConnection', 'onHeader', 'onMessage']) {
  test.serial(`a thread that is ended within ${within}: the connection it was handed over is not closed behind its back`, async (t) => {
    const [ours, theirs] = check('socketpair', native.socketPair());
    const worker = new Worker(new URL('children/leaving-thread.js', import.meta.url), { workerData: { within, ended: theirs }, trackUnmanagedFds: false });
    await once(worker, 'message');
    const exit = worker.terminate();
    closeFd(ours);
    t.is(await exit, 1);
  });
}

test.serial('a thread that is ended while it waits in receiveSync: the descriptors of a message that comes then are closed', async (t) => {
  const before = readdirSync('/proc/self/fd').length;
  // It may be ended just before it waits: then nothing is received, or nobody is there any more.
  for (let round = 0; round < 10; round++) {
    const [ours, theirs] = check('socketpair', native.socketPair());
    const channel = new native.Channel(ours);
    const worker = new Worker(new URL('children/waiting-channel.js', import.meta.url), { workerData: theirs, trackUnmanagedFds: false });
    await once(worker, 'message');
    const exit = worker.terminate();
    channel.send('take these', [0, 1]);
    t.is(await exit, 1);
    channel.close();
  }
  t.is(readdirSync('/proc/self/fd').length, before);
});

test.serial('two threads at once do not see each other', async (t) => {
  const workers = [0, 1].map(() => new Worker(program, { workerData: { how: 'terminate' }, trackUnmanagedFds: false }));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  await Promise.all(workers.map((worker) => worker.terminate()));
  t.deepEqual(native.heartbeatStats(), { beats: 0, longestMs: 0 });
});

test.serial('terminated while its disk hangs: does not wait for it', async (t) => {
  const child = startChild(t, 'hanging-thread', { env: { DROVER_FAULT_FCHMOD_MS: '3600000' } });
  t.is(await child.exit, 0);
});

test.serial('ended while its disk hangs, before the heartbeat has begun: does not wait for it', async (t) => {
  const child = startChild(t, 'hanging-threads', { env: { DROVER_FAULT_FCHMOD_MS: '3600000' } });
  t.is(await child.exit, 0);
});

test.serial('terminated while messages and connections pour in', async (t) => {
  for (let round = 0; round < 10; round++) {
    const worker = new Worker(program, { workerData: { how: 'busy' }, trackUnmanagedFds: false });
    await once(worker, 'message');
    await worker.terminate();
  }
  t.pass('the process lives');
});
