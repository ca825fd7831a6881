/** The contract of an accept strategy, from one body: whatever happens to workers and master, every connection is answered, by somebody who can. */
import test from 'ava';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fixture, poll, processState, scratch, start, type Address, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const STRATEGIES = ['reuseport', 'exclusive', 'grant', 'lock', 'semaphore', 'shared', 'auto'];

async function askAll(address: Address, count: number): Promise<Set<number>> {
  const answers = await Promise.all(Array.from({ length: count }, () => get(address)));
  return new Set(answers.map(({ body }) => Number(body)));
}

async function askInTurn(address: Address, count: number): Promise<Set<number>> {
  const pids = new Set<number>();
  for (let n = 0; n < count; n += 1) pids.add(Number((await get(address)).body));
  return pids;
}

for (const strategy of STRATEGIES) {
  const up = (t: Parameters<typeof start>[0], ...args: string[]): Promise<Drover> =>
    start(t, [fixture('blocks.cjs'), '-w', '3', '-b', '127.0.0.1:0', '--accept-strategy', strategy, '--timeout', '0', ...args]).ready();

  // One at a time: what is compared here is who comes first.
  test.serial(`a burst is answered, at two addresses: ${strategy}`, async (t) => {
    const path = join(scratch(t), 'socket');
    const d = await up(t, '-b', `unix:${path}`);
    const workers = new Set(d.workers());
    for (const pids of await Promise.all([askAll(await d.address(), 200), askAll({ socketPath: path }, 100)])) {
      for (const pid of pids) t.true(workers.has(pid));
    }
  });

  test.serial(`a worker that blocks keeps nobody waiting: ${strategy}`, async (t) => {
    const d = await up(t);
    const address = await d.address();
    let over = false;
    const slow = get(address, '/block/4000').then(({ body }) => ((over = true), Number(body)));
    const blocked = await d.until('the block', () => /blocked (\d+)/.exec(d.text)?.[1]);
    const pids = await askInTurn(address, 30);
    t.false(over, 'all were answered meanwhile');
    t.false(pids.has(Number(blocked)));
    t.is(await slow, Number(blocked));
  });

  test.serial(`each worker in turn stopped, then killed: the others answer: ${strategy}`, async (t) => {
    const d = await up(t);
    const address = await d.address();
    // One after the other, so whoever holds a permit or a grant is among them.
    for (const victim of d.workers()) {
      process.kill(victim, 'SIGSTOP');
      await poll('the worker to stop', () => (processState(victim) === 'T' ? true : undefined));
      t.false((await askInTurn(address, 15)).has(victim));
      process.kill(victim, 'SIGKILL');
      const mark = d.mark();
      t.false((await askInTurn(address, 5)).has(victim));
      await d.event('worker.ready', {}, mark - 1);
      await poll('three workers', () => (d.workers().length === 3 ? true : undefined));
    }
  });

  test.serial(`all are stopped, one recovers and answers all: ${strategy}`, async (t) => {
    const d = await up(t);
    const address = await d.address();
    const workers = d.workers();
    for (const pid of workers) process.kill(pid, 'SIGSTOP');
    await poll('the workers to stop', () => (workers.every((pid) => processState(pid) === 'T') ? true : undefined));
    const asked = askAll(address, 10);
    process.kill(workers[1]!, 'SIGCONT');
    // With a socket per worker, what was queued while all slept goes to who wakes.
    t.deepEqual(await asked, new Set([workers[1]!]));
    for (const pid of workers) process.kill(pid, 'SIGCONT');
  });

  test.serial(`reload, more and fewer workers under load: ${strategy}`, async (t) => {
    const d = await up(t);
    const address = await d.address();
    let done = false;
    const load = Array.from({ length: 4 }, async () => {
      let n = 0;
      for (; !done; n += 1) await get(address);
      return n;
    });
    d.signal('SIGHUP');
    await d.event('reload.finished');
    for (let to = 4; to <= 5; to += 1) {
      d.signal('SIGTTIN');
      await d.event('workers.changed', { to });
    }
    let mark = d.mark();
    for (let to = 4; to >= 1; to -= 1) {
      d.signal('SIGTTOU');
      await d.event('workers.changed', { to }, mark);
      mark = d.mark();
    }
    // A worker that drains still answers what it has accepted: one is left when the others have exited.
    await d.until('one process', () => (d.events('worker.spawned').length - d.events('worker.exited').length === 1 ? true : undefined));
    done = true;
    t.true((await Promise.all(load)).every((n) => n > 0));
    t.is((await askAll(address, 10)).size, 1);
  });

  test.serial(`clients that hang up at once do no harm: ${strategy}`, async (t) => {
    const d = await up(t);
    const address = (await d.address()) as { host: string; port: number };
    for (let n = 0; n < 50; n += 1) {
      await new Promise<void>((resolve) => {
        const socket = net.connect(address, () => {
          socket.resetAndDestroy();
          resolve();
        });
        socket.on('error', () => {});
      });
    }
    t.true((await askAll(address, 20)).size > 0);
  });

  test.serial(`the master's JavaScript may block: ${strategy}`, async (t) => {
    const config = join(scratch(t), 'drover.config.mjs');
    writeFileSync(config, `export default { onReload() { process.stderr.write('master blocks\\n'); for (const end = performance.now() + 4000; performance.now() < end; ); process.stderr.write('master is back\\n'); } };`);
    const d = await up(t, '--config', config);
    const address = await d.address();
    d.signal('SIGHUP');
    await d.until('the block', () => (d.text.includes('master blocks') ? true : undefined));
    t.true((await askInTurn(address, 30)).size > 0);
    t.false(d.text.includes('master is back'), 'all were answered meanwhile');
    await d.event('reload.finished');
  });
}
