/** Workers whose loop does not turn: killed within --timeout, with the stack they were stuck in, while the others serve on. */
import test from 'ava';
import { fixture, poll, processState, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

for (const strategy of ['shared', 'reuseport']) {
  test.serial(`a blocked loop is killed and the log holds its stack: ${strategy}`, async (t) => {
    const d = start(t, [fixture('stuck.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--timeout', '2', '--accept-strategy', strategy]);
    await d.ready();
    const address = await d.address();
    const workers = d.workers();
    const spin = t.throwsAsync(get(address, '/spin'));
    // From here on it can accept nothing any more: what it had accepted in the same turn would die with it.
    await poll('the worker to spin', () => (d.stdout.includes('spinning') ? true : undefined));
    let answered = 0;
    let timeout = d.events('worker.timeout')[0];
    while (timeout === undefined) {
      t.true(workers.map(String).includes((await get(address)).body));
      answered += 1;
      timeout = d.events('worker.timeout')[0];
      if (d.exit !== undefined) break;
    }
    t.true(answered > 10, 'the other worker answered all the while');
    t.regex(String(timeout!['stack']), /spinForever/);
    t.regex(String(timeout!['stack']), /stuck\.cjs:3/);
    t.true((timeout!['stuckMs'] as number) >= 2000);
    const died = await d.event('worker.died', { worker: timeout!['worker'] });
    t.is(died['kind'], 'timeout');
    t.deepEqual(died['requests'], ['GET /spin']);
    await spin;
    await d.count(3, 'worker.ready');
    t.is((await get(address)).status, 200);
    t.is(d.events('worker.died').length, 1, 'the other one was left alone');
  });
}

test.serial('a timer in an ES module that never returns is named as well', async (t) => {
  const d = start(t, [fixture('stuck-in-fetch.mjs'), '-w', '1', '-b', '127.0.0.1:0', '--timeout', '1']);
  const timeout = await d.event('worker.timeout');
  t.regex(String(timeout['stack']), /spinInTimer/);
  t.regex(String(timeout['stack']), /stuck-in-fetch\.mjs:3/);
  await d.event('worker.died', { kind: 'timeout' });
});

test.serial('a worker stopped by SIGSTOP is killed, and the log says why there is no stack', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--timeout', '1']);
  await d.ready();
  const [victim, other] = d.workers();
  process.kill(victim!, 'SIGSTOP');
  await poll('the worker to stop', () => (processState(victim!) === 'T' ? true : undefined));
  const timeout = await d.event('worker.timeout', { worker: victim });
  t.is(timeout['stack'], undefined);
  t.truthy(timeout['noStack']);
  await d.event('worker.died', { worker: victim, kind: 'timeout' });
  await d.count(3, 'worker.ready');
  t.true(d.workers().includes(other!));
});

// When drover looks next, and, with a grace that is over before that, then.
for (const [signal, grace] of [['SIGHUP', '60'], ['SIGTERM', '1']] as const) {
  test.serial(`a worker stopped by SIGSTOP that has to go: told once, with how it goes on: ${signal}`, async (t) => {
    const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--timeout', '0', '--graceful-timeout', grace]);
    await d.ready();
    const [pid] = d.workers();
    process.kill(pid!, 'SIGSTOP');
    await poll('the worker to stop', () => (processState(pid!) === 'T' ? true : undefined));
    d.signal(signal);
    const told = await d.event('worker.stopped', { worker: pid });
    t.regex(told.msg, new RegExp(`worker 0 is stopped .*: kill -CONT ${pid}$`));
    if (signal === 'SIGHUP') {
      await d.event('worker.draining', { worker: pid });
      process.kill(pid!, 'SIGCONT');
      await d.event('reload.finished');
    }
    await d.event('worker.exited', { worker: pid });
    t.is(d.events('worker.stopped').length, 1);
  });
}

test.serial('--timeout 0 kills nobody', async (t) => {
  const d = start(t, [fixture('stuck.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--timeout', '0', '--graceful-timeout', '1']);
  await d.ready();
  const address = await d.address();
  const spin = t.throwsAsync(get(address, '/spin', { timeoutMs: 60_000 }));
  await poll('the worker to spin', () => (d.stdout.includes('spinning') ? true : undefined));
  for (let n = 0; n < 20; n += 1) t.is((await get(address)).status, 200);
  t.deepEqual(d.events('worker.timeout'), []);
  // The grace bounds its drain all the same.
  await d.stop();
  await spin;
  t.is(d.events('worker.grace-exceeded').length, 1);
});
