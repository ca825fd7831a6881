import { closeSync, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { check, native } from '../../src/native.js';
import { EINVAL, connect, listen, until } from './support.js';

/** Four sockets of one group; how many connections wait on each, in order of listen(). */
function group(t: ExecutionContext): { fds: number[]; port: number; lengths: () => number[] } {
  const first = listen({ reusePort: true, backlog: 512 });
  const fds = [first.fd];
  while (fds.length < 4) fds.push(listen({ port: first.port, reusePort: true, backlog: 512 }).fd);
  t.teardown(() => fds.forEach((fd) => closeSync(fd)));
  return { fds, port: first.port, lengths: () => fds.map((fd) => check('queueLength', native.queueLength(fd)).length) };
}

async function arrive(t: ExecutionContext, port: number, count: number, lengths: () => number[]): Promise<number[]> {
  const before = lengths();
  const total = () => lengths().reduce((sum, length, i) => sum + length - before[i]!, 0);
  for (let i = 0; i < count; i++) await connect(t, port);
  await until(() => total() === count);
  return lengths().map((length, i) => length - before[i]!);
}

test('only the named slots get connections, evenly', async (t) => {
  const { fds, port, lengths } = group(t);
  t.is(native.steerAmong(fds[0]!, [0, 2]), 0);
  const got = await arrive(t, port, 100, lengths);
  t.is(got[1], 0);
  t.is(got[3], 0);
  // A fair coin gives fewer than 20 of 100 once in 10^9 runs.
  t.true(got[0]! >= 20 && got[2]! >= 20, String(got));
});

test('a program is replaced under traffic, through any socket of the group, and taken off', async (t) => {
  const { fds, port, lengths } = group(t);
  t.is(native.steerAmong(fds[0]!, [1]), 0);
  t.deepEqual(await arrive(t, port, 20, lengths), [0, 20, 0, 0]);
  t.is(native.steerAmong(fds[3]!, [3]), 0);
  t.deepEqual(await arrive(t, port, 20, lengths), [0, 0, 0, 20]);
  t.is(native.steerAmong(fds[1]!, []), 0);
  const hashed = await arrive(t, port, 60, lengths);
  t.true(hashed.filter((count) => count > 0).length > 1, String(hashed));
  t.is(native.steerAmong(fds[1]!, []), 0, 'nothing to take off is no error');
});

test('a long list is accepted: every slot of a full board', (t) => {
  const { fds } = group(t);
  t.is(native.steerAmong(fds[0]!, Array.from({ length: 512 }, (_, i) => i)), 0);
});

test('refusals are -errno', (t) => {
  const { fds } = group(t);
  t.is(native.steerAmong(fds[0]!, [-1]), EINVAL);
  t.is(native.steerAmong(fds[0]!, ['0'] as unknown as number[]), EINVAL);
  t.is(native.steerAmong(fds[0]!, Array.from({ length: 1025 }, () => 0)), EINVAL);
  const file = openSync('/dev/null', 'r');
  t.teardown(() => closeSync(file));
  t.is(getSystemErrorName(native.steerAmong(file, [0])), 'ENOTSOCK');
});
