/** Several processes at one socket: who is woken, who takes a connection when its owner can't, in what order. */
import { closeSync, readFileSync } from 'node:fs';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Board } from '../../src/ipc/board.js';
import { NO_LIMIT, State } from '../../src/ipc/board.js';
import { check, native, type NativeConductor } from '../../src/native.js';
import { ask, createBoard, listen, startChild, until } from './support.js';
import type { Child } from './support.js';

interface Crew {
  board: Board;
  children: Child[];
  fd: number;
  port: number;
  /** Until all of `rows` wait in poll, asleep: of one that has yet to get its CPU the kernel has no wake-up. */
  idle(rows?: number[]): Promise<void>;
  tell(row: number, what: string, how?: Record<string, unknown>): Promise<void>;
  sum(field: 'accepted' | 'wakeups' | 'emptyWakeups' | 'stolen'): number;
}

interface CrewOptions {
  /** Watches the socket, and rings who could take what waits. */
  conducted?: boolean;
  /** --stall-ms of the conductor. */
  stallMs?: number;
  before?: string;
}

function crew(t: ExecutionContext, count: number, options: CrewOptions = {}): Crew {
  const { board, fd: boardFd } = createBoard(t);
  const { fd, port } = listen();
  t.teardown(() => closeSync(fd));
  const conductor = options.conducted === true ? conduct(t, board, fd, options.stallMs) : undefined;
  const children = Array.from({ length: count }, () => startChild(t, 'accepting', options.before === undefined ? {} : { before: options.before }));
  children.forEach((child, row) => {
    board.set(row, 'slot', row);
    board.set(row, 'connectionLimit', NO_LIMIT);
    board.set(row, 'requestLimit', NO_LIMIT);
    board.setOwner(row, row);
    const bell = conductor === undefined ? [] : [check('eventfd', native.createBell()), conductor.wakeFd()];
    if (conductor !== undefined) t.is(conductor.setBell(row, bell[0]!), 0);
    child.send({ type: 'board', row }, [boardFd, ...bell]);
    if (conductor !== undefined) closeSync(bell[0]!);
  });
  const all = [...children.keys()];
  return {
    board,
    children,
    fd,
    port,
    idle: (rows = all) => until(() => rows.every((row) => board.get(row, 'loopTurns') > 0 && board.get(row, 'loopStamp') === 0 && stateOf(children[row]!.pid) === 'S')),
    async tell(row, what, how = {}) {
      children[row]!.send({ type: 'do', what, ...how }, what === 'arm' ? [fd] : []);
      await children[row]!.next('done');
    },
    sum: (field) => all.reduce((sum, row) => sum + board.get(row, field), 0),
  };
}

function conduct(t: ExecutionContext, board: Board, fd: number, stallMs = 20): NativeConductor {
  const conductor = new native.Conductor(board.buffer, stallMs, 0);
  t.is(conductor.start(), 0);
  t.teardown(() => conductor.stop());
  const id = check<number>('rescue', conductor.rescue(fd));
  t.teardown(() => conductor.unrescue(id));
  return conductor;
}

function stateOf(pid: number): string {
  return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
}

/** How often the workers' event loops have gone to sleep. */
function sleeps({ children }: Crew): number {
  const count = (pid: number): number => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return children.reduce((sum, { pid }) => sum + count(pid), 0);
}

function queueLength(fd: number): number {
  return check('queueLength', native.queueLength(fd)).length;
}

/** Connections one after the other, each when all of `rows` are idle: who took how many. */
async function paced(crew: Crew, count: number, rows?: number[]): Promise<number[]> {
  const taken = crew.children.map(() => 0);
  for (let i = 0; i < count; i++) {
    await crew.idle(rows);
    taken[Number(await ask(crew.port))]!++;
  }
  return taken;
}

test('exclusive: a connection wakes about one of eight idle workers; shared: all of them', async (t) => {
  const switches: Record<string, number> = {};
  for (const exclusive of [true, false]) {
    const workers = crew(t, 8);
    for (const row of workers.children.keys()) await workers.tell(row, 'arm', { exclusive, slot: -1 });
    await workers.idle();
    const before = sleeps(workers);
    await paced(workers, 50);
    switches[exclusive ? 'exclusive' : 'shared'] = sleeps(workers) - before;
    t.is(workers.sum('accepted'), 50);
    // Not in user space: with all of them woken, most find the queue empty while still in the kernel.
    t.true(workers.sum('wakeups') - workers.sum('emptyWakeups') === 50);
    if (exclusive) t.true(workers.sum('wakeups') <= 60, `${workers.sum('wakeups')} wake-ups`);
  }
  // Each wake-up of an idle worker ends in a sleep: about 100 against 400.
  t.true(switches['exclusive']! * 2 < switches['shared']!, JSON.stringify(switches));
});

