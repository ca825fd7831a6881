/** Where drover listens: every form of --bind, scripts with addresses of their own, the environment. */
import test from 'ava';
import net from 'node:net';
import { availableParallelism } from 'node:os';
import { readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, scratch, start, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { reservePort } from '../helpers/port.js';

const NODE_MAJOR = Number(process.versions.node.split('.')[0]);
const STRATEGIES = ['shared', 'reuseport'];
const app = fixture('whoami.cjs');

/** Which workers answer, over so many new connections. */
async function answering(address: Address, connections = 60): Promise<Set<string>> {
  const bodies = await Promise.all(Array.from({ length: connections }, () => get(address).then(({ body }) => body)));
  return new Set(bodies);
}

for (const strategy of STRATEGIES) {
  test.serial(`several addresses at once: IPv4, IPv6, unix path, abstract: ${strategy}`, async (t) => {
    const dir = scratch(t);
    const path = join(dir, 'app.sock');
    const abstract = `drover-test-${process.pid}-${strategy}`;
    const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0', '-b', '[::1]:0', '-b', `unix:${path}`, '-b', `unix:@${abstract}`, '--accept-strategy', strategy]);
    await d.ready();
    const workers = new Set(d.workers().map(String));
    t.is(d.events('master.listening').length, 4);
    const [v4, v6, unix] = [await d.address(0), await d.address(1), await d.address(2)];
    t.like(v6, { host: '::1' });
    t.deepEqual(unix, { socketPath: path });
    t.deepEqual(await d.address(3), { socketPath: `\0${abstract}` });
    t.true(readFileSync('/proc/net/unix', 'latin1').includes(` @${abstract}\n`), 'the abstract name as it was given');
    // Node 20 pads the abstract names it connects to with NUL bytes, up to 108 bytes, and so meets nobody but itself.
    const addresses = [v4, v6, unix, ...(NODE_MAJOR < 22 ? [] : [{ socketPath: `\0${abstract}` }])];
    for (const address of addresses) {
      for (const body of await answering(address, 10)) t.true(workers.has(body));
    }
    d.signal('SIGHUP');
    await d.event('reload.finished');
    for (const address of addresses) t.is((await get(address)).status, 200);
  });

  test.serial(`all workers take part: ${strategy}`, async (t) => {
    const d = start(t, [app, '-w', '3', '-b', '127.0.0.1:0', '--accept-strategy', strategy]);
    await d.ready();
    const address = await d.address();
    const seen = new Set<string>();
    for (let round = 0; round < 20 && seen.size < 3; round += 1) for (const body of await answering(address)) seen.add(body);
    t.deepEqual([...seen].sort(), d.workers().map(String).sort());
  });

  test.serial(`a script without --bind: its own port, the same in all workers and after a reload: ${strategy}`, async (t) => {
    const port = await reservePort(t);
    const d = start(t, [fixture('script.cjs'), '-w', '2', '--accept-strategy', strategy], { env: { LISTEN_PORT: String(port) } });
    await d.ready();
    t.deepEqual(await d.address(), { host: '127.0.0.1', port });
    for (const body of await answering({ host: '127.0.0.1', port })) t.is(body.split(' ')[0], String(port));
    d.signal('SIGHUP');
    await d.event('reload.finished');
    t.is((await get({ host: '127.0.0.1', port })).body.split(' ')[0], String(port));
    t.is(d.events('master.listening').length, 1);
  });

  test.serial(`a script that listens at any port: one port for all, kept over a reload: ${strategy}`, async (t) => {
    const d = start(t, [fixture('script.cjs'), '-w', '3', '--accept-strategy', strategy]);
    await d.ready();
    const address = (await d.address()) as { host: string; port: number };
    t.true(address.port > 0);
    for (const body of await answering(address)) t.is(body.split(' ')[0], String(address.port));
    d.signal('SIGHUP');
    await d.event('reload.finished');
    await d.count(3, 'worker.exited');
    t.is((await get(address)).body.split(' ')[0], String(address.port));
    t.is(d.events('master.listening').length, 1);
  });

  test.serial(`a script with --bind is served there, and thinks so: ${strategy}`, async (t) => {
    const [own, bound] = [await reservePort(t), await reservePort(t)];
    const d = start(t, [fixture('script.cjs'), '-w', '2', '-b', `127.0.0.1:${bound}`, '--accept-strategy', strategy], { env: { LISTEN_PORT: String(own) } });
    await d.ready();
    t.is((await get({ host: '127.0.0.1', port: bound })).body.split(' ')[0], String(bound));
    await t.throwsAsync(get({ host: '127.0.0.1', port: own }), { code: 'ECONNREFUSED' });
  });

  test.serial(`a script’s second port gets sockets of its own: ${strategy}`, async (t) => {
    const d = start(t, [fixture('two-ports.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', strategy]);
    await d.ready();
    const first = (await d.address(0)) as { host: string; port: number };
    const other = Number((await get(first, '/other')).body);
    t.not(other, first.port);
    t.deepEqual(await d.address(1), { host: '127.0.0.1', port: other });
    const second = { host: '127.0.0.1', port: other };
    for (const body of await answering(second)) t.regex(body, /^second/);
    for (const body of await answering(first)) t.regex(body, /^first/);
    d.signal('SIGHUP');
    await d.event('reload.finished');
    await d.count(2, 'worker.exited');
    t.is(Number((await get(first, '/other')).body), other, 'the same port after a reload');
    t.regex((await get(second)).body, /^second/);
  });
}

test.serial('a second port that is opened late is helped out at as the first one is: nobody waits behind a worker that is blocked', async (t) => {
  const dir = scratch(t);
  const d = start(t, [fixture('opens-later.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', 'reuseport', '--steer', 'hash']);
  await d.ready();
  const first = await d.address(0);
  for (const opened = new Set<string>(); opened.size < 2; opened.add((await get(first, '/open')).body));
  const second = await d.address(1);
  // Until it has been each of the two.
  for (const seen = new Set<string>(); seen.size < 2; ) {
    const before = d.text.split('blocked ').length;
    const release = join(dir, String(before));
    const blocked = get(second, `/block?${encodeURIComponent(release)}`);
    await d.until('a worker that is blocked', () => (d.text.split('blocked ').length > before ? true : undefined));
    const bodies = await answering(second).finally(() => writeFileSync(release, ''));
    const { body } = await blocked;
    t.deepEqual([bodies.size, bodies.has(body)], [1, false]);
    seen.add(body);
  }
});

test.serial('an address that the app of a reload does without is closed', async (t) => {
  const SECOND = join(scratch(t), 'second');
  writeFileSync(SECOND, '');
  const d = start(t, [fixture('second-port.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--boot-timeout', '3s'], { env: { SECOND } });
  await d.ready();
  const [first, second] = [await d.address(0), await d.address(1)];
  d.signal('SIGHUP');
  await d.event('reload.finished');
  unlinkSync(SECOND);
  d.signal('SIGHUP');
  const { address } = await d.event('listen.closed');
  t.deepEqual(address, d.events('master.listening')[1]!['address']);
  t.is(d.events('reload.finished').length, 2);
  await t.throwsAsync(get(second), { code: 'ECONNREFUSED' });
  t.is((await get(first)).body, 'ok');
  t.is(d.events('listen.closed').length, 1);
});

test.serial('workers that listen at addresses of their own: said, with what to do', async (t) => {
  const d = start(t, [fixture('port-of-its-own.cjs'), '-w', '2', '--accept-strategy', 'shared']);
  await d.ready();
  const addresses = d.events('master.listening').map(({ address }) => address);
  t.is(addresses.length, 2);
  const { address, other, msg } = await d.event('listen.apart');
  t.deepEqual([address, other].sort(), addresses.sort());
  t.regex(msg, /--bind$/);
  t.is(d.events('listen.apart').length, 1);
  const bound = start(t, [fixture('port-of-its-own.cjs'), '-w', '2', '-b', '127.0.0.1:0']);
  await bound.ready();
  t.deepEqual(bound.events('listen.apart'), []);
});

test.serial('a script that takes any port when its own is taken finds it taken by itself: one port for all', async (t) => {
  const port = await reservePort(t);
  const d = start(t, [fixture('any-when-taken.cjs'), '-w', '3'], { env: { LISTEN_PORT: String(port) } });
  await d.ready();
  d.signal('SIGHUP');
  await d.event('reload.finished');
  t.deepEqual(d.events('master.listening').map((record) => record['address']), [`127.0.0.1:${port}`]);
  for (const body of await answering({ host: '127.0.0.1', port })) t.is(body.split(' ')[0], String(port));
});

test.serial('a unix socket has the mode that --umask leaves', async (t) => {
  const dir = scratch(t);
  for (const [umask, mode] of [['0', 0o777], ['007', 0o770], ['0177', 0o600]] as const) {
    const path = join(dir, `${umask}.sock`);
    const d = start(t, [app, '-w', '1', '-b', `unix:${path}`, '-m', umask]);
    await d.ready();
    t.is(statSync(path).mode & 0o777, mode);
    t.is((await get({ socketPath: path })).status, 200);
  }
});

test.serial('the app’s own umask is not touched by --umask', async (t) => {
  const before = process.umask();
  const dir = scratch(t);
  const file = join(dir, 'app.cjs');
  writeFileSync(file, 'module.exports = (req, res) => res.end(process.umask().toString(8));\n');
  const d = start(t, [file, '-w', '1', '-b', `unix:${join(dir, 'app.sock')}`, '-m', '077']);
  await d.ready();
  t.is((await get(await d.address())).body, before.toString(8));
});

for (const [name, args, prefix] of [
  ['fd://N: a listening socket that is inherited', ['-b', 'fd://3'], []],
  // As systemd does it: with the id of the process that it becomes.
  ['LISTEN_FDS: a listening socket that a supervisor hands over', [], ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', 'sh']],
] as const) {
  test.serial(name, async (t) => {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const d = start(t, [app, '-w', '2', ...args], { fds: [fd], prefix: [...prefix] });
    await new Promise((resolve) => server.close(resolve));
    await d.ready();
    t.true(d.workers().map(String).includes((await get({ host: '127.0.0.1', port })).body));
    d.signal('SIGHUP');
    await d.event('reload.finished');
    t.is((await get({ host: '127.0.0.1', port })).status, 200);
  });
}

test.serial('LISTEN_FDS: what is no listening socket is told, and so is what nobody serves', async (t) => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const prefix = ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"', 'sh'];
  t.teardown(() => server.close());
  const wrong = start(t, [app, '-w', '1'], { fds: [fd, 1], prefix });
  t.is((await wrong.exited).code, 5);
  t.regex(wrong.events('master.failed')[0]!.msg, /^cannot listen at fd:\/\/4, handed over by LISTEN_FDS: descriptor 4 is not a/);
  const named = start(t, [app, '-w', '1', '-b', 'fd://3'], { fds: [fd, 1], prefix });
  await named.ready();
  t.like(named.events('listen.sockets-unused'), [{ level: 40, sockets: 'fd://4', where: 'flag -b' }]);
});

test.serial('an app does not look for the sockets that a supervisor hands to drover', async (t) => {
  const file = join(scratch(t), 'app.cjs');
  writeFileSync(file, `module.exports = (req, res) => res.end(Object.keys(process.env).filter((name) => name.startsWith('LISTEN_')).join() || 'none');\n`);
  const env = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' };
  const d = await start(t, [file, '-w', '1', '-b', '127.0.0.1:0'], { env }).ready();
  t.is((await get(await d.address())).body, 'none');
});

for (const [where, args] of [
  ['at a port', []],
  ['with --bind', ['-b', '127.0.0.1:0']],
] as const) {
  test.serial(`a script whose server is exclusive is served by all workers ${where}`, async (t) => {
    const port = await reservePort(t);
    const d = await start(t, [fixture('exclusive.cjs'), '-w', '2', ...args], { env: { LISTEN_PORT: String(port) } }).ready();
    const address = await d.address();
    t.is((address as { port: number }).port === port, where === 'at a port');
    const pids = d.workers();
    const answers = await Promise.all(Array.from({ length: 10 }, async () => JSON.parse((await get(address)).body) as { pid: number; own: number }));
    for (const { pid } of answers) t.true(pids.includes(pid));
    d.signal('SIGHUP');
    await d.event('reload.finished');
    const { pid, own } = JSON.parse((await get(address)).body) as { pid: number; own: number };
    t.true(d.workers().includes(pid));
    // Port 0 and exclusive is a port that no other worker has: that of a server of its own.
    t.is((await get({ host: '127.0.0.1', port: own })).body, String(pid));
    t.is(d.events('master.listening').length, 1);
  });
}

test.serial('PORT and HOST from the environment', async (t) => {
  const port = await reservePort(t);
  const both = start(t, [app, '-w', '1'], { env: { PORT: String(port), HOST: '127.0.0.1' } });
  await both.ready();
  t.deepEqual(await both.address(), { host: '127.0.0.1', port });
  t.is((await get({ host: '127.0.0.1', port })).status, 200);
  await both.stop();
  const alone = start(t, [app, '-w', '1'], { env: { PORT: String(port) } });
  await alone.ready();
  t.deepEqual(await alone.address(), { host: '0.0.0.0', port });
  t.is((await get({ host: '127.0.0.1', port })).status, 200);
});

test.serial('--bind wins over PORT', async (t) => {
  const [port, bound] = [await reservePort(t), await reservePort(t)];
  const d = start(t, [app, '-w', '1', '-b', `127.0.0.1:${bound}`], { env: { PORT: String(port) } });
  await d.ready();
  t.deepEqual(await d.address(), { host: '127.0.0.1', port: bound });
  await t.throwsAsync(get({ host: '127.0.0.1', port }), { code: 'ECONNREFUSED' });
});

test.serial('with --bind, HOST and PORT are the app’s affair, whatever they hold', async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'drover.config.json'), JSON.stringify({ bind: '127.0.0.1:0' }));
  const env = { PORT: 'tcp://10.0.0.1:80', HOST: 'no such host' };
  for (const [args, options] of [[['-b', '127.0.0.1:0'], { env }], [[], { env: { ...env, DROVER_CMD_ARGS: '-b 127.0.0.1:0' } }], [[], { env, cwd: dir }]] as const) {
    const d = await start(t, [app, '-w', '1', ...args], options).ready();
    t.is((await get(await d.address())).status, 200);
    await d.stop();
  }
});

test.serial('[::] serves IPv4 as well', async (t) => {
  const d = start(t, [app, '-w', '1', '-b', '[::]:0']);
  await d.ready();
  const { port } = (await d.address()) as { port: number };
  t.is((await get({ host: '127.0.0.1', port })).status, 200);
  t.is((await get({ host: '::1', port })).status, 200);
});

test.serial('a host name is resolved', async (t) => {
  const d = start(t, [app, '-w', '1', '-b', 'localhost:0']);
  await d.ready();
  t.is((await get(await d.address())).status, 200);
});

test.serial('-w auto starts no more workers than there are CPUs', async (t) => {
  const d = start(t, [app, '-w', 'auto', '-b', '127.0.0.1:0']);
  await d.ready();
  t.true(d.workers().length >= 1 && d.workers().length <= availableParallelism());
});

test.serial('a backlog that the kernel cuts is warned of', async (t) => {
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0', '--backlog', '65535']);
  await d.ready();
  t.is(d.events('listen.backlog-cut').length, 1);
  t.is(d.events('listen.backlog-cut')[0]!['backlog'], 65535);
});

test.serial('the app finds its arguments where node puts them', async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'app.cjs');
  writeFileSync(file, 'module.exports = (req, res) => res.end(JSON.stringify([process.argv.slice(1), process.env.GREETING, process.cwd(), require.main === module]));\n');
  const d = start(t, [file, '-w', '1', '-b', '127.0.0.1:0', '-e', 'GREETING=hello', '--chdir', dir, '--', '--verbose', 'a b']);
  await d.ready();
  t.deepEqual(JSON.parse((await get(await d.address())).body), [[file, '--verbose', 'a b'], 'hello', dir, true]);
});

