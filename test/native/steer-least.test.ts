import test from 'ava';
import net from 'node:net';
import { NO_LIMIT, SLOTS_OFFSET, SLOT_BYTES, SLOT_FIELDS, State, type Board } from '../../src/ipc/board.js';
import { createBoard } from '../../src/ipc/board-memory.js';
import { check, closeFd, native } from '../../src/native.js';

const memory = createBoard();
const run = memory.kernelReadable === 0 ? test : test.skip;
if (memory.kernelReadable < 0) console.log(`steer-least: skipped, bpf(2) answers ${memory.kernelReadable}`);

/** A group of `slots` sockets nobody accepts from, steered by load, and a ready row per slot. */
function openGroup(board: Board, fd: number, slots: number, stallMs = 50): { port: number; lengths: () => number[]; close: () => void } {
  const sockets = check('bpf', native.createSocketMap());
  const fds: number[] = [];
  let port = 0;
  for (let slot = 0; slot < slots; slot++) {
    const socket = check('listen', native.listenTcp({ host: '127.0.0.1', port, backlog: 1024, reusePort: true, ipv6Only: false }));
    port = (check('getsockname', native.localAddress(socket)) as { port: number }).port;
    fds.push(socket);
    check('bpf', native.setSocket(sockets, slot, socket));
    board.set(slot, 'state', State.ready);
    board.set(slot, 'slot', slot);
    board.set(slot, 'connectionLimit', NO_LIMIT);
    board.set(slot, 'requestLimit', NO_LIMIT);
    board.setOwner(slot, slot);
  }
  check('setsockopt', native.steerLeast(fds[0]!, fd, sockets, fds.map((_, slot) => slot), stallMs));
  return {
    port,
    lengths: () => fds.map((socket) => (check('getsockopt', native.queueLength(socket)) as { length: number }).length),
    close() {
      for (const socket of fds) closeFd(socket);
      closeFd(sockets);
    },
  };
}

async function connect(port: number, count: number): Promise<net.Socket[]> {
  return Promise.all(
    Array.from({ length: count }, () => new Promise<net.Socket>((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
      socket.on('error', reject);
    })),
  );
}

for (const slots of [4, 64, 100, 256]) {
  run(`a burst is spread evenly over ${slots} slots, with nobody accepting`, async (t) => {
    const { board, fd } = createBoard();
    const group = openGroup(board, fd, slots);
    const clients = await connect(group.port, slots * 2);
    const lengths = group.lengths();
    // Beyond 64 slots a connection chooses within a random block: even in each block, not over all.
    if (slots <= 64) t.true(lengths.every((length) => length === 2), String(lengths));
    else t.true(Math.max(...lengths) <= 5 && lengths.reduce((a, b) => a + b) === slots * 2, String(lengths));
    t.is(board.getHeader('fallbacks'), 0);
    for (const client of clients) client.destroy();
    group.close();
  });
}

run('a slot that is loaded, full, stalled, not ready or without an owner gets nothing', async (t) => {
  const { board, fd } = createBoard();
  const group = openGroup(board, fd, 7);
  board.set(0, 'connections', 100);
  board.set(1, 'connectionLimit', 0);
  board.set(2, 'requestsInFlight', 1);
  board.set(2, 'requestLimit', 1);
  board.set(3, 'loopStamp', Number(process.hrtime.bigint() - 60_000_000n));
  board.set(4, 'state', State.draining);
  board.setOwner(5, null);
  const clients = await connect(group.port, 20);
  t.deepEqual(group.lengths(), [0, 0, 0, 0, 0, 0, 20]);
  t.is(board.getSlot(6, 'selected'), 20);
  for (const client of clients) client.destroy();
  group.close();
});

run('a worker that has just left poll is not stalled yet', async (t) => {
  const { board, fd } = createBoard();
  const group = openGroup(board, fd, 2, 10_000);
  board.set(0, 'loopStamp', Number(process.hrtime.bigint()));
  const clients = await connect(group.port, 10);
  t.deepEqual(group.lengths(), [5, 5]);
  for (const client of clients) client.destroy();
  group.close();
});

