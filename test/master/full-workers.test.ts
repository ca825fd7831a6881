import { once } from 'node:events';
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Board, BOARD_BYTES, NO_LIMIT } from '../../src/ipc/board.js';
import { FullWorkers, TELL_EVERY_MS, waitingAt, type Waiting } from '../../src/master/full-workers.js';
import { check, native } from '../../src/native.js';

/** A board of workers with these connections each, and a limit of 2 or another. */
function boardOf(connections: readonly number[], limit = 2): Board {
  const board = new Board(new ArrayBuffer(BOARD_BYTES));
  for (const [row, open] of connections.entries()) {
    board.set(row, 'connections', open);
    board.set(row, 'connectionLimit', limit);
  }
  return board;
}

const ROWS = [0, 1];
const FULL = boardOf([2, 3]);
const FREE = boardOf([2, 1]);
const three = (): Waiting => ({ length: 3 });
const nothing = (): undefined => undefined;
const told = { is: 'full', workers: 2, limit: 2, length: 3 } as const;

test('told at the second look in a row, and once when it is over, with the time since the first', (t) => {
  const policy = new FullWorkers();
  t.is(policy.look(1000, FULL, ROWS, three), undefined);
  t.deepEqual(policy.look(6000, FULL, ROWS, three), told);
  t.is(policy.look(11_000, FULL, ROWS, three), undefined);
  t.deepEqual(policy.look(16_000, FREE, ROWS, three), { is: 'free', fullMs: 15_000 });
  t.is(policy.look(21_000, FREE, ROWS, three), undefined);
});

test('no two looks in a row: nothing is told, neither that they are full nor that they are free', (t) => {
  const policy = new FullWorkers();
  for (let now = 0; now < 50_000; now += 10_000) {
    t.is(policy.look(now, FULL, ROWS, three), undefined);
    t.is(policy.look(now + 5000, FREE, ROWS, three), undefined);
  }
});

test('full, and nothing waits: not told; what then waits must be seen twice as well', (t) => {
  const policy = new FullWorkers();
  for (const now of [0, 5000]) t.is(policy.look(now, FULL, ROWS, nothing), undefined);
  t.is(policy.look(10_000, FULL, ROWS, three), undefined);
  t.is(policy.look(15_000, FULL, ROWS, nothing), undefined);
  t.is(policy.look(20_000, FULL, ROWS, three), undefined);
  t.deepEqual(policy.look(25_000, FULL, ROWS, three), told);
  // Those that waited have given up, and no worker is free: it is not over.
  t.is(policy.look(30_000, FULL, ROWS, nothing), undefined);
  t.is(policy.look(85_000, FULL, ROWS, three), undefined);
  t.deepEqual(policy.look(90_000, FULL, ROWS, three), told);
  t.deepEqual(policy.look(95_000, FREE, ROWS, nothing), { is: 'free', fullMs: 75_000 });
});

test('connections that are taken as others close: a busy server, and not told', (t) => {
  const policy = new FullWorkers();
  const board = boardOf([2, 3]);
  for (let now = 0; now < 50_000; now += 5000) {
    board.set(1, 'accepted', now);
    t.is(policy.look(now, board, ROWS, three), undefined);
  }
  t.deepEqual(policy.look(50_000, board, ROWS, three), told);
});

test('once a minute, whether it lasts or comes again', (t) => {
  const lasts = new FullWorkers();
  lasts.look(0, FULL, ROWS, three);
  const at = [];
  for (let now = 5000; now <= 130_000; now += 5000) if (lasts.look(now, FULL, ROWS, three) !== undefined) at.push(now);
  t.deepEqual(at, [5000, 65_000, 125_000]);
  t.deepEqual(lasts.look(135_000, FREE, ROWS, three), { is: 'free', fullMs: 135_000 });

  const again = new FullWorkers();
  again.look(0, FULL, ROWS, three);
  again.look(5000, FULL, ROWS, three);
  again.look(10_000, FREE, ROWS, three);
  t.is(again.look(15_000, FULL, ROWS, three), undefined);
  t.is(again.look(20_000, FULL, ROWS, three), undefined);
  // Of what was not told, its end is not told either.
  t.is(again.look(25_000, FREE, ROWS, three), undefined);
  t.is(again.look(TELL_EVERY_MS, FULL, ROWS, three), undefined);
  t.deepEqual(again.look(TELL_EVERY_MS + 5000, FULL, ROWS, three), told);
});

test('workers that do not serve do not count, and no worker at all is not full', (t) => {
  const policy = new FullWorkers();
  const board = boardOf([2, 0]);
  policy.look(0, board, [0], three);
  t.deepEqual(policy.look(5000, board, [0], three), { ...told, workers: 1 });
  // All retired: nobody takes connections again either, until there is one that does.
  for (const now of [10_000, 15_000, 70_000, 75_000]) t.is(policy.look(now, board, [], () => t.fail() as never), undefined);
  t.deepEqual(policy.look(80_000, board, [1], three), { is: 'free', fullMs: 80_000 });
});

test('without a limit, or with a place free, the queues are not looked at', (t) => {
  for (const board of [boardOf([100_000, 100_000], NO_LIMIT), FREE]) {
    const policy = new FullWorkers();
    for (const now of [0, 5000]) t.is(policy.look(now, board, ROWS, () => t.fail() as never), undefined);
  }
});

test('what waits: counted of TCP sockets, of unix sockets only that something does', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-'));
  const path = join(folder, 'sock');
  const tcp = check('listenTcp', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 8, reusePort: false, ipv6Only: false }));
  const unix = check('listenUnix', native.listenUnix(path, 8));
  const clients: net.Socket[] = [];
  t.teardown(() => {
    for (const client of clients) client.destroy();
    for (const fd of [tcp, unix]) closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  const connect = async (to: net.NetConnectOpts): Promise<void> => {
    const client = net.connect(to);
    clients.push(client);
    await once(client, 'connect');
  };
  const both = [{ fd: tcp }, { fd: unix }];
  t.is(waitingAt(both), undefined);
  const address = check('localAddress', native.localAddress(tcp)) as { port: number };
  for (let n = 0; n < 2; n += 1) await connect({ host: '127.0.0.1', port: address.port });
  // The handshake is over for the client a moment before it is for the listening socket.
  while (waitingAt(both)?.length !== 2) await new Promise<void>((resolve) => void setImmediate(resolve));
  t.deepEqual(waitingAt(both), { length: 2 });
  await connect({ path });
  t.deepEqual(waitingAt(both), { length: undefined });
});
