/** kill -9 of the master: the workers notice, finish what they have, and go; also one that cannot notice. */
import test from 'ava';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
  const told = d.records.filter(({ event }) => event === 'worker.orphaned');
  t.deepEqual(told.map(({ slot, master, level }) => ({ slot, master, level })).sort((a, b) => Number(a.slot) - Number(b.slot)), [0, 1, 2].map((slot) => ({ slot, master: d.pid, level: 50 })));
});

test.serial('with --log-file the workers of a killed master tell it there', async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'drover.log');
  writeFileSync(file, '');
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--log-file', file]);
  await poll('drover to be ready', () => (readFileSync(file, 'utf8').includes('"master.ready"') ? true : undefined));
  process.kill(d.pid, 'SIGKILL');
  await d.finished();
  t.is(readFileSync(file, 'utf8').split('"worker.orphaned"').length - 1, 2);
  t.is(d.text, '');
});

test.serial('a worker whose master is killed before it listens exits without a word of its own', async (t) => {
  const d = start(t, [fixture('listens-without-master.cjs'), '-w', '2', '-b', '127.0.0.1:0']);
  await d.until('both workers to load', () => (d.text.match(/loads/g)?.length === 2 ? true : undefined));
  process.kill(d.pid, 'SIGKILL');
  await d.finished();
  t.regex(d.text, /^(loads \d+\n){2}$/);
  t.deepEqual(d.processes(), []);
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
