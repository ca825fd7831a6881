/**
 * A worker that was blocked lately. In one turn of its loop two connections wait, and the event whose handler makes a timer due; told is what happened, in its order.
 * The arguments: how it accepts (`exclusive`, `gate`, `bell`), and what that handler does besides (`hold`, `disarm`, `hold+disarm`).
 * `renewed`: its stamp was new before anybody had seen how old it was.
 * `slow`: accepting takes longer than the next timer waits; told is whether the loop then slept all the same.
 * `shut`: three wait. The second is accepted for the bell, and makes the gate shut in the uv_check before the third is; then it stops listening.
 */
import { closeSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import net from 'node:net';
import { Board, State, rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';
import { isExclusive, listen, until } from '../support.js';
import { parentEnd } from './parent-end.js';

/** Longer than --stall-ms, which is 20 where nobody says. */
const TIMER_MS = 50;
const [how = '', meanwhile = ''] = process.argv.slice(2);
const parent = parentEnd();
const { fds } = await parent.next('board');
const board = new Board(check('mmap', native.mapMemory(fds[0]!)));
const bell = check('eventfd', native.createBell());
check('startLoopStamp', native.startLoopStamp(board.buffer, rowOffset(0)));
check('startWake', native.startWake(board.buffer, 0, 0, bell, check('eventfd', native.createBell())));
board.set(0, 'state', State.ready);
board.set(1, 'state', State.ready);

const order: string[] = [];
const acceptor = new native.Acceptor(
  board.buffer,
  rowOffset(0),
  (fd) => {
    order.push('accepted');
    closeSync(fd);
    if (meanwhile === 'slow' && order.filter((event) => event === 'accepted').length === 1) acceptSlowly();
    if (meanwhile !== 'shut' || order.length !== 2) return;
    board.set(0, 'connections', 10);
    setImmediate(() => acceptor.disarm(listening, false));
  },
  () => {},
);
const { fd: listening, port } = listen();
check('arm', acceptor.arm(listening, { exclusive: how !== 'bell', slot: -1, rotate: false, gate: how === 'gate', granted: how === 'bell' }));
await until(() => how === 'bell' || isExclusive(listening));
if (how === 'gate') {
  // More than its share, as soon as it has accepted one.
  if (meanwhile !== 'shut') board.set(0, 'connections', 10);
  for (const limit of ['connectionLimit', 'requestLimit'] as const) board.set(1, limit, 100);
}

const server = net.createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[net.Socket], unknown];
peer.once('data', () => {
  if (meanwhile.includes('hold')) acceptor.hold();
  if (meanwhile.includes('disarm')) acceptor.disarm(listening, false);
  block();
});

setImmediate(() => {
  block();
  if (meanwhile !== 'renewed') return;
  acceptor.hold();
  acceptor.release();
});
await turns(2);
const clients: net.Socket[] = [];
setImmediate(() => {
  void (async () => {
    for (let i = 0; i < (meanwhile === 'shut' ? 3 : 2); i++) clients.push(net.connect(port, '127.0.0.1').on('error', () => {}));
    // On loopback connect(2) itself does the handshake; Node calls it on a tick: no turn of our loop passes.
    while (check('queueLength', native.queueLength(listening)).length < clients.length) await new Promise<void>((resolve) => process.nextTick(resolve));
    if (meanwhile !== 'shut') client.write('x');
    if (how === 'bell') board.set(0, 'granted', 1);
    if (how === 'bell' || meanwhile === 'shut') writeSync(bell, new BigUint64Array([1n]));
    setTimeout(() => order.push('timer'), TIMER_MS);
  })();
});
await until(() => order.includes('timer'));
if (meanwhile === 'slow') await until(() => order.some((event) => event.startsWith('later')));
await turns(5);
parent.send({ type: 'order', order, orphaned: board.getHeader('orphaned') });
clients.forEach((socket) => socket.destroy());

function block(ms = TIMER_MS + 1): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function acceptSlowly(): void {
  const { idleTime } = performance.nodeTiming;
  setTimeout(() => order.push(performance.nodeTiming.idleTime - idleTime > 200 ? 'later, asleep until then' : 'later'), 400);
  block(500);
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}
