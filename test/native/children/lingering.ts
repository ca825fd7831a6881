/** Has nothing but an armed acceptor to live for. */
import { rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';

const channel = new native.Channel(3);
const first = channel.receiveSync(60_000);
if (typeof first === 'number') process.exit(1);
const acceptor = new native.Acceptor(check('mmap', native.mapMemory(first.fds[0]!)), rowOffset(0), () => {}, () => {});
check('arm', acceptor.arm(first.fds[1]!, { exclusive: true, slot: 0, rotate: false }));
if (process.argv[2] === 'unref') acceptor.unref();
if (process.argv[2] === 'paused') acceptor.pause();
// Unref'd, as channels are: it is the acceptor that keeps us.
channel.start(
  () => {
    process.exitCode = 5;
    acceptor.close(false);
  },
  () => process.exit(1),
);
channel.send(JSON.stringify({ type: 'armed' }));
