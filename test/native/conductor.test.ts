import test, { type ExecutionContext } from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { NO_LIMIT, State, type Board } from '../../src/ipc/board.js';
import { createBoard } from '../../src/ipc/board-memory.js';
import { check, closeFd, native, type NativeConductor } from '../../src/native.js';
import { poll } from '../helpers/drover.js';
import { startChild, threadNames, until } from './support.js';

const permitted = createBoard().kernelReadable === 0;
const privileged = permitted ? test : test.skip;

function conduct(t: ExecutionContext, board: Board, stallMs = 20): NativeConductor {
  const conductor = new native.Conductor(board.buffer, stallMs, 0);
  t.is(conductor.start(), 0);
  t.teardown(() => conductor.stop());
  return conductor;
}

test('its thread has a name', async (t) => {
  conduct(t, createBoard().board);
  await until(() => threadNames(process.pid).includes('drover:conduct'));
  t.pass();
});

/** A group of sockets that nobody accepts from, one per slot, and a ready row each. */
function open(t: ExecutionContext, board: Board, conductor: NativeConductor, group: number, slots: number): { port: number; lengths: () => number[] } {
  const fds: number[] = [];
  let port = 0;
  for (let slot = 0; slot < slots; slot++) {
    const fd = check('listen', native.listenTcp({ host: '127.0.0.1', port, backlog: 1024, reusePort: true, ipv6Only: false }));
    port = (check('getsockname', native.localAddress(fd)) as { port: number }).port;
    fds.push(fd);
    board.set(slot, 'state', State.ready);
    board.set(slot, 'slot', slot);
    board.set(slot, 'connectionLimit', NO_LIMIT);
    board.set(slot, 'requestLimit', NO_LIMIT);
    board.setOwner(slot, slot);
    t.is(conductor.addToGroup(group, slot, fd), 0);
  }
  t.is(conductor.attachGroup(group), 0);
  t.teardown(() => {
    conductor.closeGroup(group);
    fds.forEach(closeFd);
  });
  return { port, lengths: () => fds.map((fd) => (check('getsockopt', native.queueLength(fd)) as { length: number }).length) };
}

async function connect(t: ExecutionContext, port: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', resolve).on('error', reject);
      t.teardown(() => socket.destroy());
    });
  }
}

/** The conductor has looked at the board since now. */
async function looked(conductor: NativeConductor): Promise<void> {
  // The first may have begun before.
  for (let look = 0; look < 2; look++) {
    const before = conductor.ticks();
    conductor.boardChanged();
    await poll('a tick', () => (conductor.ticks() > before ? true : undefined));
  }
}

test('weighted: a slot that is loaded, full, stalled, not ready or without an owner gets nothing', async (t) => {
  const { board } = createBoard();
  const conductor = conduct(t, board);
  const group = open(t, board, conductor, conductor.openWeightedGroup(), 6);
  board.set(0, 'connections', 1000);
  board.set(1, 'connectionLimit', 0);
  board.set(2, 'loopStamp', 1);
  board.set(3, 'state', State.draining);
  board.setOwner(4, null);
  await looked(conductor);
  await connect(t, group.port, 20);
  t.deepEqual(group.lengths(), [0, 0, 0, 0, 0, 20]);
});

test('weighted: what the emptier ones lack comes first', async (t) => {
  const { board } = createBoard();
  const conductor = conduct(t, board);
  const group = open(t, board, conductor, conductor.openWeightedGroup(), 3);
  board.set(0, 'connections', 60);
  board.set(1, 'connections', 30);
  await looked(conductor);
  // With those that it expects (12 at least) still fewer than the second has.
  await connect(t, group.port, 10);
  t.deepEqual(group.lengths(), [0, 0, 10]);
});

test('an idle conductor does not tick', async (t) => {
  const { board } = createBoard();
  const conductor = conduct(t, board);
  open(t, board, conductor, conductor.openWeightedGroup(), 2);
  // What is to be seen is that nothing happens: that needs a while to happen in. Until it is still for 300 ms; it never would be with ticks every 5 ms.
  let before = -1;
  await poll('silence', async () => {
    before = conductor.ticks();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return conductor.ticks() === before ? true : undefined;
  });
  board.set(0, 'connections', 5);
  await looked(conductor);
  t.pass();
});

