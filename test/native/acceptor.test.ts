/** The acceptor in this process: what it takes, when it stops, who owns what. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Board } from '../../src/ipc/board.js';
import { State, rowOffset } from '../../src/ipc/board.js';
import { check, native } from '../../src/native.js';
import type { ArmOptions, NativeAcceptor } from '../../src/native.js';
import { EBADF, EEXIST, EINVAL, EMFILE, ask, collected, connect, connectUnseen, createBoard, flags, isExclusive, listen, registeredEvents, startChild, until } from './support.js';

const SHARED: ArmOptions = { exclusive: false, slot: -1, rotate: false };

interface Setup {
  acceptor: NativeAcceptor;
  board: Board;
  fd: number;
  port: number;
  /** [descriptor, slot] of each connection, closed when the test ends. */
  taken: [number, number][];
  errors: [number, number][];
}

function setUp(t: ExecutionContext, onConnection?: (setup: Setup, fd: number) => void): Setup {
  const { board } = createBoard(t);
  const { fd, port } = listen();
  const setup: Setup = { acceptor: undefined as unknown as NativeAcceptor, board, fd, port, taken: [], errors: [] };
  setup.acceptor = new native.Acceptor(
    board.buffer,
    rowOffset(0),
    (connection, slot) => {
      setup.taken.push([connection, slot]);
      onConnection?.(setup, connection);
    },
    (errno, listener) => setup.errors.push([errno, listener]),
  );
  t.teardown(() => {
    setup.acceptor.close(false);
    for (const [connection] of setup.taken) closeSync(connection);
  });
  return setup;
}

async function queued(fd: number, count: number): Promise<void> {
  await until(() => check('queueLength', native.queueLength(fd)).length === count);
}

test('a connection is handed over, non-blocking and closed on exec, and counted', async (t) => {
  const { acceptor, board, fd, port, taken } = setUp(t);
  t.is(acceptor.arm(fd, { ...SHARED, slot: 0 }), 0);
  t.deepEqual(acceptor.fds(), [fd]);
  await connect(t, port);
  await until(() => taken.length === 1);
  t.is(taken[0]![1], 0);
  t.deepEqual(flags(taken[0]![0]), { nonBlocking: true, closeOnExec: true });
  t.is(board.get(0, 'accepted'), 1);
  t.is(board.get(0, 'wakeups'), 1);
  t.is(board.get(0, 'stolen'), 0);
});

test("another slot's connection counts as stolen, a shared one does not", async (t) => {
  const { acceptor, board, fd, port, taken } = setUp(t);
  const other = listen();
  acceptor.arm(fd, SHARED);
  acceptor.arm(other.fd, { ...SHARED, slot: 4 });
  await connect(t, port);
  await connect(t, other.port);
  await until(() => taken.length === 2);
  t.deepEqual(taken.map(([, slot]) => slot).sort(), [-1, 4]);
  t.is(board.get(0, 'stolen'), 1);
});

test('with nobody idle, up to eight a turn', async (t) => {
  const { acceptor, board, fd, port, taken } = setUp(t);
  board.set(1, 'state', State.ready);
  new BigUint64Array(board.buffer)[(rowOffset(1) + 16) / 8] = 5n; // out of poll
  for (let i = 0; i < 10; i++) await connect(t, port);
  await queued(fd, 10);
  acceptor.arm(fd, SHARED);
  await until(() => taken.length === 10);
  t.is(board.get(0, 'wakeups'), 2, 'eight and two');
  t.is(board.get(0, 'emptyWakeups'), 0);
});

test('while a sibling is idle, one a turn; a sibling that is not ready does not count', async (t) => {
  for (const [state, wakeups] of [[State.ready, 5], [State.draining, 1]] as const) {
    const { acceptor, board, fd, port, taken } = setUp(t);
    board.set(7, 'state', state);
    for (let i = 0; i < 5; i++) await connect(t, port);
    await queued(fd, 5);
    acceptor.arm(fd, SHARED);
    await until(() => taken.length === 5);
    t.is(board.get(0, 'wakeups'), wakeups);
  }
});

