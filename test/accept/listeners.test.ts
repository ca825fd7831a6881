/** The master's table of sockets: whom it gives which, what it refuses, what it leaves behind. */
import { spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { constants } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { formatAddress } from '../../src/config/address.js';
import { DroverError } from '../../src/errors.js';
import { check, closeFd, native } from '../../src/native.js';
import { Listeners, type Grants, type ListenersOptions } from '../../src/accept/listeners.js';
import { inodeOf } from '../../src/accept/holder.js';
import type { BoundAddress, ListenQuestion, ListenRefusal } from '../../src/ipc/messages.js';
import { reservePort } from '../helpers/port.js';

const { EACCES, EADDRINUSE, EADDRNOTAVAIL } = constants.errno;
type Event = [event: string, fields: Record<string, unknown>];

function open(t: ExecutionContext, options: Partial<ListenersOptions> = {}): { listeners: Listeners; events: Event[] } {
  const events: Event[] = [];
  const listeners = new Listeners({ strategy: 'reuseport', backlog: 64, umask: null, retryMs: 0, emit: (event, fields) => events.push([event, fields]), ...options });
  t.teardown(() => listeners.closeAll());
  return { listeners, events };
}

const ask = (request: Partial<ListenQuestion>): ListenQuestion => ({ ordinal: 0, first: false, address: null, port: 0, path: null, backlog: 0, ipv6Only: false, ...request });

/** A grant that must be given. */
async function granted(t: ExecutionContext, listeners: Listeners, request: Partial<ListenQuestion>, slot: number, bindGiven = false, row = slot): Promise<{ key: string } & Grants> {
  const answer = await listeners.grant(ask(request), slot, bindGiven, row);
  if ('key' in answer) return answer;
  return t.fail(answer.message);
}

async function refused(listeners: Listeners, request: Partial<ListenQuestion>, slot = 0): Promise<ListenRefusal> {
  const answer = await listeners.grant(ask(request), slot, false);
  if (!('errno' in answer)) throw new Error(`it was granted ${answer.key}`);
  return answer;
}

async function refusedBind(t: ExecutionContext, promise: Promise<void>): Promise<DroverError> {
  const error = await t.throwsAsync(promise, { instanceOf: DroverError });
  t.is(error.code, 'ERR_DROVER_LISTEN');
  t.true(error.format().split('\n').length <= 2, error.format());
  return error;
}

function portOf(address: BoundAddress | undefined): number {
  return (address as { port: number }).port;
}

function tempDir(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'drover-listeners-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function reaches(t: ExecutionContext, where: net.NetConnectOpts): Promise<void> {
  const socket = net.connect(where);
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
}

test('--bind: one socket for slot 0 at first, one for each slot that listens', async (t) => {
  const { listeners, events } = open(t);
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  const [address] = listeners.addresses();
  t.like(address, { family: 'IPv4', address: '127.0.0.1' });
  t.deepEqual(events, [['master.listening', { address: `127.0.0.1:${portOf(address)}`, strategy: 'reuseport', backlog: 64 }]]);

  const zero = await granted(t, listeners, { port: 3000 }, 0, true);
  t.is(zero.key, 'bind');
  t.deepEqual(zero.sockets, [{ key: 'bind', bind: 0, slot: 0, address: address!, strategy: 'reuseport' }]);
  const two = await granted(t, listeners, { port: 3000 }, 2, true);
  t.deepEqual(two.sockets, [{ key: 'bind', bind: 0, slot: 2, address: address!, strategy: 'reuseport' }]);
  t.not(inodeOf(two.fds[0]!), inodeOf(zero.fds[0]!));
  t.deepEqual(native.localAddress(two.fds[0]!), address);
  // The next worker of a slot takes its socket over.
  t.deepEqual(await granted(t, listeners, { port: 3000 }, 2, true, 12), two);
  t.deepEqual(listeners.siblings(0, 0).sockets.map(({ slot }) => slot), [2]);
  t.deepEqual(listeners.siblings(0, 0).fds, two.fds);
});

test('--bind with the shared strategy: one socket for all, nothing to steal', async (t) => {
  const { listeners } = open(t, { strategy: 'shared' });
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  const first = await granted(t, listeners, {}, 0, true);
  t.is(first.sockets[0]!.slot, -1);
  t.deepEqual(await granted(t, listeners, {}, 3, true), first);
  t.deepEqual(listeners.siblings(0, 0), { sockets: [], fds: [] });
});

test('several --bind are one listener; the second listen() of a worker has an address of its own', async (t) => {
  const { listeners } = open(t);
  const path = join(tempDir(t), 'a.sock');
  await listeners.openBinds([
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    { kind: 'unix', path },
    { kind: 'tcp', host: '::1', port: 0 },
  ]);
  const bind = await granted(t, listeners, { ordinal: 0, port: 3000 }, 1, true);
  t.deepEqual(bind.sockets.map(({ bind: index, slot }) => [index, slot]), [[0, 1], [1, -1], [2, 1]]);
  const second = await granted(t, listeners, { ordinal: 1, address: '127.0.0.1' }, 1, true);
  t.is(second.key, 'tcp:127.0.0.1:0#1');
  t.is(second.sockets[0]!.slot, 1);
  t.is(listeners.addresses().length, 4);
  // A worker watches its siblings' sockets where it listens itself, from then on.
  const watched = (): string[] => listeners.siblings(0, 0).sockets.map(({ key, bind: index }) => `${key} ${index}`);
  t.deepEqual(watched(), []);
  await granted(t, listeners, { ordinal: 0, port: 3000 }, 0, true);
  t.deepEqual(watched(), ['bind 0', 'bind 2']);
  await granted(t, listeners, { ordinal: 1, address: '127.0.0.1' }, 0, true);
  t.deepEqual(watched(), ['bind 0', 'bind 2', 'tcp:127.0.0.1:0#1 0']);
  t.deepEqual(listeners.siblings(0, 5, [0, 1]).sockets, [], 'of another worker of the slot nothing is known');
  // What it has not got, as it was gone or had no descriptors left, it does not listen at.
  listeners.withdraw('tcp:127.0.0.1:0#1', 0);
  t.deepEqual(watched(), ['bind 0', 'bind 2']);
  listeners.withdraw('bind', 0);
  t.deepEqual(watched(), []);
});

test('where nobody of a slot listens, and what the next worker of a slot does not take over', async (t) => {
  const { listeners } = open(t);
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  const unattended = (): unknown => Object.fromEntries(listeners.unattended().map(({ key, slots, rows }) => [key, [slots, rows]]));
  const other = { ordinal: 1, address: '127.0.0.1' };
  // The socket that reserves the address is slot 0's.
  await granted(t, listeners, {}, 1, true);
  t.deepEqual(unattended(), { bind: [[0], [1]] });
  for (const slot of [0, 2]) await granted(t, listeners, {}, slot, true);
  const { key } = await granted(t, listeners, other, 0, true);
  for (const slot of [1, 2]) await granted(t, listeners, other, slot, true);
  t.deepEqual(unattended(), { bind: [[], [1, 0, 2]], [key]: [[], [0, 1, 2]] });
  listeners.release(key, 2);
  listeners.forget(1);
  t.deepEqual(unattended(), { bind: [[1], [0, 2]], [key]: [[1, 2], [0]] });
  // Its successor, which has not opened the second.
  await granted(t, listeners, {}, 0, true, 10);
  t.deepEqual(listeners.notTakenOver(0), [key]);
  t.deepEqual(listeners.notTakenOver(10), []);
  t.deepEqual(listeners.notTakenOver(2), ['bind']);
});

test('a socket that all share is taken over by whoever listens there', async (t) => {
  const { listeners } = open(t, { strategy: 'shared' });
  const asked = { address: '127.0.0.1' };
  const { key } = await granted(t, listeners, asked, 0, false);
  await granted(t, listeners, asked, 1, false);
  t.deepEqual(listeners.notTakenOver(0), []);
  listeners.leave(1);
  t.deepEqual(listeners.notTakenOver(0), [key]);
});

test('without --bind: the same listen() in another worker gets the same address', async (t) => {
  const { listeners, events } = open(t);
  const first = await granted(t, listeners, { address: '127.0.0.1' }, 1);
  t.is(events[0]![0], 'master.listening');
  t.is(first.sockets[0]!.slot, 1);
  const other = await granted(t, listeners, { address: '127.0.0.1' }, 0);
  t.is(other.key, first.key);
  t.deepEqual(other.sockets[0]!.address, first.sockets[0]!.address);
  t.is(events.length, 1);
  const ordinal = await granted(t, listeners, { address: '127.0.0.1', ordinal: 1 }, 0);
  t.not(portOf(ordinal.sockets[0]!.address), portOf(first.sockets[0]!.address));
  // By its number, the port that listen(0) got.
  const { port } = first.sockets[0]!.address as { port: number };
  t.is((await granted(t, listeners, { address: '127.0.0.1', port, ordinal: 2 }, 2)).key, first.key);
});

test('two servers of one worker at one address: the second is refused, and the first alone counts', async (t) => {
  const { listeners } = open(t);
  const { key } = await granted(t, listeners, { address: '127.0.0.1' }, 0);
  const port = portOf(listeners.addresses()[0]);
  t.deepEqual(await refused(listeners, { address: '127.0.0.1', port, ordinal: 1 }), { errno: -EADDRINUSE, message: `cannot listen at 127.0.0.1:${port}: another server of the app listens there` });
  listeners.release(key, 0);
  t.deepEqual(listeners.addresses(), []);
});

test('a server that was closed may listen at --bind again', async (t) => {
  const { listeners } = open(t);
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  const first = await granted(t, listeners, {}, 0, true);
  listeners.release(first.key, 0);
  t.deepEqual(await granted(t, listeners, {}, 0, true), first);
});

test('workers that ask for a new address at the same time share it', async (t) => {
  const { listeners } = open(t);
  const path = join(tempDir(t), 'a.sock');
  for (const request of [{ address: '127.0.0.1' }, { path }]) {
    const answers = await Promise.all([0, 1, 2].map((slot) => granted(t, listeners, request, slot)));
    t.is(new Set(answers.map(({ key }) => key)).size, 1);
    t.is(new Set(answers.map(({ sockets }) => JSON.stringify(sockets[0]!.address))).size, 1);
  }
});

test('no address: :: for both families; ipv6Only for one', async (t) => {
  const { listeners } = open(t);
  const both = await granted(t, listeners, {}, 0);
  t.like(both.sockets[0]!.address, { family: 'IPv6', address: '::' });
  await reaches(t, { port: portOf(both.sockets[0]!.address), host: '127.0.0.1' });
  await reaches(t, { port: portOf(both.sockets[0]!.address), host: '::1' });
  const six = await granted(t, listeners, { ordinal: 1, ipv6Only: true }, 0);
  const socket = net.connect({ port: portOf(six.sockets[0]!.address), host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  // Refused, unless a server of some other process has this port of IPv4.
  await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve));
  t.is(check('queueLength', native.queueLength(six.fds[0]!)).length, 0);
});

test('a name given to --bind is resolved', async (t) => {
  const { listeners } = open(t);
  await listeners.openBinds([{ kind: 'tcp', host: 'localhost', port: 0 }]);
  t.regex((listeners.addresses()[0] as { address: string }).address, /^127\.0\.0\.1$|^::1$/);
  const error = await refusedBind(t, open(t).listeners.openBinds([{ kind: 'tcp', host: 'drover.invalid', port: 80 }]));
  t.regex(error.format(), /drover\.invalid:80.*does not resolve/);
});

test('a name that is one of the other addresses of --bind: told before anything is opened', async (t) => {
  const { address } = await lookup('localhost');
  const { listeners, events } = open(t);
  const error = await refusedBind(t, listeners.openBinds([{ kind: 'tcp', host: address, port: 81 }, { kind: 'tcp', host: 'localhost', port: 81 }]));
  t.is(error.message, `cannot listen at --bind localhost:81 (${formatAddress({ kind: 'tcp', host: address, port: 81 })}): it overlaps with --bind ${formatAddress({ kind: 'tcp', host: address, port: 81 })}`);
  t.deepEqual(events, []);
});

test('in use by the app itself at an address that overlaps: said so', async (t) => {
  for (const strategy of ['reuseport', 'shared'] as const) {
    const { listeners } = open(t, { strategy });
    const first = await granted(t, listeners, { address: '127.0.0.1' }, 0);
    const port = portOf(first.sockets[0]!.address);
    const refusal = await refused(listeners, { address: '0.0.0.0', port }, 1);
    t.is(refusal.errno, -EADDRINUSE);
    t.is(refusal.message, `cannot listen at 0.0.0.0:${port}: the app listens at 127.0.0.1:${port} already, in this worker or in another`);
    t.regex(refusal.remedy!, /give it its address with --bind\.$/);
  }
});

test('in use by --bind, which the first server has: another one needs an address of its own', async (t) => {
  const { listeners } = open(t);
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  const [address] = listeners.addresses();
  const refusal = await refused(listeners, { address: '0.0.0.0', port: portOf(address), ordinal: 1 });
  t.is(refusal.errno, -EADDRINUSE);
  t.regex(refusal.remedy!, /give this one another\.$/);
});

test('a worker with no address in common with others is apart from them', async (t) => {
  const { listeners } = open(t);
  const at = async (row: number, ordinal: number, name: string): Promise<string> => (await granted(t, listeners, { ordinal, path: `@drover-test-${process.pid}-${name}` }, row, false, row)).key;
  t.is(listeners.apart(0, [1]), undefined, 'nobody listens');
  const one = await at(0, 0, 'one');
  const two = await at(1, 0, 'two');
  t.deepEqual(listeners.apart(1, [0]), { address: two, other: one });
  t.is(listeners.apart(1, []), undefined);
  t.is(listeners.apart(1, [2]), undefined, 'that one does not listen');
  await at(1, 1, 'one');
  t.is(listeners.apart(1, [0]), undefined, 'one more than the other is fine');
  listeners.release(one, 1);
  t.truthy(listeners.apart(1, [0]));
});

test('in use: told at once, tried again, then the process that has it is named', async (t) => {
  const child = spawn(process.execPath, ['-e', `const s = require('net').createServer().listen(0, '127.0.0.1', () => process.stdout.write(String(s.address().port)))`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(output);
  for (const strategy of ['reuseport', 'shared'] as const) {
    const { listeners, events } = open(t, { strategy, retryMs: 1_500 });
    const error = await refusedBind(t, listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port }]));
    t.regex(error.message, new RegExp(`^cannot listen at --bind 127\\.0\\.0\\.1:${port}: the address is held by .+ \\(pid ${child.pid}\\)$`));
    t.is(error.exitCode, 5);
    t.is(events.length, 1);
    t.is(events[0]![0], 'listen.retrying');
    t.regex(String(events[0]![1]['state']), new RegExp(`^held by \\S.* \\(pid ${child.pid}\\)$`));
    t.like(events[0]![1]['holder'], { pid: child.pid });
    // A worker's own listen() is answered at once.
    const answer = await refused(listeners, { address: '127.0.0.1', port });
    t.is(answer.errno, -EADDRINUSE);
    t.regex(answer.message, /held by .* \(pid \d+\)/);
  }
  // Freed while we wait.
  const { listeners, events } = open(t, { retryMs: 10_000, emit: (event) => event === 'listen.retrying' && child.kill('SIGKILL') });
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port }]);
  t.is(portOf(listeners.addresses()[0]), port);
  t.deepEqual(events, []);
});