test('a group that goes while it wants ticks leaves a conductor that sleeps', async (t) => {
  const { board } = createBoard();
  const threads = new Set(readdirSync('/proc/self/task'));
  const conductor = conduct(t, board);
  const thread = readdirSync('/proc/self/task').find((id) => !threads.has(id))!;
  const group = conductor.openWeightedGroup();
  const fd = check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 16, reusePort: true, ipv6Only: false }));
  t.teardown(() => closeFd(fd));
  const { port } = check('getsockname', native.localAddress(fd)) as { port: number };
  board.set(0, 'state', State.ready);
  board.setOwner(0, 0);
  t.is(conductor.addToGroup(group, 0, fd), 0);
  t.is(conductor.attachGroup(group), 0);
  await connect(t, port, 1);
  const before = conductor.ticks();
  await poll('ticks', () => (conductor.ticks() > before + 2 ? true : undefined));
  conductor.closeGroup(group);
  // One that never sleeps is not seen asleep twenty times on end.
  let asleep = 0;
  await poll('sleep', () => {
    asleep = /\) S /.test(readFileSync(`/proc/self/task/${thread}/stat`, 'latin1')) ? asleep + 1 : 0;
    return asleep >= 20 ? true : undefined;
  });
  t.pass();
});

privileged('more accepted than selected is set right at once', async (t) => {
  const { board, fd } = createBoard();
  const conductor = conduct(t, board);
  open(t, board, conductor, check<number>('bpf', conductor.openLeastGroup(fd)), 1);
  new Uint32Array(board.buffer)[slotCell(0, 8)] = 7;
  await looked(conductor);
  await poll('the correction', () => (board.getSlot(0, 'accepted') === board.getSlot(0, 'selected') ? true : undefined));
  t.is(board.getSlot(0, 'selected'), 0);
});

privileged('more selected than accepted, with nothing queued, is set right after a second', async (t) => {
  const { board, fd } = createBoard();
  const conductor = conduct(t, board);
  open(t, board, conductor, check<number>('bpf', conductor.openLeastGroup(fd)), 1);
  new Uint32Array(board.buffer)[slotCell(0, 4)] = 7;
  conductor.boardChanged();
  await poll('the correction', () => (board.getSlot(0, 'accepted') === 7 ? true : undefined));
  t.is(board.getSlot(0, 'selected'), 7);
});

test('handicaps go down to 0', async (t) => {
  const { board } = createBoard();
  const conductor = conduct(t, board);
  board.set(0, 'state', State.ready);
  board.set(0, 'handicap', 100);
  board.set(1, 'state', State.ready);
  board.set(1, 'connections', 100);
  const seen = new Set<number>();
  conductor.boardChanged();
  await poll('the end of the handicap', () => {
    const handicap = board.get(0, 'handicap');
    seen.add(handicap);
    return handicap === 0 ? true : undefined;
  });
  t.true([...seen].some((handicap) => handicap > 0 && handicap < 100), 'it goes down step by step');
});

test('a handicap is never more than the others carry', async (t) => {
  const { board } = createBoard();
  const conductor = conduct(t, board);
  // As after a reload: what the newcomer was charged for has left with a worker that drains.
  for (const [row, state, connections] of [[0, State.ready, 0], [1, State.ready, 7], [2, State.ready, 8], [3, State.draining, 500]] as const) {
    board.set(row, 'state', state);
    board.set(row, 'connections', connections);
  }
  board.set(0, 'handicap', 100);
  conductor.boardChanged();
  t.true((await poll('the handicap to change', () => (board.get(0, 'handicap') < 100 ? board.get(0, 'handicap') + 1 : undefined))) <= 9);
});

privileged('a program that somebody has taken off is put there again', async (t) => {
  const { board, fd } = createBoard();
  const conductor = conduct(t, board);
  const id = check<number>('bpf', conductor.openLeastGroup(fd));
  const group = open(t, board, conductor, id, 4);
  await connect(t, group.port, 4);
  // Another socket of the same address is enough to reach the group's program.
  const intruder = check('listen', native.listenTcp({ host: '127.0.0.1', port: group.port, backlog: 16, reusePort: true, ipv6Only: false }));
  t.teardown(() => closeFd(intruder));
  t.is(native.steerAmong(intruder, []), 0);
  await poll('the program', async () => {
    const before = [0, 1, 2, 3].reduce((sum, slot) => sum + board.getSlot(slot, 'selected'), 0);
    await connect(t, group.port, 1);
    return [0, 1, 2, 3].reduce((sum, slot) => sum + board.getSlot(slot, 'selected'), 0) > before ? true : undefined;
  });
  t.pass();
});

test('a thread that ends without stopping its conductor ends, and the board stays until it has', async (t) => {
  const child = startChild(t, 'ticking-thread');
  t.is(await child.exit, 0);
});

test('where no thread can be had, starting one says so', async (t) => {
  t.is(await startChild(t, 'threadless').exit, 0);
});

function slotCell(slot: number, offset: number): number {
  return (256 * 513 + 64 * slot + offset) >> 2;
}
