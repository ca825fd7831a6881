/** kill -9 of the master: the workers notice, finish what they have, and go; also one that cannot notice. */
import test from 'ava';
import { readdirSync } from 'node:fs';
import { fixture, poll, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

test.serial('a killed master leaves no process and no file behind', async (t) => {
  const dir = scratch(t);
  const d = start(t, [fixture('whoami.cjs'), '-w', '3', '-b', '127.0.0.1:0', '--graceful-timeout', '5'], { env: { TMPDIR: dir } });
  await d.ready();
  t.is(d.processes().length, 4);
  process.kill(d.pid, 'SIGKILL');
  t.is((await d.finished()).signal, 'SIGKILL');
  t.deepEqual(d.processes(), []);
  t.deepEqual(readdirSync(dir), []);
});

test.serial('a request that runs when the master is killed is answered', async (t) => {
  const d = start(t, [fixture('slow.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--graceful-timeout', '10']);
  await d.ready();
  const slow = get(await d.address(), '/1000');
  await d.until('the request to begin', () => /begun/.exec(d.text) ?? undefined);
  process.kill(d.pid, 'SIGKILL');
  t.regex((await slow).body, /^done/);
  await d.finished();
});

test.serial('a killed master leaves no worker that is blocked', async (t) => {
  const d = start(t, [fixture('stuck.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--graceful-timeout', '1', '--timeout', '0']);
  await d.ready();
  const spin = get(await d.address(), '/spin');
  spin.catch(() => {});
  await poll('the worker to spin', () => (d.stdout.includes('spinning') ? true : undefined));
  t.is((await get(await d.address())).status, 200, 'the other one answers');
  process.kill(d.pid, 'SIGKILL');
  await t.throwsAsync(spin);
  await d.finished();
  t.deepEqual(d.processes(), []);
});

test.serial('a request longer than the grace ends with it', async (t) => {
  const d = start(t, [fixture('slow.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--graceful-timeout', '1']);
  await d.ready();
  const slow = get(await d.address(), '/600000');
  slow.catch(() => {});
  await d.until('the request to begin', () => /begun/.exec(d.text) ?? undefined);
  process.kill(d.pid, 'SIGKILL');
  await t.throwsAsync(slow);
  await d.finished();
});