test('an app that removes its unix socket before it listens is served by all its workers, also after a reload', async (t) => {
  const socketPath = join(scratch(t), 'app.sock');
  const d = await start(t, [fixture('removes-its-path.cjs'), '-w', '2'], { env: { SOCKET: socketPath } }).ready();
  const answers = async (): Promise<Set<number>> => new Set(await Promise.all(Array.from({ length: 20 }, async () => Number((await get({ socketPath })).body))));
  for (const pid of await answers()) t.true(d.workers().includes(pid));
  d.signal('SIGHUP');
  await d.event('reload.finished');
  // At the start both may have removed it before there was anything to remove.
  await d.event('listen.file-restored');
  for (const pid of await answers()) t.true(d.workers().includes(pid));
  t.is(d.events('listen.file-restored').length, 1);
});

for (const strategy of ['auto', 'grant']) {
  test(`a master without descriptors refuses what needs one, and serves on: ${strategy}`, async (t) => {
    const limit = ['sh', '-c', 'ulimit -n 70; exec "$@"', 'sh'];
    const d = await start(t, [fixture('listens-everywhere.cjs'), '-w', '1', '--accept-strategy', strategy, ...(strategy === 'auto' ? ['--steer', 'weighted'] : [])], { prefix: limit }).ready();
    t.is(await d.until('a refusal', () => /refused (\w+)/.exec(d.text)?.[1]), 'EMFILE');
    const address = await d.address();
    t.is(Number((await get(address)).body), d.workers()[0]!);
    t.deepEqual(d.events('master.failed'), []);
  });
}

test('a server that the app sends to a child process is refused, and the child hears the rest', async (t) => {
  const d = await start(t, [fixture('sends-its-server.cjs'), '-w', '1']).ready();
  t.is((await get(await d.address())).body, 'ERR_INVALID_HANDLE_TYPE');
  t.deepEqual(await d.stop(), { code: 0, signal: null });
});
