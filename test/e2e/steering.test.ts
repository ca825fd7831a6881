/** Who gets a connection under `reuseport`: the least loaded, with and without privilege; not who is blocked; a newcomer not all. */
import test, { type ExecutionContext } from 'ava';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { createBoard } from '../../src/ipc/board-memory.js';
import { fixture, IS_ROOT, poll, scratch, start, type Address, type Drover, type StartOptions } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const permitted = createBoard().kernelReadable === 0;
const PRIVILEGED = permitted ? test.serial : test.serial.skip;
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];

/** An app that nobody's user can read too. */
function begin(t: ExecutionContext, args: string[], options: StartOptions = {}): Drover {
  const dir = scratch(t);
  chmodSync(dir, 0o755);
  const app = join(dir, 'holds.cjs');
  copyFileSync(fixture('holds.cjs'), app);
  return start(t, [app, ...args], { cwd: dir, ...options });
}

/** Opens connections one after the other, each asked who holds it, and keeps them: pid to number. */
async function hold(t: ExecutionContext, address: Address, count: number): Promise<Map<string, number>> {
  const held = new Map<string, number>();
  for (let i = 0; i < count; i += 1) {
    const socket = net.connect(address as net.TcpNetConnectOpts);
    t.teardown(() => socket.destroy());
    const pid = await ask(socket);
    held.set(pid, (held.get(pid) ?? 0) + 1);
  }
  return held;
}