test('exclusive and rotate: idle workers take turns', async (t) => {
  const workers = crew(t, 4);
  for (const row of workers.children.keys()) await workers.tell(row, 'arm', { exclusive: true, slot: -1, rotate: true });
  const taken = await paced(workers, 80);
  for (const count of taken) t.true(count >= 15 && count <= 25, String(taken));
  // Without rotation the first in the row takes all that comes while it is idle.
  const still = crew(t, 4);
  for (const row of still.children.keys()) await still.tell(row, 'arm', { exclusive: true, slot: -1 });
  const first = await paced(still, 20);
  t.true(first[0]! >= 15, String(first));
});

test('the owner goes first; a sibling takes at once what a blocked owner cannot; the owner goes first again', async (t) => {
  const workers = crew(t, 3);
  for (const row of [0, 1, 2]) await workers.tell(row, 'arm', { exclusive: true, slot: 0 });
  const before = await paced(workers, 20);
  t.true(before[0]! >= 17, `owner first: ${String(before)}`);

  workers.children[0]!.send({ type: 'do', what: 'block' });
  await workers.children[0]!.next('blocking');
  const blocked = await paced(workers, 20, [1, 2]);
  t.deepEqual(blocked[0], 0, 'nobody waits for the owner');
  t.true(workers.sum('stolen') >= 20);
  workers.children[0]!.send({ type: 'unblock' });
  await workers.children[0]!.next('done');

  const after = await paced(workers, 20);
  t.true(after[0]! >= 17, `thieves stand behind the owner: ${String(after)}`);
});

/** Ends the owner with a connection's wake-up in its hands; in an object, so that the answer is not awaited here. */
async function killWithWakeUp(workers: Crew): Promise<{ answer: Promise<string> }> {
  const owner = workers.children[0]!;
  await workers.idle();
  // Stopped in epoll_wait, it still stands in the row, is given the wake-up, and never uses it.
  process.kill(owner.pid, 'SIGSTOP');
  await until(() => stateOf(owner.pid) === 'T');
  const answer = ask(workers.port);
  await until(() => queueLength(workers.fd) === 1 || workers.board.get(1, 'accepted') === 1);
  process.kill(owner.pid, 'SIGKILL');
  return { answer };
}

test('a worker that is killed with its wake-up loses no connection: a sibling rechecks', async (t) => {
  const workers = crew(t, 2);
  for (const row of [0, 1]) await workers.tell(row, 'arm', { exclusive: true, slot: 0 });
  const { answer } = await killWithWakeUp(workers);
  await workers.children[0]!.exit;
  await workers.tell(1, 'recheck');
  t.is(await answer, '1');
});

test('retiring: the row is left to the others, and nothing is lost', async (t) => {
  const workers = crew(t, 2);
  for (const row of [0, 1]) await workers.tell(row, 'arm', { exclusive: true, slot: 0 });
  workers.board.set(0, 'state', State.draining);
  await workers.tell(0, 'close');
  const taken = await paced(workers, 10);
  t.deepEqual(taken, [0, 10]);
});

test('a worker that is killed with its wake-up: the conductor rings a sibling, whatever the master is at', async (t) => {
  const workers = crew(t, 2, { conducted: true });
  for (const row of [0, 1]) await workers.tell(row, 'arm', { exclusive: true, slot: 0 });
  const { answer } = await killWithWakeUp(workers);
  t.is(await answer, '1');
});

test('out of descriptors: the sibling gets what the owner was woken for, and the owner is passed over until it can accept again', async (t) => {
  const workers = crew(t, 2, { conducted: true, before: 'ulimit -n 64' });
  for (const row of [0, 1]) await workers.tell(row, 'arm', { exclusive: true, slot: 0 });
  // An owner that waits for its CPU loses one to the sibling, and then another.
  for (let n = 0; n < 50 && workers.board.get(0, 'accepted') === 0; n++) await paced(workers, 1);
  const owners = workers.board.get(0, 'accepted');
  t.true(owners > 0);
  workers.children[0]!.send({ type: 'do', what: 'starve' });
  await workers.children[0]!.next('done');
  await workers.idle();
  // The first one wakes the owner, which cannot; those that follow do not even wake it.
  for (let n = 0; n < 5; n++) t.is(await ask(workers.port), '1');
  t.is(workers.board.get(0, 'exhausted'), 1);
  t.true(workers.board.getHeader('orphaned') >= 1);
  t.is(workers.board.get(0, 'accepted'), owners);
  workers.children[0]!.send({ type: 'do', what: 'relieve' });
  await until(() => workers.board.get(0, 'exhausted') === 0);
  // Behind the thief now, which goes to the end at its next theft.
  for (let n = 0; n < 50 && workers.board.get(0, 'accepted') === owners; n++) await ask(workers.port);
  t.true(workers.board.get(0, 'accepted') > owners);
});