test('a second drover does not join the first one\'s group', async (t) => {
  const { listeners } = open(t);
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  const port = portOf(listeners.addresses()[0]);
  await granted(t, listeners, {}, 1, true);
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const second = open(t);
    await refusedBind(t, second.listeners.openBinds([{ kind: 'tcp', host, port }]));
    t.is((await refused(second.listeners, { address: host, port })).errno, -EADDRINUSE);
  }
  t.is((await refused(listeners, { address: '127.0.0.1', port, ordinal: 1 })).errno, -EADDRINUSE);
});

test('none of the addresses stays open when one is refused', async (t) => {
  const { listeners } = open(t);
  const path = join(tempDir(t), 'a.sock');
  await refusedBind(t, listeners.openBinds([{ kind: 'unix', path }, { kind: 'tcp', host: '192.0.2.1', port: 0 }]));
  t.false(existsSync(path));
  t.deepEqual(listeners.addresses(), []);
});

test('an address this machine does not have', async (t) => {
  const { listeners } = open(t);
  const error = await refusedBind(t, listeners.openBinds([{ kind: 'tcp', host: '192.0.2.1', port: 0 }]));
  t.regex(error.format(), /192\.0\.2\.1:0: no interface of this machine has that address\n {2}See `ip address`/);
  t.is((await refused(listeners, { address: '192.0.2.1' })).errno, -EADDRNOTAVAIL);
});

