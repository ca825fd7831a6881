/** Accepts with no descriptor left, or with as many as the argument says, until the parent has it close some. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';
import { parentEnd } from './parent-end.js';

const parent = parentEnd();
const { fds } = await parent.next('board');
const left = Number(process.argv[2] ?? 0);
const acceptor = new native.Acceptor(
  check('mmap', native.mapMemory(fds[0]!)),
  rowOffset(0),
  (fd) => {
    writeSync(fd, 'served');
    setImmediate(closeSync, fd);
  },
  (errno) => parent.send({ type: 'error', errno }),
);
check('arm', acceptor.arm(fds[1]!, { exclusive: true, slot: 0, rotate: false }));
const files: number[] = [];
try {
  for (;;) files.push(openSync('/dev/null', 'r'));
} catch {
  for (let i = 0; i < left; i++) closeSync(files.pop()!);
  parent.send({ type: 'starved' });
}
await parent.next('relief');
files.forEach((fd) => closeSync(fd));
parent.send({ type: 'relieved' });