test('a thief with more to carry leaves an owner that comes its connections, and takes them from one that does not', async (t) => {
  const workers = crew(t, 2);
  for (const row of [0, 1]) await workers.tell(row, 'arm', { exclusive: true, slot: 0 });
  workers.board.set(1, 'connections', 1000);
  workers.board.setStallMs(60_000);
  // Asked ten at a time: the owner is at work when most of them come, and the kernel wakes the thief.
  for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 10 }, () => ask(workers.port)));
  t.is(workers.board.get(1, 'accepted'), 0, 'nothing is stolen from an owner that works');
  workers.board.setStallMs(20);
  const before = workers.sum('accepted');
  workers.children[0]!.send({ type: 'do', what: 'block' });
  await workers.children[0]!.next('blocking');
  // Nobody else arrives: what the thief has left, it has to come back to.
  t.is(await ask(workers.port), '1');
  t.deepEqual(await Promise.all(Array.from({ length: 20 }, () => ask(workers.port))), Array.from({ length: 20 }, () => '1'));
  t.is(workers.sum('accepted'), before + 21);
  workers.children[0]!.send({ type: 'unblock' });
  await workers.children[0]!.next('done');
});

test('sticky: a busy owner keeps what waits for it, and is told of it, wherever it stands; of one that does not serve siblings take it', async (t) => {
  const workers = crew(t, 2, { conducted: true });
  workers.board.setSticky();
  // The sibling first: with any other steering it would be woken instead of the owner.
  for (const row of [1, 0]) {
    workers.board.set(row, 'state', State.ready);
    // In no row itself.
    await workers.tell(row, 'arm', { exclusive: true, slot: 0, aside: row === 1 });
    await workers.idle([row]);
  }
  for (let n = 0; n < 3; n++) t.is(await ask(workers.port), '0');
  // Much to carry, and nobody else has anything: without it the sibling would take its share.
  workers.board.set(0, 'connections', 1000);
  workers.children[0]!.send({ type: 'do', what: 'block' });
  await workers.children[0]!.next('blocking');
  const answers = Promise.all(Array.from({ length: 5 }, () => ask(workers.port)));
  await until(() => queueLength(workers.fd) === 5);
  // Rung by the conductor as nobody comes, the sibling leaves them alone.
  const turns = workers.board.get(1, 'loopTurns');
  await until(() => workers.board.get(1, 'loopTurns') > turns);
  await workers.idle([1]);
  t.is(queueLength(workers.fd), 5);
  workers.children[0]!.send({ type: 'unblock' });
  await workers.children[0]!.next('done');
  t.deepEqual(await answers, Array.from({ length: 5 }, () => '0'));

  workers.children[0]!.send({ type: 'do', what: 'block' });
  await workers.children[0]!.next('blocking');
  const orphans = Promise.all(Array.from({ length: 20 }, () => ask(workers.port)));
  await until(() => queueLength(workers.fd) === 20);
  workers.board.set(0, 'state', State.draining);
  t.deepEqual(await orphans, Array.from({ length: 20 }, () => '1'));
  workers.children[0]!.send({ type: 'unblock' });
  await workers.children[0]!.next('done');
});

test('sticky: what a slot without a worker has is taken by siblings that have no moment of peace', async (t) => {
  const workers = crew(t, 2, { conducted: true });
  workers.board.setSticky();
  const own = listen();
  t.teardown(() => closeSync(own.fd));
  workers.board.set(0, 'state', State.ready);
  await workers.tell(0, 'arm', { exclusive: true, slot: 0 });
  await workers.tell(1, 'arm', { exclusive: true, slot: 0, aside: true });
  workers.children[1]!.send({ type: 'do', what: 'arm', exclusive: true, slot: 1 }, [own.fd]);
  await workers.children[1]!.next('done');
  workers.children[0]!.send({ type: 'do', what: 'block' });
  await workers.children[0]!.next('blocking');
  const orphans = Promise.all(Array.from({ length: 40 }, () => ask(workers.port)));
  await until(() => queueLength(workers.fd) === 40);
  let over = false;
  const busy = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (!over) await ask(own.port);
    }),
  );
  // No death that the conductor would see at once: it has left, as by TTOU.
  workers.board.set(0, 'state', State.draining);
  t.deepEqual(await orphans, Array.from({ length: 40 }, () => '1'));
  const accepted = workers.board.get(1, 'accepted');
  over = true;
  await busy;
  // Not only when it happened to sleep, which takes tens of thousands of connections of its own.
  t.true(accepted < 4000, `${accepted}`);
  workers.children[0]!.send({ type: 'unblock' });
  await workers.children[0]!.next('done');
});