test('a unix socket is served by one socket for all, and says so', async (t) => {
  const { listeners, events } = open(t);
  const path = join(tempDir(t), 'a.sock');
  await listeners.openBinds([{ kind: 'unix', path }]);
  t.deepEqual(events, [
    ['master.listening', { address: `unix:${path}`, strategy: 'exclusive', backlog: 64 }],
    ['listen.strategy', { address: `unix:${path}`, strategy: 'exclusive', reason: 'unix sockets have no SO_REUSEPORT' }],
  ]);
  const { sockets, fds } = await granted(t, listeners, {}, 3, true);
  t.is(sockets[0]!.slot, -1);
  t.deepEqual((await granted(t, listeners, {}, 4, true)).fds, fds);
  t.deepEqual(listeners.siblings(3, 3).sockets, []);
  const plain = open(t, { strategy: 'shared' });
  await plain.listeners.openBinds([{ kind: 'unix', path: `${path}2` }]);
  t.deepEqual(plain.events.map(([event]) => event), ['master.listening']);
});

test('unix: a live socket is refused, a stale one replaced, a file that is no socket left alone', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'a.sock');
  const first = open(t);
  await first.listeners.openBinds([{ kind: 'unix', path }]);
  const second = open(t);
  t.regex((await refusedBind(t, second.listeners.openBinds([{ kind: 'unix', path }]))).message, /the address is in use/);
  t.is(second.events[0], undefined);
  await reaches(t, { path });

  // Stale: the file of a socket whose process is gone.
  const child = spawn(process.execPath, ['-e', `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`, join(dir, 'stale.sock')]);
  await once(child, 'exit');
  const stale = lstatSync(join(dir, 'stale.sock'));
  t.true(stale.isSocket());
  await second.listeners.openBinds([{ kind: 'unix', path: join(dir, 'stale.sock') }]);
  await reaches(t, { path: join(dir, 'stale.sock') });

  writeFileSync(join(dir, 'file'), 'precious');
  symlinkSync(path, join(dir, 'link'));
  for (const name of ['file', 'link']) {
    const error = await refusedBind(t, open(t).listeners.openBinds([{ kind: 'unix', path: join(dir, name) }]));
    t.regex(error.message, /a file of that name which is not a socket/);
    t.is((await refused(open(t).listeners, { path: join(dir, name) })).errno, -EADDRINUSE);
  }
  t.is(readFileSync(join(dir, 'file'), 'utf8'), 'precious');
});

