/** A worker thread whose acceptor is refused when its handles are open already: libuv polls that socket for Node. Says the answer, and ends as it is told. */
import net from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { BOARD_BYTES, rowOffset } from '../../../src/ipc/board.js';
import { check, closeFd, native } from '../../../src/native.js';

const { how } = workerData as { how: 'return' | 'exit' | 'terminate' };
const memory = check('memfd_create', native.createMemory('refused', BOARD_BYTES));
const board = check('mmap', native.mapMemory(memory));
closeFd(memory);
const server = net.createServer().listen(0, '127.0.0.1', () => {
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const acceptor = new native.Acceptor(board, rowOffset(0), () => {}, () => {});
  parentPort!.postMessage(acceptor.arm(fd, { exclusive: true, slot: 0, rotate: true }));
  // Without a socket there is nothing to stay for. Kept, since one that is collected is closed.
  acceptor.ref();
  Object.assign(globalThis, { acceptor });
  if (how === 'return') server.close();
  if (how === 'exit') process.exit(3);
});
