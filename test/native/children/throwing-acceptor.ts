/** Throws for each connection; uncaughtException answers it. */
import { closeSync, writeSync } from 'node:fs';
import { rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';
import { parentEnd } from './parent-end.js';

const parent = parentEnd();
const { fds } = await parent.next('board');
let count = 0;
let open = -1;
process.on('uncaughtException', (error) => {
  writeSync(open, `uncaught ${error.message}`);
  closeSync(open);
});
const acceptor = new native.Acceptor(
  check('mmap', native.mapMemory(fds[0]!)),
  rowOffset(0),
  (fd) => {
    open = fd;
    throw new Error(String(++count));
  },
  () => process.exit(1),
);
check('arm', acceptor.arm(fds[1]!, { exclusive: false, slot: 0, rotate: false }));
parent.send({ type: 'armed' });