test('unix: a live socket that goes away is waited for', async (t) => {
  const path = join(tempDir(t), 'a.sock');
  const old = net.createServer().listen(path);
  await once(old, 'listening');
  const { listeners } = open(t, { retryMs: 10_000, emit: (event) => event === 'listen.retrying' && old.close() });
  await listeners.openBinds([{ kind: 'unix', path }]);
  t.false(old.listening);
  await reaches(t, { path });
});

test('unix: no directory, path too long', async (t) => {
  const { listeners } = open(t);
  const missing = join(tempDir(t), 'none', 'a.sock');
  t.regex((await refusedBind(t, listeners.openBinds([{ kind: 'unix', path: missing }]))).message, /there is no directory/);
  // libuv's word for it.
  t.is((await refused(listeners, { path: missing })).errno, -EACCES);
  t.regex((await refused(listeners, { path: `/tmp/${'x'.repeat(120)}` })).message, /longer than a unix socket's may be/);
});

test.serial('unix: --umask for the socket, and for nothing else', async (t) => {
  const dir = tempDir(t);
  const before = process.umask();
  for (const [umask, mode] of [[0o077, 0o700], [0, 0o777]] as const) {
    const { listeners } = open(t, { umask });
    const path = join(dir, `${umask}.sock`);
    await listeners.openBinds([{ kind: 'unix', path }]);
    t.is(statSync(path).mode & 0o777, mode);
    t.is(process.umask(), before);
  }
});

test('unix: the file is removed at the end, but not when it is another\'s by then', async (t) => {
  const dir = tempDir(t);
  const { listeners } = open(t);
  const [ours, theirs] = [join(dir, 'ours.sock'), join(dir, 'theirs.sock')];
  await listeners.openBinds([{ kind: 'unix', path: ours }, { kind: 'unix', path: theirs }]);
  const other = net.createServer().listen(join(dir, 'other.sock'));
  await once(other, 'listening');
  renameSync(join(dir, 'other.sock'), theirs);
  listeners.closeAll();
  t.false(existsSync(ours));
  t.true(existsSync(theirs));
  await reaches(t, { path: theirs });
  other.close();
  // Once more does no harm.
  listeners.closeAll();
});

test('unix: abstract names', async (t) => {
  const { listeners } = open(t);
  const name = `drover-test-${process.pid}`;
  await listeners.openBinds([{ kind: 'unix', path: `@${name}` }]);
  t.deepEqual(listeners.addresses(), [{ family: 'unix', path: `@${name}` }]);
  const error = await refusedBind(t, open(t).listeners.openBinds([{ kind: 'unix', path: `@${name}` }]));
  t.regex(error.message, /in use/);
  t.false(existsSync(`@${name}`));

  // As a worker on Node 20 asks for it.
  const padded = `@${name}-padded`.padEnd(108, '\0');
  await granted(t, listeners, { path: padded }, 0);
  t.regex((await refused(open(t).listeners, { path: padded })).message, new RegExp(`^cannot listen at unix:@${name}-padded: the address is in use`));
});

test('what serves an address and why is said once of each kind: a program may open a port per session', async (t) => {
  const { listeners, events } = open(t, { strategy: 'auto' });
  const dir = tempDir(t);
  for (const ordinal of [0, 1, 2]) {
    await granted(t, listeners, { ordinal, address: '127.0.0.1' }, 0);
    await granted(t, listeners, { ordinal, path: join(dir, `${ordinal}.sock`) }, 0);
  }
  const of = (name: string): unknown[] => events.filter(([event]) => event === name).map(([, fields]) => fields['strategy']);
  t.deepEqual(of('master.listening'), ['reuseport', 'exclusive', 'reuseport', 'exclusive', 'reuseport', 'exclusive']);
  t.deepEqual(of('listen.strategy'), ['reuseport', 'exclusive']);
});

test('fd://: served as one socket for all; what does not listen is refused', async (t) => {
  const { listeners, events } = open(t);
  const fd = check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 33, reusePort: false, ipv6Only: false }));
  const address = native.localAddress(fd) as BoundAddress;
  await listeners.openBinds([{ kind: 'fd', fd }]);
  t.deepEqual(listeners.addresses(), [address]);
  t.deepEqual(events.map(([event, fields]) => [event, fields['strategy'], fields['reason'] ?? fields['backlog']]), [
    ['master.listening', 'exclusive', 33],
    ['listen.strategy', 'exclusive', 'an inherited descriptor is one socket for all'],
  ]);
  const { sockets, fds } = await granted(t, listeners, {}, 1, true);
  t.deepEqual([sockets[0]!.slot, fds], [-1, [fd]]);

  const pair = check('socketpair', native.socketPair());
  t.teardown(() => pair.forEach(closeFd));
  const memory = check('memfd', native.createMemory('x', 4096));
  t.teardown(() => closeFd(memory));
  for (const [number, reason] of [[pair[0], /is not a listening stream socket/], [memory, /is not a socket/], [9999, /there is no descriptor 9999/]] as const) {
    const error = await refusedBind(t, open(t).listeners.openBinds([{ kind: 'fd', fd: number }]));
    t.regex(error.message, reason);
    t.regex(error.message, new RegExp(`--bind fd://${number}:`));
    const handed = await refusedBind(t, open(t).listeners.openBinds([{ kind: 'fd', fd: number }], true));
    t.regex(handed.format(), new RegExp(`^cannot listen at fd://${number}, handed over by LISTEN_FDS: .*${reason.source}\n.*leave others out`));
  }
});

