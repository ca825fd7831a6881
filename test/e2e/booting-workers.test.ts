/** Workers that listen already and are not ready yet: the kernel may give them connections, and none is lost with them. */
import test, { type ExecutionContext } from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, poll, scratch, start, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const REQUESTS = 40;

/** What a file of this name in `dir` allows. */
const allow = (dir: string, name: string): void => writeFileSync(join(dir, name), '');

/** The pids of two workers, by slot, once both have written `word`. */
async function untilBoth(d: Drover, word: string): Promise<[number, number]> {
  await d.until(`both: ${word}`, () => (d.text.match(new RegExp(`^${word} `, 'gm'))?.length === 2 ? true : undefined));
  return [0, 1].map((slot) => d.events('worker.spawned', { slot })[0]!['worker'] as number) as [number, number];
}

for (const steer of ['hash', 'weighted', 'auto']) {
  test.serial(`what came before anybody was ready does not wait for a worker whose boot takes long: --steer ${steer}`, async (t) => {
    const dir = scratch(t);
    const d = start(t, [fixture('boots.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', 'reuseport', '--steer', steer, '--timeout', '0'], { env: { DIR: dir } });
    const [first, second] = await untilBoth(d, 'listens');
    const address = await d.address();
    let connected = 0;
    const answers = Array.from({ length: REQUESTS }, () => get(address, '/', { onConnected: () => (connected += 1) }));
    await poll('the connections', () => (connected === REQUESTS ? true : undefined));
    allow(dir, String(first));
    const pids = (await Promise.all(answers)).map(({ body }) => Number(body));
    t.deepEqual([...new Set(pids)], [first]);
    t.deepEqual(d.events('worker.ready', { worker: second }), []);
    allow(dir, String(second));
    await d.ready();
  });
}

for (const strategy of ['reuseport', 'exclusive']) {
  test.serial(`a worker that is let go before it was ready answers what it has accepted: ${strategy}`, async (t) => {
    const dir = scratch(t);
    const d = startInHook(t, dir, strategy);
    const [first, second] = await untilBoth(d, 'in the hook');
    const address = await d.address();
    // Of one queue the worker that was there first may take all, as long as it is idle whenever one comes.
    if (strategy === 'exclusive') process.kill(first, 'SIGSTOP');
    const answers = Array.from({ length: REQUESTS }, () => get(address));
    await d.until('some of them are the one’s that has to go', () => (d.text.includes(`begun ${second}`) ? true : undefined));
    process.kill(first, 'SIGCONT');
    await d.until('the requests', () => (d.text.match(/^begun /gm)?.length === REQUESTS ? true : undefined));
    allow(dir, String(first));
    await d.event('worker.ready', { worker: first });
    d.signal('SIGTTOU');
    await d.event('worker.draining', { worker: second });
    allow(dir, 'answer');
    for (const { status } of await Promise.all(answers)) t.is(status, 200);
    await d.event('worker.exited', { worker: second, kind: 'exit' });
    t.deepEqual(d.events('worker.ready', { worker: second }), []);
  });
}

function startInHook(t: ExecutionContext, dir: string, strategy: string): Drover {
  const config = join(dir, 'drover.config.mjs');
  writeFileSync(
    config,
    `import { existsSync } from 'node:fs';
    import { setTimeout as later } from 'node:timers/promises';
    export default { async postWorkerInit({ pid }) {
      process.stderr.write('in the hook ' + pid + '\\n');
      while (!existsSync(${JSON.stringify(dir)} + '/' + pid)) await later(5);
    } };`,
  );
  return start(t, [fixture('answers-later.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', strategy, '--config', config], { env: { DIR: dir } });
}

test.serial('a reload that fails: a successor that was not ready yet answers what it has accepted', async (t) => {
  const dir = scratch(t);
  const config = join(dir, 'drover.config.mjs');
  writeFileSync(
    config,
    `import { existsSync } from 'node:fs';
    import { setTimeout as later } from 'node:timers/promises';
    export default { async postWorkerInit({ pid, slot, generation }) {
      if (generation === 1) return;
      process.stderr.write('in the hook ' + pid + '\\n');
      while (slot === 0 || !existsSync(${JSON.stringify(join(dir, 'fail'))})) await later(5);
      process.exit(3);
    } };`,
  );
  const d = start(t, [fixture('answers-later.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', 'exclusive', '--reload-parallel', '2', '--config', config], { env: { DIR: dir } });
  await d.ready();
  const address = await d.address();
  d.signal('SIGHUP');
  await d.until('both: in the hook', () => (d.text.match(/^in the hook /gm)?.length === 2 ? true : undefined));
  const [waits, fails] = [0, 1].map((slot) => d.events('worker.spawned', { slot, generation: 2 })[0]!['worker']);
  const answers = Promise.allSettled(Array.from({ length: REQUESTS }, () => get(address)));
  const begunIn = (pid: unknown): number => d.text.match(new RegExp(`^begun ${String(pid)}$`, 'gm'))?.length ?? 0;
  await d.until('the requests', () => (d.text.match(/^begun /gm)?.length === REQUESTS ? true : undefined));
  t.true(begunIn(waits) > 0);
  allow(dir, 'fail');
  await d.event('reload.failed', { stage: 'boot' });
  await d.event('worker.draining', { worker: waits });
  allow(dir, 'answer');
  const lost = (await answers).filter(({ status }) => status === 'rejected').length;
  t.is(lost, begunIn(fails), 'only what had begun in the one that failed');
  await d.event('worker.exited', { worker: waits, kind: 'exit' });
});

test.serial('a boot that took too long while the master itself was stopped is no failure', async (t) => {
  const d = start(t, [fixture('boots-slowly.cjs'), '-w', '1', '--boot-timeout', '2']);
  const written = (word: string): Promise<true> => d.until(word, () => (d.text.includes(`${word} `) ? true : undefined));
  await written('loaded');
  d.signal('SIGSTOP');
  await written('listens');
  d.signal('SIGCONT');
  await d.ready();
  t.is((await get(await d.address())).body, 'ok');
});
