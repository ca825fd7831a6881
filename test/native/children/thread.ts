/** A worker thread that starts all there is and then ends as it was told. */
import { closeSync } from 'node:fs';
import net from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { BOARD_BYTES, rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';

const { how } = workerData as { how: 'return' | 'exit' | 'terminate' | 'busy' };
const memory = check('memfd_create', native.createMemory('thread', BOARD_BYTES));
const board = check('mmap', native.mapMemory(memory));
check('startLoopStamp', native.startLoopStamp(board, rowOffset(0)));
// Owns the memory's descriptor from here on.
check('startHeartbeat', native.startHeartbeat(memory, 2, 2, process.ppid, 1000, 7));
const listener = check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 16, reusePort: false, ipv6Only: false }));
const address = check('getsockname', native.localAddress(listener));
const acceptor = new native.Acceptor(board, rowOffset(0), (fd) => closeSync(fd), () => {});
check('arm', acceptor.arm(listener, { exclusive: true, slot: 0, rotate: true }));
const [one, other] = check('socketpair', native.socketPair());
const sender = new native.Channel(one);
const receiver = new native.Channel(other);
receiver.start(
  (text, fds) => {
    fds.forEach((fd) => closeSync(fd));
    if (how === 'busy') sender.send(text, [1]);
  },
  () => {},
);
sender.send('round and round', [1]);
if (how === 'busy' && address.family !== 'unix') {
  const { port } = address;
  const again = (): void => void net.connect(port, '127.0.0.1').on('error', () => {}).on('close', again).resume();
  again();
}
if (how === 'return') acceptor.unref();
setImmediate(() =>
  setImmediate(() => {
    parentPort!.postMessage('running');
    if (how === 'exit') process.exit(3);
  }),
);