test('fd://: the file of an inherited unix socket is not removed', async (t) => {
  const path = join(tempDir(t), 'a.sock');
  const fd = check('listen', native.listenUnix(path, 8));
  const { listeners } = open(t);
  await listeners.openBinds([{ kind: 'fd', fd }]);
  t.deepEqual(listeners.addresses(), [{ family: 'unix', path }]);
  listeners.closeAll();
  t.true(existsSync(path));
});

test('a backlog above somaxconn is told once, and cut', async (t) => {
  const somaxconn = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  const { listeners, events } = open(t, { backlog: somaxconn + 1 });
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  await granted(t, listeners, { ordinal: 1, address: '127.0.0.1' }, 0, true);
  t.deepEqual(events.map(([event]) => event), ['listen.backlog-cut', 'master.listening', 'master.listening']);
  t.deepEqual(events[0]![1], { backlog: somaxconn + 1, somaxconn });
  t.is(events[1]![1]['backlog'], somaxconn);
});

test("an app's own backlog counts for its own address", async (t) => {
  const { listeners } = open(t);
  const { fds } = await granted(t, listeners, { address: '127.0.0.1', backlog: 17 }, 0);
  t.like(native.queueLength(fds[0]!), { limit: 17 });
  const { fds: second } = await granted(t, listeners, { address: '127.0.0.1', backlog: 17 }, 1);
  t.like(native.queueLength(second[0]!), { limit: 17 });
});