run('with nobody eligible the least loaded that is ready gets it: stalled or full, but somebody', async (t) => {
  const { board, fd } = createBoard();
  const group = openGroup(board, fd, 5);
  for (let row = 0; row < 3; row++) board.set(row, 'loopStamp', Number(process.hrtime.bigint() - 60_000_000n));
  board.set(0, 'connections', 5);
  board.set(2, 'connectionLimit', 0);
  board.set(2, 'connections', 20);
  board.set(3, 'state', State.starting);
  board.setOwner(4, null);
  const clients = await connect(group.port, 25);
  t.deepEqual(group.lengths(), [10, 15, 0, 0, 0]);
  t.is(board.getHeader('fallbacks'), 0);
  for (const client of clients) client.destroy();
  group.close();
});

/** Connections one after the other, each gone from the loads before the next comes: who got how many. */
async function oneByOne(board: Board, group: { port: number }, count: number, slots: number): Promise<number[]> {
  const words = new Uint32Array(board.buffer);
  const got = Array.from({ length: slots }, (_, slot) => board.getSlot(slot, 'selected'));
  for (let n = 0; n < count; n++) {
    for (const client of await connect(group.port, 1)) client.destroy();
    for (let slot = 0; slot < slots; slot++) words[(SLOTS_OFFSET + slot * SLOT_BYTES + SLOT_FIELDS.accepted[0]) >> 2] = board.getSlot(slot, 'selected');
  }
  return got.map((before, slot) => board.getSlot(slot, 'selected') - before);
}

for (const tied of [[0, 1], [0, 14], [3, 4, 5], [0, 1, 2, 3]]) {
  run(`slots that tie share: ${tied.join(', ')}`, async (t) => {
    const { board, fd } = createBoard();
    const group = openGroup(board, fd, 15);
    for (let slot = 0; slot < 15; slot++) if (!tied.includes(slot)) board.set(slot, 'state', State.draining);
    const shares = (await oneByOne(board, group, 120 * tied.length, 15)).filter((_, slot) => tied.includes(slot));
    // Five standard deviations of a fair draw are 50 to 55.
    t.true(shares.every((share) => Math.abs(share - 120) <= 55), String(shares));
    group.close();
  });
}

run('more slots than a block, and fewer workers than slots: those that are left share', async (t) => {
  const { board, fd } = createBoard();
  const group = openGroup(board, fd, 100);
  for (let slot = 60; slot < 100; slot++) board.set(slot, 'state', State.draining);
  const clients = await connect(group.port, 240);
  const lengths = group.lengths();
  t.true(lengths.slice(0, 60).every((length) => length >= 2 && length <= 6), String(lengths));
  t.deepEqual(lengths.slice(60), Array.from({ length: 40 }, () => 0));
  t.is(board.getHeader('fallbacks'), 0);
  for (const client of clients) client.destroy();
  group.close();
});

run('with nobody ready the hash decides, and it is counted', async (t) => {
  const { board, fd } = createBoard();
  const group = openGroup(board, fd, 3);
  for (let row = 0; row < 3; row++) board.set(row, 'state', State.starting);
  const clients = await connect(group.port, 10);
  t.is(group.lengths().reduce((a, b) => a + b), 10);
  t.is(board.getHeader('fallbacks'), 10);
  for (const client of clients) client.destroy();
  group.close();
});

run('a newcomer with a handicap does not get everything', async (t) => {
  const { board, fd } = createBoard();
  const group = openGroup(board, fd, 2);
  board.set(0, 'connections', 10);
  board.set(1, 'handicap', 10);
  const clients = await connect(group.port, 10);
  t.deepEqual(group.lengths(), [5, 5]);
  for (const client of clients) client.destroy();
  group.close();
});