test('pause leaves connections in the queue, resume takes them', async (t) => {
  const { acceptor, board, fd, port, taken } = setUp(t);
  acceptor.arm(fd, SHARED);
  acceptor.pause();
  acceptor.pause();
  await connect(t, port);
  await queued(fd, 1);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  t.is(taken.length, 0);
  t.is(registeredEvents(fd), undefined);
  t.is(board.get(0, 'wakeups'), 0);
  acceptor.resume();
  await until(() => taken.length === 1);
  t.is(taken.length, 1);
});

test('armed while paused: polled from resume on', async (t) => {
  const { acceptor, fd, port, taken } = setUp(t);
  acceptor.pause();
  acceptor.arm(fd, { ...SHARED, exclusive: true });
  await connect(t, port);
  await new Promise(setImmediate);
  t.is(taken.length, 0);
  acceptor.resume();
  await until(() => taken.length === 1 && isExclusive(fd));
  t.is(taken.length, 1);
});

test('exclusive: registered so, again after a pause, and gone when disarmed', async (t) => {
  const { acceptor, fd, port, taken } = setUp(t);
  acceptor.arm(fd, { ...SHARED, exclusive: true });
  await until(() => isExclusive(fd));
  await connect(t, port);
  await until(() => taken.length === 1);
  acceptor.pause();
  t.is(registeredEvents(fd), undefined);
  acceptor.resume();
  await until(() => isExclusive(fd));
  await connect(t, port);
  await until(() => taken.length === 2);
  t.is(acceptor.disarm(fd, false), 0);
  t.is(registeredEvents(fd), undefined);
});

test('rotate and theft keep the registration exclusive', async (t) => {
  const { acceptor, fd, port, taken } = setUp(t);
  const other = listen();
  acceptor.arm(fd, { exclusive: true, slot: -1, rotate: true });
  acceptor.arm(other.fd, { exclusive: true, slot: 9, rotate: false });
  await until(() => isExclusive(fd) && isExclusive(other.fd));
  for (let i = 1; i <= 5; i++) {
    await connect(t, port);
    await connect(t, other.port);
    await until(() => taken.length === 2 * i);
    t.true(isExclusive(fd) && isExclusive(other.fd));
  }
});

test('an exclusive socket is emptied before polling stops: its wake-ups were for us', async (t) => {
  for (const stop of ['pause', 'disarm', 'close'] as const) {
    const { acceptor, fd, port, taken } = setUp(t);
    acceptor.arm(fd, { ...SHARED, exclusive: true });
    await until(() => isExclusive(fd));
    await connectUnseen(t, port, fd);
    if (stop === 'disarm') acceptor.disarm(fd, false);
    else if (stop === 'close') acceptor.close(false);
    else acceptor.pause();
    t.is(taken.length, 1, stop);
  }
});

test('recheck takes what nobody was woken for', async (t) => {
  const { acceptor, fd, port, taken } = setUp(t);
  acceptor.arm(fd, { ...SHARED, exclusive: true });
  await until(() => isExclusive(fd));
  await connectUnseen(t, port, fd);
  acceptor.recheck();
  t.is(taken.length, 1);
  acceptor.pause();
  await connect(t, port);
  acceptor.recheck();
  t.is(taken.length, 1, 'not while paused');
});

test('disarm and close with drain hand over all that is queued, then close', async (t) => {
  const { acceptor, fd, port, taken } = setUp(t);
  const other = listen();
  acceptor.pause();
  acceptor.arm(fd, SHARED);
  acceptor.arm(other.fd, SHARED);
  for (let i = 0; i < 12; i++) await connect(t, port);
  for (let i = 0; i < 3; i++) await connect(t, other.port);
  await queued(fd, 12);
  await queued(other.fd, 3);
  t.is(acceptor.disarm(fd, true), 0);
  t.is(taken.length, 12);
  t.deepEqual(acceptor.fds(), [other.fd]);
  acceptor.close(true);
  t.is(taken.length, 15);
  t.deepEqual(acceptor.fds(), []);
  t.is(native.isListening(other.fd), EBADF);
  acceptor.close(true);
  t.is(acceptor.arm(0, SHARED), EBADF);
});