test('an address of the app\'s own is freed when it is closed everywhere, and is another listener when opened anew', async (t) => {
  const { listeners } = open(t);
  const first = await granted(t, listeners, { address: '127.0.0.1' }, 0);
  const port = portOf(first.sockets[0]!.address);
  await granted(t, listeners, { address: '127.0.0.1' }, 1);
  listeners.release(first.key, 0);
  t.is(listeners.addresses().length, 1);
  listeners.release(first.key, 1);
  t.deepEqual(listeners.addresses(), []);
  const free = net.createServer().listen(port, '127.0.0.1');
  await once(free, 'listening');
  free.close();
  await once(free, 'close');
  const again = await granted(t, listeners, { address: '127.0.0.1' }, 0);
  t.not(again.key, first.key);
  // A successor beside its predecessor in one slot: two servers, so two releases.
  await granted(t, listeners, { address: '127.0.0.1' }, 0, false, 10);
  listeners.release(again.key, 0);
  t.is(listeners.addresses().length, 1);
  listeners.release('bind', 0);
  listeners.release('nonsense', 0);
});

test('users are counted by worker: after a reload, closing in every worker closes the sockets', async (t) => {
  const { listeners } = open(t);
  const { key } = await granted(t, listeners, { address: '127.0.0.1' }, 0, false, 10);
  await granted(t, listeners, { address: '127.0.0.1' }, 1, false, 11);
  // Successors listen beside their predecessors, which drain, and go without a word of closing.
  await granted(t, listeners, { address: '127.0.0.1' }, 0, false, 12);
  listeners.leave(10);
  listeners.forget(10);
  await granted(t, listeners, { address: '127.0.0.1' }, 1, false, 13);
  listeners.leave(11);
  listeners.forget(11);
  t.is(listeners.addresses().length, 1);
  listeners.release(key, 12);
  t.is(listeners.addresses().length, 1);
  listeners.release(key, 13);
  t.deepEqual(listeners.addresses(), []);
});

test('a worker that dies keeps its address for its successor; one that drains last gives a closed one up', async (t) => {
  const { listeners } = open(t);
  const { key } = await granted(t, listeners, { address: '127.0.0.1' }, 0, false, 10);
  listeners.forget(10);
  t.is(listeners.addresses().length, 1);
  t.is((await granted(t, listeners, { address: '127.0.0.1' }, 0, false, 11)).key, key);
  await granted(t, listeners, { address: '127.0.0.1' }, 1, false, 12);
  listeners.release(key, 11);
  t.is(listeners.addresses().length, 1);
  listeners.leave(12);
  t.deepEqual(listeners.addresses(), []);
});

