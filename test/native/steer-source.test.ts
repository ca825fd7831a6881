/** Steering by source address: a client's connections, from whatever port, at one socket of the group; who is left out moves its own clients only. */
import { closeSync } from 'node:fs';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { check, native } from '../../src/native.js';
import { EINVAL, listen, until } from './support.js';

const SOCKETS = 4;
const SEED = 12_345;
/** All of them are this machine's. */
const CLIENTS = Array.from({ length: 64 }, (_, i) => `127.0.${1 + (i % 8)}.${1 + i}`);

interface Group {
  first: number;
  /** Which socket a connection from an address ends up at. */
  home(client: string): Promise<number>;
  homes(): Promise<number[]>;
}

function group(t: ExecutionContext): Group {
  const first = listen({ reusePort: true, backlog: 512 });
  const fds = [first.fd];
  while (fds.length < SOCKETS) fds.push(listen({ port: first.port, reusePort: true, backlog: 512 }).fd);
  t.teardown(() => fds.forEach((fd) => closeSync(fd)));
  const lengths = () => fds.map((fd) => check('queueLength', native.queueLength(fd)).length);
  const home = async (client: string): Promise<number> => {
    const before = lengths();
    const grown = () => lengths().findIndex((length, i) => length > before[i]!);
    const socket = net.connect({ port: first.port, host: '127.0.0.1', localAddress: client });
    t.teardown(() => socket.destroy());
    await until(() => grown() >= 0);
    return grown();
  };
  const homes = async () => {
    const list = [];
    for (const client of CLIENTS) list.push(await home(client));
    return list;
  };
  return { first: first.fd, home, homes };
}

test('all connections of an address go to one socket, and addresses are spread over all', async (t) => {
  const { first, homes } = group(t);
  t.is(native.steerBySource(first, [0, 1, 2, 3], SEED), 0);
  const before = await homes();
  t.deepEqual(await homes(), before);
  t.is(new Set(before).size, SOCKETS, String(before));
  for (const socket of [0, 1, 2, 3]) t.true(before.filter((home) => home === socket).length >= 4, String(before));
});

test('who is left out moves its own clients only, to all the others, and has them again', async (t) => {
  const { first, homes } = group(t);
  t.is(native.steerBySource(first, [0, 1, 2, 3], SEED), 0);
  const whole = await homes();
  t.is(native.steerBySource(first, [0, -1, 2, 3], SEED), 0);
  const without = await homes();
  const moved = without.filter((home, i) => home !== whole[i]);
  t.deepEqual(without.map((home, i) => (whole[i] === 1 ? 1 : home)), whole);
  t.deepEqual([...new Set(moved)].sort(), [0, 2, 3]);
  t.deepEqual(await homes(), without);
  t.is(native.steerBySource(first, [0, 1, 2, 3], SEED), 0);
  t.deepEqual(await homes(), whole);
});

test('the seed decides', async (t) => {
  const { first, homes } = group(t);
  t.is(native.steerBySource(first, [0, 1, 2, 3], SEED), 0);
  const before = await homes();
  t.is(native.steerBySource(first, [0, 1, 2, 3], SEED + 1), 0);
  t.notDeepEqual(await homes(), before);
});

test('the slot decides, in whatever order the sockets of a group were opened', async (t) => {
  const { first, homes } = group(t);
  t.is(native.steerBySource(first, [0, 1, 2, 3], SEED), 0);
  const before = await homes();
  t.is(native.steerBySource(first, [2, 0, 3, 1], SEED), 0);
  t.deepEqual(await homes(), before.map((slot) => [2, 0, 3, 1][slot]));
});

test('the longest list there can be; what cannot be is refused', (t) => {
  const { first } = group(t);
  t.is(native.steerBySource(first, Array.from({ length: 512 }, (_, i) => i), SEED), 0);
  for (const indexes of [[], [-1, -1], Array.from({ length: 513 }, () => 0)]) t.is(native.steerBySource(first, indexes, SEED), EINVAL);
});