test('close without drain closes the sockets', (t) => {
  const { acceptor, fd } = setUp(t);
  acceptor.arm(fd, SHARED);
  acceptor.close(false);
  t.is(native.isListening(fd), EBADF);
  t.is(acceptor.disarm(fd, false), -2, 'ENOENT');
  acceptor.pause();
  acceptor.resume();
  acceptor.recheck();
});

test('closed, it lets go of its callbacks, and so of whoever holds it', async (t) => {
  const { board } = createBoard(t);
  await collected(() => {
    const holder = { acceptor: new native.Acceptor(board.buffer, rowOffset(0), () => void holder, () => void holder) };
    t.is(holder.acceptor.arm(listen().fd, SHARED), 0);
    holder.acceptor.close(false);
    return holder;
  });
});

test('JavaScript may disarm, pause and close within the callback', async (t) => {
  for (const stop of ['disarm', 'pause', 'close'] as const) {
    const { acceptor, fd, port, taken } = setUp(t, (setup) => {
      if (stop === 'disarm') setup.acceptor.disarm(setup.fd, false);
      else if (stop === 'pause') setup.acceptor.pause();
      else setup.acceptor.close(false);
    });
    for (let i = 0; i < 3; i++) await connect(t, port);
    await queued(fd, 3);
    acceptor.arm(fd, SHARED);
    await until(() => taken.length > 0);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    t.is(taken.length, 1, stop);
  }
});

test('ticks run after each connection', async (t) => {
  const order: string[] = [];
  const { acceptor, fd, port } = setUp(t, () => {
    order.push('connection');
    process.nextTick(() => order.push('tick'));
  });
  await connect(t, port);
  await connect(t, port);
  await queued(fd, 2);
  acceptor.arm(fd, SHARED);
  await until(() => order.length === 4);
  t.deepEqual(order, ['connection', 'tick', 'connection', 'tick']);
});

test('with `wrap`, a connection is what that makes of it, heard of in the context the acceptor was made in; of null nothing is heard', async (t) => {
  const { board } = createBoard(t);
  const { fd, port } = listen();
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const acceptor = storage.run('made', () => {
    const wrap = (connection: number): { connection: number } | null => {
      seen.push(['wrap', storage.getStore()]);
      if (seen.length > 1) return { connection };
      closeSync(connection);
      return null;
    };
    const onConnection = ({ connection }: { connection: number }, slot: number): void => {
      seen.push(['heard', storage.getStore(), slot]);
      process.nextTick(() => seen.push('tick'));
      closeSync(connection);
    };
    return new native.Acceptor<{ connection: number }>(board.buffer, rowOffset(0), onConnection, () => t.fail(), wrap);
  });
  t.teardown(() => acceptor.close(false));
  acceptor.arm(fd, { ...SHARED, slot: 3 });
  await connect(t, port);
  await connect(t, port);
  await until(() => seen.length === 4);
  t.deepEqual(seen, [['wrap', undefined], ['wrap', undefined], ['heard', 'made', 3], 'tick']);
});

test('a socket that stops listening is disarmed and reported', async (t) => {
  const { acceptor, errors } = setUp(t);
  // An address that nobody else asks for: another program may have the port in a moment.
  const host = '127.0.0.77';
  const { fd, port } = listen({ host });
  acceptor.arm(fd, SHARED);
  // Another process that holds it does shutdown(SHUT_RD), which Node cannot: the socket leaves the LISTEN state for everybody.
  const shutdown = 'import socket; socket.socket(fileno=3).shutdown(socket.SHUT_RD)';
  t.is(spawnSync('python3', ['-c', shutdown], { stdio: ['ignore', 'inherit', 'inherit', fd] }).status, 0);
  await until(() => errors.length === 1);
  t.deepEqual(errors, [[EINVAL, fd]]);
  t.deepEqual(acceptor.fds(), []);
  await t.throwsAsync(ask(port, host), { code: 'ECONNREFUSED' });
});