test('addresses where no worker listens are closed when asked for, those of --bind never', async (t) => {
  const { listeners } = open(t);
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  const old = await granted(t, listeners, { address: '127.0.0.1', ordinal: 1 }, 0, true, 10);
  const kept = await granted(t, listeners, { address: '127.0.0.1', ordinal: 2 }, 0, true, 10);
  await granted(t, listeners, { address: '127.0.0.1', ordinal: 2 }, 0, true, 11);
  t.deepEqual(listeners.closeUnserved(), []);
  listeners.leave(10);
  listeners.forget(10);
  t.deepEqual(listeners.closeUnserved(), [`127.0.0.1:${portOf(old.sockets[0]!.address)}`]);
  t.deepEqual(listeners.closeUnserved(), []);
  t.deepEqual(listeners.addresses().map(portOf).slice(1), [portOf(kept.sockets[0]!.address)]);
});

const EMFILE = -constants.errno.EMFILE;
/** A conductor that has no descriptor left. */
const starved = { grant: () => EMFILE, ungrant: () => 0, permit: () => EMFILE, unpermit: () => 0, rescue: () => EMFILE, unrescue: () => 0 };

test('no descriptor for the conductor: the listen() fails, --bind is refused, and nothing stays open', async (t) => {
  for (const strategy of ['grant', 'lock'] as const) {
    const { listeners } = open(t, { strategy, conductor: starved });
    const path = join(tempDir(t), 'a.sock');
    for (const request of [{ address: '127.0.0.1' }, { path }]) {
      const answer = await refused(listeners, request);
      t.is(answer.errno, EMFILE);
      t.regex(answer.message, /out of file descriptors/);
    }
    t.false(existsSync(path));
    t.regex((await refusedBind(t, listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]))).format(), /out of file descriptors\n.*ulimit/);
    t.deepEqual(listeners.addresses(), []);
  }
});

test('no descriptor for the net under the wake-ups: served all the same, and told', async (t) => {
  const { listeners, events } = open(t, { strategy: 'exclusive', conductor: starved });
  await granted(t, listeners, { address: '127.0.0.1' }, 0);
  t.deepEqual(events.map(([event, fields]) => [event, fields['error']]), [['listen.unwatched', 'EMFILE'], ['master.listening', undefined]]);
});

test('no descriptor for the steering: the kernel spreads by hash, and it is told', async (t) => {
  const failing = (what: string): never => {
    throw Object.assign(new Error(what), { errno: EMFILE });
  };
  // At the first socket of the address, and at a later one, when the steering has the others already.
  let room = 1;
  const closed: string[] = [];
  const steering = { name: 'weighted' as const, add: () => (room-- > 0 ? 0 : EMFILE), serving: () => 0, close: () => closed.push('closed') };
  for (const choice of [() => failing('openWeightedGroup'), () => steering]) {
    const { listeners, events } = open(t, { steering: { name: 'weighted', reason: 'test', open: choice as () => typeof steering } });
    const fds: number[] = [];
    for (const slot of [0, 1]) fds.push((await granted(t, listeners, { address: '127.0.0.1' }, slot)).fds[0]!);
    listeners.setServing([1]);
    t.deepEqual(events.filter(([event]) => event === 'listen.steer-failed').map(([, fields]) => fields['error']), ['EMFILE']);
    const port = portOf(listeners.addresses()[0]);
    await Promise.all(Array.from({ length: 10 }, () => reaches(t, { host: '127.0.0.1', port })));
    // By hash among those that serve, which takes both sockets to be in the group, in their order.
    t.deepEqual(queues(fds), [0, 10]);
  }
  t.deepEqual(closed, ['closed']);
});

test("unix: a file that the app has removed before it listens is put back, to the same queue", async (t) => {
  const { listeners, events } = open(t);
  const path = join(tempDir(t), 'a.sock');
  const first = await granted(t, listeners, { path }, 0);
  await reaches(t, { path });
  for (let worker = 1; worker <= 2; worker += 1) {
    rmSync(path);
    const next = await granted(t, listeners, { path }, worker);
    t.is(next.key, first.key);
    t.deepEqual(next.fds, first.fds);
    await reaches(t, { path });
  }
  t.deepEqual(events.map(([event]) => event).filter((event) => event.startsWith('listen.file')), ['listen.file-restored']);
  // Not over somebody else's.
  rmSync(path);
  writeFileSync(path, 'precious');
  t.is(readFileSync(path, 'utf8'), 'precious');
  await granted(t, listeners, { path }, 3);
  t.is(readFileSync(path, 'utf8'), 'precious');
  rmSync(path);
  await granted(t, listeners, { path }, 4);
  listeners.closeAll();
  t.deepEqual(readdirSync(dirname(path)), [], 'neither name is left');
});

test('an address that the app has closed goes with the next worker that drains, where the last that listened there has died', async (t) => {
  const { listeners } = open(t);
  const { key } = await granted(t, listeners, { address: '127.0.0.1' }, 0);
  await granted(t, listeners, { address: '127.0.0.1' }, 1);
  listeners.release(key, 0);
  listeners.forget(1);
  listeners.leave(2);
  t.deepEqual(listeners.addresses(), []);
});

