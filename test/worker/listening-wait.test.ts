import test from 'ava';
import { ListeningWait } from '../../src/worker/listening-wait.js';

/** With a clock that passes when the test says so. */
function make(): { wait: ListeningWait; told: string[]; pass: () => void; listen: () => void } {
  const told: string[] = [];
  const pending = new Set<() => void>();
  let listens = false;
  const wait = new ListeningWait(
    () => listens,
    (why) => told.push(why),
    (_, run) => {
      pending.add(run);
      return () => pending.delete(run);
    },
  );
  return { wait, told, pass: () => pending.forEach((run) => run()), listen: () => (listens = true) };
}

test('a long wait is told once per boot, however often an app is waited for', async (t) => {
  const { wait, told, pass, listen } = make();
  const first = wait.untilListensOrIdle('by itself');
  pass();
  t.true(wait.wake('idle'));
  t.false(await first);
  const second = wait.untilListensOrIdle('what it exports');
  pass();
  listen();
  t.true(wait.wake('listening'));
  t.true(await second);
  t.deepEqual(told, ['by itself']);
});

test('a wait that is over in time is not told', async (t) => {
  const { wait, told, pass, listen } = make();
  const waiting = wait.untilListensOrIdle('why');
  listen();
  wait.wake('listening');
  t.true(await waiting);
  pass();
  t.deepEqual(told, []);
  t.false(wait.wake('idle'), 'nobody waits any more');
});
