/** Reads its own loop stamp inside a handler of the poll phase (a channel message), before and after stampLoop. */
import { Board, rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';

const channel = new native.Channel(3);
channel.ref();
const first = channel.receiveSync(60_000);
if (typeof first === 'number') process.exit(1);
const board = new Board(check('mmap', native.mapMemory(first.fds[0]!)));
check('startLoopStamp', native.startLoopStamp(board.buffer, rowOffset(0)));
const stamp = (): number => board.get(0, 'loopStamp');

// Another pair in this process, so that the handler surely runs from poll.
const [one, other] = check('socketpair', native.socketPair());
const sender = new native.Channel(one);
const receiver = new native.Channel(other);
receiver.ref();
receiver.start(
  () => {
    const inHandler = stamp();
    native.stampLoop();
    const afterStampLoop = stamp();
    native.stampLoop();
    const again = stamp();
    setImmediate(() => {
      check('send', channel.send(JSON.stringify({ type: 'stamps', inHandler, afterStampLoop, again, inImmediate: stamp() })));
    });
  },
  () => {},
);
channel.start(() => {}, () => {});
check('send', sender.send('go'));