test('refusals are -errno', (t) => {
  const { acceptor, fd, board } = setUp(t);
  t.is(acceptor.arm(fd, SHARED), 0);
  t.is(acceptor.arm(fd, SHARED), EEXIST);
  t.is(acceptor.arm(-1, SHARED), EBADF);
  t.is(acceptor.arm(fd, {} as ArmOptions), EINVAL);
  const file = openSync('/dev/null', 'r');
  t.teardown(() => closeSync(file));
  t.is(getSystemErrorName(acceptor.arm(file, SHARED)), 'ENOTSOCK');
  const pair = check('socketpair', native.socketPair());
  t.teardown(() => pair.forEach((end) => closeSync(end)));
  t.is(acceptor.arm(pair[0], SHARED), EINVAL, 'does not listen');
  t.notThrows(() => [file, pair[0]].map((refused) => fstatSync(refused)), 'what is refused stays open');
  t.is(acceptor.disarm(file, false), -2);
  t.is(acceptor.disarm('1' as unknown as number, false), EINVAL);
  const nowhere = new native.Acceptor(board.buffer, 8, () => {}, () => {});
  t.is(nowhere.arm(fd, SHARED), EBADF, 'no row on the board');
  const nothing = new native.Acceptor(1 as never, 0, () => {}, () => {});
  t.is(nothing.arm(fd, SHARED), EBADF);
});

test('out of descriptors: reported, tried again by a timer without spinning, and the connection is served', async (t) => {
  const { board, fd: boardFd } = createBoard(t);
  const { fd, port } = listen();
  t.teardown(() => closeSync(fd));
  const child = startChild(t, 'starved-acceptor', { before: 'ulimit -n 64' });
  child.send({ type: 'board' }, [boardFd, fd]);
  await child.next('starved');
  const answer = ask(port);
  for (let i = 0; i < 2; i++) t.is((await child.next('error')).message['errno'], EMFILE);
  t.true(board.get(0, 'wakeups') <= 3, `${board.get(0, 'wakeups')} wake-ups`);
  child.send({ type: 'relief' });
  t.is(await answer, 'served');
  t.is(board.get(0, 'accepted'), 1);
});

test('the last descriptor is given to a connection, and nothing more is asked for', async (t) => {
  const { fd: boardFd } = createBoard(t);
  const { fd, port } = listen();
  t.teardown(() => closeSync(fd));
  const child = startChild(t, 'starved-acceptor', { before: 'ulimit -n 64', args: ['1'] });
  child.send({ type: 'board' }, [boardFd, fd]);
  await child.next('starved');
  t.is(await ask(port), 'served');
  child.send({ type: 'relief' });
  await t.notThrowsAsync(child.next('relieved'), 'no error before it');
});

test('a callback that throws goes to uncaughtException, and later connections are still taken', async (t) => {
  const { fd: boardFd } = createBoard(t);
  const { fd, port } = listen();
  t.teardown(() => closeSync(fd));
  const child = startChild(t, 'throwing-acceptor');
  child.send({ type: 'board' }, [boardFd, fd]);
  await child.next('armed');
  t.is(await ask(port), 'uncaught 1');
  t.is(await ask(port), 'uncaught 2');
});

test("an acceptor keeps the process alive, paused or not; unref'd, or without a socket, it does not", async (t) => {
  const { fd: boardFd } = createBoard(t);
  const { fd } = listen();
  t.teardown(() => closeSync(fd));
  for (const how of ['unref', 'refused']) {
    const child = startChild(t, 'lingering', { args: [how] });
    child.send({ type: 'board' }, [boardFd, fd]);
    t.is(await child.exit, 0);
  }
  for (const how of ['armed', 'paused']) {
    const child = startChild(t, 'lingering', { args: [how] });
    child.send({ type: 'board' }, [boardFd, fd]);
    await child.next('armed');
    child.send({ type: 'close' });
    t.is(await child.exit, 5, 'it lived to read the message');
  }
});

