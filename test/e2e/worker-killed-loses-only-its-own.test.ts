/** kill -9 of a worker: what it had begun is lost, nothing else is. */
import test from 'ava';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, poll, processState, scratch, start, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const STRATEGIES = ['shared', 'reuseport'];

interface Trace {
  /** Workers that took a connection, by the client's address and port: the kernel gives a port again soon. */
  connections: Map<string, number[]>;
  /** Worker that began a request, by its id. */
  begun: Map<string, number>;
}

function readTrace(path: string): Trace {
  const trace: Trace = { connections: new Map(), begun: new Map() };
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [what, id, pid] = line.split(' ') as [string, string, string];
    if (what === 'conn') trace.connections.set(id, [...(trace.connections.get(id) ?? []), Number(pid)]);
    if (what === 'begin') trace.begun.set(id, Number(pid));
  }
  return trace;
}

for (const strategy of STRATEGIES) {
  test.serial(`workers killed under load: only requests begun in them fail: ${strategy}`, async (t) => {
    const trace = join(scratch(t), 'trace');
    const d = start(t, [fixture('connections.cjs'), '-w', '3', '--accept-strategy', strategy], { env: { TRACE: trace } });
    await d.ready();
    const address = await d.address();
    const failed: { id: string; from: string; error: string }[] = [];
    let answered = 0;
    let asked = 0;
    let stopped = false;
    const clients = Array.from({ length: 32 }, async (_, client) => {
      for (let n = 0; !stopped; n += 1) {
        const id = `${client}-${n}`;
        // An address for each client: so few ports are used again.
        const localAddress = `127.0.1.${client + 1}`;
        let from = '';
        asked += 1;
        try {
          const { body } = await get(address, `/${id}`, { localAddress, onConnected: (localPort) => (from = `${localAddress}:${localPort}`) });
          if (body === id) answered += 1;
          else failed.push({ id, from, error: `wrong answer ${body}` });
        } catch (error) {
          failed.push({ id, from, error: (error as Error).message });
        }
      }
    });
    const killed = new Set<number>();
    for (let n = 0; n < 5; n += 1) {
      const goal = asked + 150;
      await poll('more requests', () => (asked >= goal ? true : undefined));
      const victim = d.workers()[0]!;
      killed.add(victim);
      process.kill(victim, 'SIGKILL');
      const died = await d.event('worker.died', { worker: victim });
      t.is(died['kind'], 'signal');
      t.is(died['signal'], 'SIGKILL');
      await d.count(3 + n + 1, 'worker.ready');
    }
    stopped = true;
    await Promise.all(clients);
    const { connections, begun } = readTrace(trace);
    const taken = failed.map((request) => ({ ...request, begunBy: begun.get(request.id), takenBy: connections.get(request.from) ?? [] }));
    const innocent = taken.filter(({ begunBy, takenBy }) => (begunBy === undefined ? takenBy.length > 0 && !takenBy.some((pid) => killed.has(pid)) : !killed.has(begunBy)));
    t.deepEqual(innocent, [], 'requests that failed though no killed worker had taken them');
    // Between accept4(2) and the trace's line a worker has one connection in its hands.
    const inHands = taken.filter(({ begunBy, takenBy }) => begunBy === undefined && takenBy.length === 0);
    t.true(inHands.length <= killed.size, `requests that failed though no worker had taken them: ${JSON.stringify(inHands)}`);
    t.true(failed.length > 0, 'the kills met running requests');
    t.true(answered > 500);
  });

  test.serial(`connections queued at a worker that dies are served by the next: ${strategy}`, async (t) => {
    const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--accept-strategy', strategy, '--timeout', '0']);
    await d.ready();
    const address = await d.address();
    const [worker] = d.workers();
    process.kill(worker!, 'SIGSTOP');
    await poll('the worker to stop', () => (processState(worker!) === 'T' ? true : undefined));
    let connected = 0;
    const queued = Array.from({ length: 10 }, () => get(address, '/', { onConnected: () => (connected += 1) }));
    await poll('ten connections', () => (connected === 10 ? true : undefined));
    process.kill(worker!, 'SIGKILL');
    const answers = await Promise.all(queued);
    const successor = (await d.count(2, 'worker.ready'))[1]!['worker'];
    t.deepEqual(new Set(answers.map((answer) => answer.body)), new Set([String(successor)]));
  });
}

/** Connections queued while `stopped` sleeps are taken by siblings: nobody waits behind it. */
async function askAll(address: Address, count: number): Promise<Set<string>> {
  const bodies = new Set<string>();
  for (let n = 0; n < count; n += 1) bodies.add((await get(address)).body);
  return bodies;
}

for (const strategy of STRATEGIES) {
  test.serial(`no connection waits behind a stopped worker: ${strategy}`, async (t) => {
    const d = start(t, [fixture('whoami.cjs'), '-w', '3', '-b', '127.0.0.1:0', '--accept-strategy', strategy, '--timeout', '0']);
    await d.ready();
    const address = await d.address();
    const [stopped, ...others] = d.workers();
    process.kill(stopped!, 'SIGSTOP');
    t.teardown(() => {
      try {
        process.kill(stopped!, 'SIGCONT');
      } catch {
        // ended meanwhile
      }
    });
    await poll('the worker to stop', () => (processState(stopped!) === 'T' ? true : undefined));
    const bodies = await askAll(address, 60);
    t.true([...bodies].every((body) => others.map(String).includes(body)));
    process.kill(stopped!, 'SIGCONT');
  });
}

test.serial('a client that connects and says nothing stands in nobody’s way', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0']);
  await d.ready();
  const address = (await d.address()) as { host: string; port: number };
  const silent = net.connect(address);
  t.teardown(() => silent.destroy());
  silent.on('error', () => {});
  await new Promise((resolve) => silent.once('connect', resolve));
  t.is((await get(address)).status, 200);
  silent.destroy();
});