test('sticky: of a slot whose worker does not listen there siblings take what comes, until the slot has another owner', async (t) => {
  // Two siblings, and the owner, which has nothing to do with the socket until it arms it.
  const workers = crew(t, 3, { conducted: true });
  workers.board.setSticky();
  const STRANGER = 5;
  workers.board.set(STRANGER, 'state', State.ready);
  workers.board.setOwner(0, STRANGER);
  for (const row of [1, 2]) await workers.tell(row, 'arm', { exclusive: true, slot: 0, aside: true });
  const waiting = Array.from({ length: 20 }, () => ask(workers.port));
  await until(() => queueLength(workers.fd) === 20);
  for (const row of [1, 2]) await workers.tell(row, 'unattended', { slots: [7, 0], owners: [-1, STRANGER] });
  t.true((await Promise.all(waiting)).every((row) => row !== '0'));
  for (let n = 0; n < 5; n++) t.not(await ask(workers.port), '0');

  // Its successor listens there: nobody has told the siblings yet, whom the kernel wakes.
  workers.board.setOwner(0, 0);
  workers.board.set(0, 'state', State.ready);
  const answers = Array.from({ length: 5 }, () => ask(workers.port));
  await until(() => queueLength(workers.fd) === 5);
  const woken = workers.sum('emptyWakeups');
  await until(() => workers.sum('emptyWakeups') > woken);
  t.is(queueLength(workers.fd), 5);
  for (const row of [1, 2]) await workers.tell(row, 'unattended', { slots: [], owners: [] });
  await workers.idle([1, 2]);
  await workers.tell(0, 'arm', { exclusive: true, slot: 0 });
  t.deepEqual(await Promise.all(answers), Array.from({ length: 5 }, () => '0'));
  for (let n = 0; n < 5; n++) t.is(await ask(workers.port), '0');
});

test('sticky: the owner that is back learns of what a sibling was woken for', async (t) => {
  // So nobody is rung for anything but a wake-up given up.
  const workers = crew(t, 2, { conducted: true, stallMs: 600_000 });
  workers.board.setSticky();
  const STRANGER = 5;
  workers.board.setOwner(0, STRANGER);
  await workers.tell(1, 'arm', { exclusive: true, slot: 0, aside: true });
  await workers.tell(1, 'unattended', { slots: [0], owners: [STRANGER] });
  await workers.idle([1]);
  workers.board.setOwner(0, 0);
  await workers.tell(0, 'arm', { exclusive: true, slot: 0 });
  await workers.idle([0]);
  const answer = ask(workers.port);
  await until(() => workers.board.get(1, 'emptyWakeups') > 0);
  await workers.tell(1, 'unattended', { slots: [], owners: [] });
  t.is(await answer, '0');
});

test('a thief with less to carry takes its share of a long queue', async (t) => {
  const workers = crew(t, 2);
  for (const row of [0, 1]) await workers.tell(row, 'arm', { exclusive: true, slot: 0 });
  workers.board.set(0, 'connections', 1000);
  // The owner may be done with a burst before the thief has had a CPU at all.
  let taken = 0;
  for (let burst = 0; burst < 50 && taken === 0; burst++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(workers.port)));
    taken = answers.filter((row) => row === '1').length;
  }
  t.true(taken > 0);
});

test('a socket that was armed a moment ago is the owner\'s already', async (t) => {
  const workers = crew(t, 2);
  workers.board.setStallMs(60_000);
  // Who has clearly more to carry leaves a connection to an owner that can come.
  workers.board.set(0, 'state', State.ready);
  workers.board.set(1, 'connections', 100);
  await workers.idle();
  const answer = ask(workers.port);
  await until(() => queueLength(workers.fd) === 1);
  await workers.tell(1, 'arm', { exclusive: true, slot: 0, aside: true });
  await until(() => workers.board.get(1, 'wakeups') > 0);
  await workers.idle([1]);
  t.is(workers.board.get(1, 'accepted'), 0);
  await workers.tell(0, 'arm', { exclusive: true, slot: 0 });
  t.is(await answer, '0');
});
