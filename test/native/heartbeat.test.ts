import { closeSync, fstatSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { native } from '../../src/native.js';
import { EBADF, EINVAL, createBoard, startChild, temporaryFolder, threadNames, until } from './support.js';

/** An unlinked file, as the master makes one per worker. */
function heartbeatFile(t: ExecutionContext): number {
  const path = join(temporaryFolder(t), 'beat');
  const fd = openSync(path, 'w+', 0);
  rmSync(path);
  t.teardown(() => closeSync(fd));
  return fd;
}

const ctime = (fd: number): bigint => fstatSync(fd, { bigint: true }).ctimeNs;

test('a turning loop beats: the file changes, again and again', async (t) => {
  const file = heartbeatFile(t);
  const { fd: board } = createBoard(t);
  const child = startChild(t, 'beating', { args: ['20'] });
  child.send({ type: 'start' }, [board, file]);
  await child.next('started');
  for (let i = 0; i < 3; i++) {
    const seen = ctime(file);
    await until(() => ctime(file) !== seen);
  }
  child.send({ type: 'stats' });
  const { message } = await child.next('stats');
  t.true(Number(message['beats']) >= 3);
  t.true(threadNames(child.pid).includes('drover:beat'));
});

test('a blocked loop does not beat', async (t) => {
  const file = heartbeatFile(t);
  const { board, fd } = createBoard(t);
  const child = startChild(t, 'beating', { args: ['5'] });
  child.send({ type: 'start' }, [fd, file]);
  const { thread } = (await child.next('started')).message;
  child.send({ type: 'block' });
  await child.next('blocking');
  const turns = board.get(0, 'loopTurns');
  // Its thread goes to sleep once for each period.
  const sleeps = (): number => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/task/${String(thread)}/status`, 'utf8'))![1]);
  const pass = async (periods: number): Promise<void> => {
    const end = sleeps() + periods;
    await until(() => sleeps() >= end);
  };
  // One beat may still be due for the turns before.
  await pass(10);
  const seen = ctime(file);
  await pass(20);
  t.is(ctime(file), seen);
  t.is(board.get(0, 'loopTurns'), turns);
});

test('a disk that hangs holds up the beat and nothing else, not even the exit', async (t) => {
  const file = heartbeatFile(t);
  const { board, fd } = createBoard(t);
  const child = startChild(t, 'beating', { args: ['5'], env: { DROVER_FAULT_FCHMOD_MS: '3600000' } });
  child.send({ type: 'start' }, [fd, file]);
  await child.next('started');
  const turns = board.get(0, 'loopTurns');
  await until(() => board.get(0, 'loopTurns') > turns + 20);
  child.send({ type: 'stats' });
  t.deepEqual((await child.next('stats')).message, { type: 'stats', beats: 0, longestMs: 0 });
  child.send({ type: 'leave' });
  t.is(await child.exit, 0);
});

test('a slow disk shows in the statistics', async (t) => {
  const file = heartbeatFile(t);
  const child = startChild(t, 'beating', { args: ['5'], env: { DROVER_FAULT_FCHMOD_MS: '50' } });
  child.send({ type: 'start' }, [createBoard(t).fd, file]);
  await child.next('started');
  const seen = ctime(file);
  await until(() => ctime(file) !== seen);
  child.send({ type: 'stats' });
  const { message } = await child.next('stats');
  t.true(Number(message['longestMs']) >= 50 || Number(message['beats']) === 0);
});

test('without a file the loop turns all the same', async (t) => {
  const { board, fd } = createBoard(t);
  const child = startChild(t, 'beating', { args: ['5'] });
  child.send({ type: 'start' }, [fd]);
  await child.next('started');
  const turns = board.get(0, 'loopTurns');
  await until(() => board.get(0, 'loopTurns') > turns + 10);
  child.send({ type: 'stats' });
  t.is((await child.next('stats')).message['beats'], 0);
});

test('an orphan whose loop is blocked and whose disk hangs is ended after the grace, with the exit code given', async (t) => {
  const reaper = startChild(t, 'reaper');
  const { message } = await reaper.next('grandchild');
  const pid = Number(message['pid']);
  reaper.send({ type: 'kill' });
  const { message: end } = await reaper.next('reaped');
  t.deepEqual(end, { type: 'reaped', before: 0, pid, exitCode: 7, again: -10 }, 'ECHILD once it is reaped');
  t.throws(() => readFileSync(`/proc/${pid}/stat`), { code: 'ENOENT' });
});

test('reap: not ours, not any', (t) => {
  t.is(native.reap(process.ppid), -10, 'ECHILD');
  t.is(native.reap(0), EINVAL);
  t.is(native.reap(-1), EINVAL, 'would take the children of libuv');
});

test('startHeartbeat: refusals are -errno, and a start happens once', (t) => {
  t.is(native.startHeartbeat(-1, 0, 10, 0, 0, 7), EINVAL);
  t.is(native.startHeartbeat(-1, 10, 0, 0, 0, 7), EINVAL);
  t.is(native.startHeartbeat(-1, 10, 10, 0, -1, 7), EINVAL);
  t.is(native.startHeartbeat(1_000_000, 10, 10, 0, 0, 7), EBADF);
  t.deepEqual(native.heartbeatStats(), { beats: 0, longestMs: 0 });
  t.is(native.startHeartbeat(-1, 10, 10, 0, 0, 7), 0);
  t.is(native.startHeartbeat(-1, 10, 10, 0, 0, 7), -114, 'EALREADY');
});