test('held from within a callback: nothing comes after that connection, whatever waits; release takes it, exclusive as before', async (t) => {
  const { board } = createBoard(t);
  const [{ fd, port }, other] = [listen(), listen()];
  const taken: number[] = [];
  const acceptor = new native.Acceptor(board.buffer, rowOffset(0), (connection) => {
    taken.push(connection);
    closeSync(connection);
    acceptor.hold();
  }, () => t.fail());
  t.teardown(() => acceptor.close(false));
  for (const socket of [fd, other.fd]) acceptor.arm(socket, { exclusive: true, slot: 0, rotate: false });
  await until(() => isExclusive(fd) && isExclusive(other.fd));
  // All arrive before our loop turns: one batch of events.
  for (let n = 0; n < 3; n++) await connectUnseen(t, port, fd);
  await connectUnseen(t, other.port, other.fd);
  await queued(fd, 3);
  await until(() => taken.length > 0);
  for (let n = 0; n < 5; n++) await new Promise(setImmediate);
  t.is(taken.length, 1);
  t.is(registeredEvents(fd), undefined);
  acceptor.recheck();
  t.is(taken.length, 1, 'full is full');
  for (let n = 2; n <= 4; n++) {
    acceptor.release();
    t.true(isExclusive(fd) && isExclusive(other.fd), 'at once, without a turn of the loop');
    await until(() => taken.length === n);
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
    t.is(taken.length, n);
  }
});

test('held, then closed with drain: what waits is taken', async (t) => {
  const { acceptor, fd, port, taken } = setUp(t);
  acceptor.arm(fd, { ...SHARED, exclusive: true });
  await until(() => isExclusive(fd));
  acceptor.hold();
  for (let n = 0; n < 12; n++) await connect(t, port);
  await queued(fd, 12);
  acceptor.close(true);
  t.is(taken.length, 12);
});

// Two connections wait. What happens from then on, and how many wake-ups were given up.
const LATE: Record<string, [string[], { order: string[]; orphaned: number }]> = {
  'accepts after its timers': [['exclusive'], { order: ['timer', 'accepted', 'accepted'], orphaned: 0 }],
  'accepts after its timers, also where its stamp was renewed at the end of it': [['exclusive', 'renewed'], { order: ['timer', 'accepted', 'accepted'], orphaned: 0 }],
  'comes for a grant after its timers': [['bell'], { order: ['timer', 'accepted'], orphaned: 0 }],
  'and accepts slowly: a timer that is due meanwhile is not late': [['exclusive', 'slow'], { order: ['timer', 'accepted', 'later', 'accepted'], orphaned: 0 }],
  'above the average takes one, as ever': [['gate'], { order: ['timer', 'accepted'], orphaned: 0 }],
  'and gets full meanwhile: the promise is given back, once': [['exclusive', 'hold'], { order: ['timer'], orphaned: 1 }],
  'and stops listening meanwhile: takes what was promised': [['exclusive', 'disarm'], { order: ['accepted', 'accepted', 'timer'], orphaned: 0 }],
  'and stops listening when its gate has shut meanwhile: takes what was promised': [['gate', 'shut'], { order: ['accepted', 'accepted', 'accepted', 'timer'], orphaned: 0 }],
  'and stops listening when full: the promise is given back, once': [['exclusive', 'hold+disarm'], { order: ['timer'], orphaned: 1 }],
};
for (const [what, [args, expected]] of Object.entries(LATE)) {
  test(`who was blocked lately ${what}`, async (t) => {
    const { fd } = createBoard(t);
    const child = startChild(t, 'accepting-late', { args });
    child.send({ type: 'board' }, [fd]);
    const { order, orphaned } = (await child.next('order')).message;
    t.deepEqual({ order, orphaned }, expected);
  });
}
