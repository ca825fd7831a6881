/** Accepts with no descriptor left, until the parent has it close some. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';
import { parentEnd } from './parent-end.js';

const parent = parentEnd();
const { fds } = await parent.next('board');
const acceptor = new native.Acceptor(
  check('mmap', native.mapMemory(fds[0]!)),
  rowOffset(0),
  (fd) => {
    writeSync(fd, 'served');
    closeSync(fd);
  },
  (errno) => parent.send({ type: 'error', errno }),
);
check('arm', acceptor.arm(fds[1]!, { exclusive: true, slot: 0, rotate: false }));
const files: number[] = [];
try {
  for (;;) files.push(openSync('/dev/null', 'r'));
} catch {
  parent.send({ type: 'starved' });
}
await parent.next('relief');
files.forEach((fd) => closeSync(fd));
