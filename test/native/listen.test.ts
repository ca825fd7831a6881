import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { check, native } from '../../src/native.js';
import type { TcpListenOptions } from '../../src/native.js';
import { EBADF, EINVAL, connect, flags, listen, temporaryFolder, until } from './support.js';

const TCP: TcpListenOptions = { host: '127.0.0.1', port: 0, backlog: 16, reusePort: false, ipv6Only: false };

function open(t: ExecutionContext, result: number): number {
  if (result >= 0) t.teardown(() => closeSync(result));
  return result;
}

function portOf(fd: number): number {
  const address = check('getsockname', native.localAddress(fd));
  return address.family === 'unix' ? -1 : address.port;
}

test('listenTcp: IPv4, non-blocking, closed on exec, with its address', (t) => {
  const fd = open(t, native.listenTcp(TCP));
  t.deepEqual(flags(fd), { nonBlocking: true, closeOnExec: true });
  t.is(native.isListening(fd), 1);
  const address = check('getsockname', native.localAddress(fd));
  t.like(address, { family: 'IPv4', address: '127.0.0.1' });
  t.true(portOf(fd) > 0);
});

test('listenTcp: [::] takes IPv4 too unless ipv6Only', async (t) => {
  const dual = open(t, native.listenTcp({ ...TCP, host: '::' }));
  t.like(native.localAddress(dual), { family: 'IPv6', address: '::' });
  await connect(t, portOf(dual));
  const only = open(t, native.listenTcp({ ...TCP, host: '::', ipv6Only: true }));
  const socket = net.connect(portOf(only), '127.0.0.1');
  t.teardown(() => socket.destroy());
  // Refused, unless a server of some other process has this port of IPv4.
  await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve));
  t.is(check('queueLength', native.queueLength(only)).length, 0);
});

test('listenTcp: sockets have TCP_NODELAY, which accepted ones inherit, and the group shares a port', (t) => {
  const { fd, port } = listen({ reusePort: true });
  open(t, fd);
  t.is(native.noDelay(fd), 1);
  const second = open(t, native.listenTcp({ ...TCP, port, reusePort: true }));
  t.is(portOf(second), port);
  t.is(getSystemErrorName(native.listenTcp({ ...TCP, port, reusePort: false })), 'EADDRINUSE');
});

test('listenTcp: refusals are -errno', (t) => {
  const { fd, port } = listen();
  open(t, fd);
  t.is(getSystemErrorName(native.listenTcp({ ...TCP, port })), 'EADDRINUSE');
  t.is(getSystemErrorName(native.listenTcp({ ...TCP, host: '192.0.2.1' })), 'EADDRNOTAVAIL');
  t.is(native.listenTcp({ ...TCP, host: 'localhost' }), EINVAL, 'names are resolved elsewhere');
  t.is(native.listenTcp({ ...TCP, host: '' }), EINVAL);
  t.is(native.listenTcp({ ...TCP, port: 65536 }), EINVAL);
  t.is(native.listenTcp({ ...TCP, port: 1.5 }), EINVAL);
  t.is(native.listenTcp({} as TcpListenOptions), EINVAL);
});

test('listenUnix: a path and an abstract name', (t) => {
  const path = join(temporaryFolder(t), 'a.sock');
  const fd = open(t, native.listenUnix(path, 16));
  t.deepEqual(flags(fd), { nonBlocking: true, closeOnExec: true });
  t.deepEqual(native.localAddress(fd), { family: 'unix', path });
  t.true(existsSync(path));
  t.is(getSystemErrorName(native.listenUnix(path, 16)), 'EADDRINUSE', 'nothing is unlinked');

  const name = `@drover-test-${process.pid}`;
  const abstract = open(t, native.listenUnix(name, 16));
  t.deepEqual(native.localAddress(abstract), { family: 'unix', path: name });
  // The name has no padding: what follows it in sun_path would belong to it, and show as more '@'.
  t.regex(readFileSync('/proc/net/unix', 'utf8'), new RegExp(` ${name}$`, 'm'));
});

test('listenUnix: refusals are -errno', (t) => {
  const folder = temporaryFolder(t);
  // sun_path holds 108 bytes: a path with its NUL, an abstract name without.
  t.is(getSystemErrorName(native.listenUnix(`/${'x'.repeat(107)}`, 1)), 'ENAMETOOLONG');
  t.is(getSystemErrorName(native.listenUnix(`@${'x'.repeat(108)}`, 1)), 'ENAMETOOLONG');
  t.true(open(t, native.listenUnix(`@${'x'.repeat(107)}`, 1)) >= 0);
  t.is(getSystemErrorName(native.listenUnix(join(folder, 'none', 'a.sock'), 1)), 'ENOENT');
  mkdirSync(join(folder, 'taken'));
  t.is(getSystemErrorName(native.listenUnix(join(folder, 'taken'), 1)), 'EADDRINUSE');
  t.is(native.listenUnix('', 1), EINVAL);
  t.is(native.listenUnix('@', 1), EINVAL);
});

test('localAddress, isListening, queueLength of what is no socket', (t) => {
  const file = openSync('/dev/null', 'r');
  t.teardown(() => closeSync(file));
  t.is(getSystemErrorName(native.localAddress(file) as number), 'ENOTSOCK');
  t.is(getSystemErrorName(native.isListening(file)), 'ENOTSOCK');
  t.is(getSystemErrorName(native.queueLength(file) as number), 'ENOTSOCK');
  t.is(native.localAddress(-1), EBADF);
  t.is(native.isListening('3' as unknown as number), EINVAL);
});

test('isWaiting: of TCP and unix sockets that listen', async (t) => {
  const tcp = open(t, native.listenTcp(TCP));
  t.is(native.isWaiting(tcp), 0);
  await connect(t, portOf(tcp));
  // The handshake is over for the client a moment before it is for the listening socket.
  await until(() => native.isWaiting(tcp) === 1);
  const path = join(temporaryFolder(t), 'waiting');
  const unix = open(t, native.listenUnix(path, 1));
  t.is(native.isWaiting(unix), 0);
  const socket = net.connect(path);
  t.teardown(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  t.is(native.isWaiting(unix), 1);
  t.is(native.isWaiting('3' as unknown as number), EINVAL);
});

test('isListening: 0 for a pair', (t) => {
  const pair = check('socketpair', native.socketPair());
  for (const fd of pair) {
    t.is(native.isListening(open(t, fd)), 0);
    t.deepEqual(native.localAddress(fd), { family: 'unix', path: '' });
  }
});

test('queueLength counts what nobody has accepted', async (t) => {
  const { fd, port } = listen({ backlog: 7 });
  open(t, fd);
  t.deepEqual(native.queueLength(fd), { length: 0, limit: 7 });
  await connect(t, port);
  await connect(t, port);
  await until(() => check('queueLength', native.queueLength(fd)).length === 2);
  t.deepEqual(native.queueLength(fd), { length: 2, limit: 7 });
});

test('queueLength: not of a unix socket', (t) => {
  const fd = open(t, native.listenUnix(`@drover-queue-${process.pid}`, 4));
  t.is(native.queueLength(fd), -95, 'EOPNOTSUPP');
});

test('descriptorLimit: as /proc has it', (t) => {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))!;
  t.is(native.descriptorLimit(), Number(soft));
});
