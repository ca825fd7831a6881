import test from 'ava';
import { State, rowOffset } from '../../src/ipc/board.js';
import { native } from '../../src/native.js';
import { EINVAL, createBoard, startChild, until } from './support.js';

test('a loop in poll shows 0, and turns are counted', async (t) => {
  const { board, fd } = createBoard(t);
  const child = startChild(t, 'accepting');
  child.send({ type: 'board', row: 3 }, [fd]);
  await until(() => board.get(3, 'loopTurns') > 0 && board.get(3, 'loopStamp') === 0);
  const turns = board.get(3, 'loopTurns');
  child.send({ type: 'do', what: 'nothing' });
  await child.next('done');
  await until(() => board.get(3, 'loopTurns') > turns && board.get(3, 'loopStamp') === 0);
  t.is(board.get(2, 'loopTurns') + board.get(4, 'loopTurns'), 0, 'no other row is touched');
});

for (const how of ['stampLoop', 'stamper']) test(`${how}: a handler in the poll phase is not idle`, async (t) => {
  const { board, fd } = createBoard(t);
  const child = startChild(t, 'stamping', { args: [how] });
  const before = process.hrtime.bigint();
  child.send({ type: 'board', row: 0 }, [fd]);
  const { message } = await child.next('stamps');
  t.is(message['inHandler'], 0, 'libuv calls handlers before uv_check');
  t.true(Number(message['afterStampLoop']) >= Number(before));
  t.true(Number(message['afterStampLoop']) <= Number(process.hrtime.bigint()), 'the same clock');
  t.is(message['again'], message['afterStampLoop'], 'the time it left poll, not the last call');
  t.is(message['inImmediate'], message['afterStampLoop']);
  await until(() => board.get(0, 'loopStamp') === 0);
});

test('who was blocked says so, once it is ready: loading an app takes long, and that is over', async (t) => {
  const { board, fd } = createBoard(t);
  const child = startChild(t, 'accepting');
  child.send({ type: 'board', row: 3 }, [fd]);
  const block = async (): Promise<void> => {
    child.send({ type: 'do', what: 'block' });
    await child.next('blocking');
    const leftPoll = board.get(3, 'loopStamp');
    await until(() => Number(process.hrtime.bigint()) > leftPoll + 30_000_000);
    child.send({ type: 'go on' });
    await child.next('done');
    await until(() => board.get(3, 'loopStamp') === 0);
  };
  await block();
  t.is(board.get(3, 'blockedAt'), 0);
  board.set(3, 'state', State.ready);
  const before = process.hrtime.bigint();
  child.send({ type: 'do', what: 'nothing' });
  await child.next('done');
  await until(() => board.get(3, 'loopStamp') === 0);
  t.is(board.get(3, 'blockedAt'), 0);
  await block();
  t.true(BigInt(board.get(3, 'blockedAt')) > before);
});

test('once per environment, and only on a row of the board', (t) => {
  const { board } = createBoard(t);
  t.is(native.startLoopStamp(board.buffer, 0), EINVAL, 'the header is no row');
  t.is(native.startLoopStamp(board.buffer, rowOffset(0) + 8), EINVAL);
  t.is(native.startLoopStamp(board.buffer, board.buffer.byteLength), EINVAL);
  t.is(native.startLoopStamp(board.buffer, -256), EINVAL);
  t.is(native.startLoopStamp({} as ArrayBuffer, rowOffset(0)), EINVAL);
  t.is(native.startLoopStamp(board.buffer, rowOffset(0)), 0);
  t.is(native.startLoopStamp(board.buffer, rowOffset(1)), -114, 'EALREADY');
});