function ask(socket: net.Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
      const body = /\r\n\r\n(?:[0-9a-f]+\r\n)?(\d+)/.exec(text);
      if (body !== null) resolve(body[1]!);
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed before the answer: ${text}`)));
    socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  });
}

/** A worker that waits for its CPU for longer than --stall-ms is taken for blocked, and others get its connections: not what is asked where shares are to be even. */
const PATIENT = ['--stall-ms', '10000'];

/** Jain's index of fairness over `workers`: 1 is even, 1/n is all with one. */
function jain(held: Map<string, number>, workers: number): number {
  const counts = [...held.values()];
  const sum = counts.reduce((a, b) => a + b, 0);
  return (sum * sum) / (workers * counts.reduce((a, b) => a + b * b, 0));
}

for (const bind of ['127.0.0.1:0', '[::1]:0']) {
  PRIVILEGED(`least: 400 held connections are even over 4 workers at ${bind}`, async (t) => {
    const d = await begin(t, ['-w', '4', '-b', bind, '--steer', 'least', ...PATIENT]).ready();
    t.is((await d.event('listen.steering'))['steering'], 'least');
    const held = await hold(t, await d.address(), 400);
    t.true([...held.values()].every((count) => Math.abs(count - 100) <= 1), JSON.stringify([...held]));
  });
}

test.serial('weighted: 400 held connections are fair over 4 workers', async (t) => {
  const d = await begin(t, ['-w', '4', '-b', '127.0.0.1:0', '--steer', 'weighted', ...PATIENT]).ready();
  const held = await hold(t, await d.address(), 400);
  t.true(jain(held, 4) >= 0.98, JSON.stringify([...held]));
});

PRIVILEGED('least: two addresses of one listener share the load, also after a reload', async (t) => {
  const d = await begin(t, ['-w', '3', '-b', '127.0.0.1:0', '-b', '127.0.0.1:0', '--steer', 'least', ...PATIENT]).ready();
  const first = await d.address(0);
  const second = await d.address(1);
  for (const address of [first, second]) {
    const held = await hold(t, address, 60);
    // Loads count over both addresses, so each alone is not even to the last connection.
    t.true(held.size === 3 && jain(held, 3) >= 0.98, JSON.stringify([...held]));
  }
  d.signal('SIGHUP');
  await d.event('reload.finished');
  // Successors come one after the other and are charged for what the old workers carried, the first one most: uneven until that has gone (2 s), then not.
  const total = new Map<string, number>();
  await poll('even shares', async () => {
    for (const [pid, count] of await hold(t, first, 6)) total.set(pid, (total.get(pid) ?? 0) + count);
    const counts = [...total.values()];
    return total.size === 3 && Math.max(...counts) - Math.min(...counts) <= 2 ? total : undefined;
  });
  t.pass();
});

/** In a network of its own: the setting is the network's, since Linux 6.9. */
const LITTLE_ROOM = ['unshare', '--net', 'sh', '-c', 'ip link set lo up && sysctl -qw net.core.optmem_max=1200 && exec "$@"', 'sh'];
const [unshare, ...roomless] = LITTLE_ROOM;
(spawnSync(unshare!, [...roomless, 'true']).status === 0 ? test.serial : test.serial.skip)('source: no room for its program: told once, with the setting, and it is ready all the same', async (t) => {
  const args = ['-w', '4', '-b', '127.0.0.1:0', '--steer', 'source'];
  const d = await begin(t, args, { prefix: LITTLE_ROOM }).ready();
  const [failed, ...more] = d.events('listen.steer-failed');
  t.deepEqual(more, []);
  t.regex(failed!.msg, /cannot be steered \(ENOMEM: .*net\.core\.optmem_max.*\): the kernel spreads them by hash$/);
  t.regex(String(failed!['remedy']), /sysctl -w net\.core\.optmem_max=20480/);
  t.is(d.events('worker.ready').length, 4);
});

const asNobody = IS_ROOT ? test.serial : test.serial.skip;
asNobody("nobody's user is steered by weights, is told so, and is served fairly", async (t) => {
  const d = await begin(t, ['-w', '4', '-b', '127.0.0.1:0', ...PATIENT], { prefix: NOBODY }).ready();
  const said = await d.event('listen.steering');
  t.is(said['steering'], 'weighted');
  t.regex(said.msg, /bpf\(2\) is not permitted; CAP_BPF would give least/);
  const held = await hold(t, await d.address(), 400);
  t.true(jain(held, 4) >= 0.98, JSON.stringify([...held]));
});

// Of each process: [CAP_BPF, CAP_NET_RAW]. Those that drover does not ask for are the app's.
const capabilities = (pid: number): boolean[] => capabilitiesIn(readFileSync(`/proc/${pid}/status`, 'utf8'));
const capabilitiesIn = (status: string): boolean[] => {
  const [, hex] = /^CapEff:\t(\w+)$/m.exec(status)!;
  return [39n, 13n].map((bit) => ((BigInt(`0x${hex!}`) >> bit) & 1n) === 1n);
};
for (const [steer, inWorkers] of [
  ['least', [false, true]],
  ['weighted', [true, true]],
] as const) {
  (IS_ROOT ? PRIVILEGED : test.serial.skip)(`CAP_BPF that is ambient: the app has it only where drover has no use for it: ${steer}`, async (t) => {
    const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all,+bpf,+net_raw', '--ambient-caps=-all,+bpf,+net_raw'];
    const d = await begin(t, ['-w', '2', '-b', '127.0.0.1:0', '--steer', steer], { prefix }).ready();
    t.deepEqual(capabilities(d.pid), [true, true]);
    t.deepEqual(d.workers().map(capabilities), [inWorkers, inWorkers]);
    d.signal('SIGTTIN');
    const { worker } = await d.event('worker.ready', { slot: 2 });
    t.deepEqual(capabilities(worker as number), inWorkers);
    const held = await hold(t, await d.address(), 60);
    t.is(held.size, 3);
    const app = join(scratch(t), 'app.cjs');
    writeFileSync(app, "process.stdout.write(require('node:fs').readFileSync('/proc/self/status'));\nmodule.exports = (req, res) => res.end();");
    chmodSync(dirname(app), 0o755);
    const check = start(t, ['--check-config', app, '--steer', steer], { prefix, cwd: dirname(app) });
    t.is((await check.finished()).code, 0);
    t.deepEqual(capabilitiesIn(check.stdout), inWorkers);
  });
}

asNobody('least without the privilege is refused, with what to do', async (t) => {
  const d = begin(t, ['-b', '127.0.0.1:0', '--steer', 'least'], { prefix: NOBODY });
  const exit = await d.finished();
  t.is(exit.code, 2, d.log());
  t.regex(d.log(), /--steer least is not possible here: bpf\(2\) is not permitted/);
  t.regex(d.log(), /CAP_BPF.*--steer auto/);
});

for (const steer of ['least', 'weighted', 'hash']) {
  (steer === 'least' ? PRIVILEGED : test.serial)(`${steer}: while a worker is blocked the others answer everybody`, async (t) => {
    const d = await begin(t, ['-w', '3', '-b', '127.0.0.1:0', '--steer', steer]).ready();
    const address = await d.address();
    const file = join(scratch(t), 'blocked');
    writeFileSync(file, '');
    const { blocked, ended } = await block(address, file);
    const answers = await Promise.all(Array.from({ length: 60 }, () => get(address)));
    // Still blocked: whatever was answered was answered by others.
    t.false(answers.some(({ body }) => body === blocked));
    rmSync(file);
    await ended;
  });
}

function block(address: Address, file: string): Promise<{ blocked: string; ended: Promise<void> }> {
  return new Promise((resolve, reject) => {
    http
      .get({ ...address, path: `/block?${encodeURIComponent(file)}`, agent: false }, (response) => {
        response.resume();
        resolve({ blocked: String(response.headers['x-pid']), ended: new Promise((end) => response.once('close', end)) });
      })
      .on('error', reject);
  });
}

PRIVILEGED('least: a newcomer is charged for what the others carry', async (t) => {
  const d = await begin(t, ['-w', '2', '-b', '127.0.0.1:0', '--steer', 'least']).ready();
  const address = await d.address();
  await hold(t, address, 200);
  d.signal('SIGTTIN');
  const { worker } = await d.event('worker.ready', { slot: 2 });
  const held = await hold(t, address, 30);
  // Without the charge it would be given all of them.
  t.true((held.get(String(worker)) ?? 0) < 30, JSON.stringify([...held]));
});

PRIVILEGED('least: after a worker was killed, connections are even again', async (t) => {
  const d = await begin(t, ['-w', '3', '-b', '127.0.0.1:0', '--steer', 'least', ...PATIENT]).ready();
  const address = await d.address();
  const victim = Number((await get(address)).body);
  process.kill(victim, 'SIGKILL');
  const { slot } = await d.event('worker.died', { worker: victim });
  await d.event('worker.ready', (record) => record['slot'] === slot && record['worker'] !== victim);
  const held = await hold(t, address, 90);
  t.true(held.size === 3 && [...held.values()].every((count) => Math.abs(count - 30) <= 1), JSON.stringify([...held]));
});

/** The worker that answers a client of an address of its own. */
async function workerOf(t: ExecutionContext, address: Address, localAddress: string): Promise<string> {
  const socket = net.connect({ ...(address as net.TcpNetConnectOpts), localAddress });
  t.teardown(() => socket.destroy());
  return ask(socket);
}

test.serial('source: a client keeps its worker, at every address, while that worker is blocked, and its slot after a reload', async (t) => {
  const d = await begin(t, ['-w', '3', '-b', '127.0.0.1:0', '-b', '127.0.0.1:0', '--steer', 'source']).ready();
  t.is((await d.event('listen.steering'))['steering'], 'source');
  const [first, second] = [await d.address(0), await d.address(1)];
  const clients = Array.from({ length: 24 }, (_, i) => `127.1.0.${i + 1}`);
  const askAll = async (address: Address) => {
    const answers = [];
    for (const client of clients) answers.push(await workerOf(t, address, client));
    return answers;
  };
  const before = await askAll(first);
  t.is(new Set(before).size, 3, String(before));
  t.deepEqual(await askAll(first), before);
  t.deepEqual(await askAll(second), before);

  const file = join(scratch(t), 'blocked');
  writeFileSync(file, '');
  const { blocked, ended } = await block(first, file);
  const others = clients.filter((_, i) => before[i] !== blocked);
  t.deepEqual(await Promise.all(others.map((client) => workerOf(t, first, client))), before.filter((worker) => worker !== blocked));
  const waiting = workerOf(t, first, clients[before.indexOf(blocked)]!);
  // A round of the others, for whom to take it there is time enough.
  await Promise.all(others.map((client) => workerOf(t, first, client)));
  rmSync(file);
  await ended;
  t.is(await waiting, blocked);

  const slots = new Map([...before].map((pid) => [pid, d.records.find((record) => record.event === 'worker.ready' && String(record['worker']) === pid)!['slot']]));
  d.signal('SIGHUP');
  await d.event('reload.finished');
  const after = await askAll(first);
  const slotAfter = (pid: string) => d.records.find((record) => record.event === 'worker.ready' && String(record['worker']) === pid)!['slot'];
  t.deepEqual(after.map(slotAfter), before.map((pid) => slots.get(pid)));
});

test.serial('source: both families at one address', async (t) => {
  const d = await begin(t, ['-w', '3', '-b', '[::]:0', '--steer', 'source']).ready();
  const address = { ...(await d.address()), host: '127.0.0.1' } as Address;
  const clients = Array.from({ length: 24 }, (_, i) => `127.1.0.${i + 1}`);
  const before = await Promise.all(clients.map((client) => workerOf(t, address, client)));
  t.is(new Set(before).size, 3, String(before));
  t.deepEqual(await Promise.all(clients.map((client) => workerOf(t, address, client))), before);
  const held = await hold(t, { ...address, host: '::1' } as Address, 20);
  t.is(held.size, 1, JSON.stringify([...held]));
});

test.serial("source: a killed worker's clients are answered by others meanwhile, and come back to its slot", async (t) => {
  const d = await begin(t, ['-w', '3', '-b', '127.0.0.1:0', '--steer', 'source']).ready();
  const address = await d.address();
  const clients = Array.from({ length: 24 }, (_, i) => `127.1.0.${i + 1}`);
  const before = await Promise.all(clients.map((client) => workerOf(t, address, client)));
  const victim = before[0]!;
  process.kill(Number(victim), 'SIGKILL');
  const answers = await Promise.all(clients.map((client) => workerOf(t, address, client).catch(() => 'closed')));
  t.false(answers.includes('closed'), String(answers));
  const { slot } = await d.event('worker.died', { worker: Number(victim) });
  const { worker } = await d.event('worker.ready', (record) => record['slot'] === slot && record['worker'] !== Number(victim));
  await poll('the kernel steers to the new worker', async () => ((await workerOf(t, address, clients[0]!)) === String(worker) ? true : undefined));
  t.deepEqual(await Promise.all(clients.map((client) => workerOf(t, address, client))), before.map((pid) => (pid === victim ? String(worker) : pid)));
});

for (const [steer, workers, how] of [
  ['source', 3, 'closed'],
  ['source', 3, 'not opened by its successor'],
  ['hash', 1, 'not opened by its successor'],
] as const) {
  test.serial(`${steer}, ${workers} workers: what waits at an address that one worker has ${how} is answered`, async (t) => {
    const closed = join(scratch(t), 'closed');
    const d = await start(t, ['closes-second.cjs', '-w', String(workers), '-b', '127.0.0.1:0', '--steer', steer], { env: how === 'closed' ? {} : { CLOSED: closed } }).ready();
    const [first, second] = [await d.address(0), await d.address(1)];
    const clients = Array.from({ length: 24 }, (_, i) => `127.1.0.${i + 1}`);
    const homes = await Promise.all(clients.map(async (localAddress) => (await get(second, '/', { localAddress })).body));
    const file = join(scratch(t), 'blocked');
    writeFileSync(file, '');
    const { blocked, ended } = await block(first, file);
    // More than a worker takes of a socket that it leaves.
    const waiting = clients.filter((_, i) => steer !== 'source' || homes[i] === blocked).flatMap((client) => Array.from({ length: 10 }, () => client));
    let connected = 0;
    const answers = waiting.map((localAddress) => get(second, '/', { localAddress, onConnected: () => (connected += 1) }));
    await poll('the connections', () => (connected === waiting.length ? true : undefined));
    if (how !== 'closed') {
      writeFileSync(closed, '');
      d.signal('SIGHUP');
      const { slot } = d.records.find((record) => record.event === 'worker.ready' && String(record['worker']) === blocked)!;
      await d.event('worker.draining', { slot });
    }
    rmSync(file);
    await ended;
    const pids = (await Promise.all(answers)).map(({ body }) => body);
    if (how !== 'closed') return t.is(pids.length, waiting.length);
    t.true(pids.some((pid) => pid !== blocked));
    const after = await Promise.all(clients.map(async (localAddress) => (await get(second, '/', { localAddress })).body));
    t.deepEqual(after.filter((_, i) => homes[i] !== blocked), homes.filter((home) => home !== blocked));
    t.false(after.includes(blocked));
  });
}
