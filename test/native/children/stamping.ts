/** Reads its own loop stamp inside a handler of the poll phase (of randomBytes), before and after it is set: natively, or by JavaScript (argument `stamper`). */
import { randomBytes } from 'node:crypto';
import { Board, rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';

const channel = new native.Channel(3);
channel.ref();
const first = channel.receiveSync(60_000);
if (typeof first === 'number') process.exit(1);
const board = new Board(check('mmap', native.mapMemory(first.fds[0]!)));
check('startLoopStamp', native.startLoopStamp(board.buffer, rowOffset(0)));
const stamp = (): number => board.get(0, 'loopStamp');
const set = process.argv[2] === 'stamper' ? board.stamper(0) : () => native.stampLoop();

channel.start(() => {}, () => {});
// What a thread of the pool has done is told from poll, before anything of ours is called.
randomBytes(8, () => {
  const inHandler = stamp();
  set();
  const afterStampLoop = stamp();
  set();
  const again = stamp();
  setImmediate(() => {
    check('send', channel.send(JSON.stringify({ type: 'stamps', inHandler, afterStampLoop, again, inImmediate: stamp() })));
  });
});