test('--bind stays when an app closes its server', async (t) => {
  const { listeners } = open(t);
  await listeners.openBinds([{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  await granted(t, listeners, {}, 0, true);
  listeners.release('bind', 0);
  t.is(listeners.addresses().length, 1);
});

/** How many connections wait at each socket. */
const queues = (fds: number[]): number[] => fds.map((fd) => (native.queueLength(fd) as { length: number }).length);

test('connections are steered to the slots that serve', async (t) => {
  const { listeners, events } = open(t);
  // Slots listen in an order that is not theirs: the kernel counts by listen(), not by slot.
  const order = [2, 0, 1];
  const fds: number[] = [];
  for (const slot of order) fds.push((await granted(t, listeners, { address: '127.0.0.1' }, slot)).fds[0]!);
  const port = portOf(listeners.addresses()[0]);
  const connect = async (n: number): Promise<void> => void (await Promise.all(Array.from({ length: n }, () => reaches(t, { host: '127.0.0.1', port }))));

  listeners.setServing([1]);
  await connect(12);
  t.deepEqual(queues(fds), [0, 0, 12]);
  listeners.setServing([1, 2]);
  await connect(30);
  t.is(queues(fds)[1], 0);
  t.true(queues(fds)[0]! > 0);
  // Nobody serves: as it was.
  listeners.setServing([]);
  await connect(10);
  t.is(queues(fds)[1], 0);
  // All: the kernel's hash.
  listeners.setServing([0, 1, 2]);
  await connect(10);
  t.is(queues(fds).reduce((a, b) => a + b), 62);
  // A slot that opens while others serve gets nothing before it serves.
  const late = await granted(t, listeners, { address: '127.0.0.1' }, 3);
  await connect(20);
  t.deepEqual(queues(late.fds), [0]);
  listeners.setServing([3]);
  await connect(5);
  t.deepEqual(queues(late.fds), [5]);
  t.deepEqual(events.map(([event]) => event), ['master.listening']);
});

test('connections are steered past a worker whose app has closed its server there, or that drains', async (t) => {
  const { listeners } = open(t);
  const grants = [];
  for (const slot of [0, 1, 2]) grants.push(await granted(t, listeners, { address: '127.0.0.1' }, slot));
  const fds = grants.map((grant) => grant.fds[0]!);
  const port = portOf(listeners.addresses()[0]);
  const connect = async (n: number): Promise<void> => void (await Promise.all(Array.from({ length: n }, () => reaches(t, { host: '127.0.0.1', port }))));
  listeners.setServing([0, 1, 2]);
  listeners.release(grants[1]!.key, 1);
  await connect(10);
  t.is(queues(fds)[1], 0);
  listeners.leave(2);
  const before = queues(fds);
  await connect(10);
  t.deepEqual(queues(fds), [before[0]! + 10, 0, before[2]]);
  // It listens again.
  await granted(t, listeners, { address: '127.0.0.1' }, 1);
  await connect(20);
  const [, second] = queues(fds);
  t.true(second! > 0);
  // It dies, and its slot is served by another, that does not listen there.
  listeners.forget(1);
  await connect(10);
  t.is(queues(fds)[1], second);
});

test('source: an address with one socket for all is told of, once', async (t) => {
  const steering = { name: 'source' as const, add: () => 0, serving: () => 0, close: () => undefined };
  const { listeners, events } = open(t, { steering: { name: 'source', reason: 'test', open: () => steering } });
  const path = join(tempDir(t), 'a.sock');
  for (const slot of [0, 1]) await granted(t, listeners, { path }, slot);
  await granted(t, listeners, { address: '127.0.0.1' }, 0);
  t.deepEqual(events.filter(([event]) => event === 'listen.unsteered').map(([, fields]) => fields['address']), [`unix:${path}`]);
});

test('close() of a listener closes all its sockets', async (t) => {
  const { listeners } = open(t);
  const { key, fds } = await granted(t, listeners, { address: '127.0.0.1' }, 0);
  const { fds: more } = await granted(t, listeners, { address: '127.0.0.1' }, 1);
  listeners.close([key]);
  for (const fd of [...fds, ...more]) t.not(native.isListening(fd), 1);
  t.deepEqual(listeners.siblings(1, 1), { sockets: [], fds: [] });
});

test('a first server at any port gets what the first server of another worker got', async (t) => {
  const { listeners } = open(t);
  const first = await granted(t, listeners, { address: '127.0.0.1', port: 0, ordinal: 1 }, 0);
  const main = await granted(t, listeners, { address: '127.0.0.1', port: await reservePort(t) }, 0);
  t.not(main.key, first.key);
  t.is((await granted(t, listeners, { port: 0, first: true }, 1)).key, main.key);
  t.is((await granted(t, listeners, { port: 0, first: true }, 2)).key, main.key);
  // A port that is named is another matter, and so is a server that comes later.
  t.not((await granted(t, listeners, { address: '127.0.0.1', port: await reservePort(t), first: true }, 3)).key, main.key);
  t.not((await granted(t, listeners, { port: 0, ordinal: 1 }, 3)).key, main.key);
});
