/**
 * A worker reduced to its acceptor. `arm` brings board and socket; each connection is answered with our row and closed.
 * `block` stops the event loop until the next message comes; `starve` opens files until there are no descriptors left, `relieve` closes them.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Board, State, rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';
import { isExclusive, until } from '../support.js';
import { parentEnd } from './parent-end.js';

const parent = parentEnd();
const { message, fds } = await parent.next('board');
const row = Number(message['row']);
const board = new Board(check('mmap', native.mapMemory(fds[0]!)));
check('startLoopStamp', native.startLoopStamp(board.buffer, rowOffset(row)));
// The bells, where the test has a conductor.
if (fds.length > 1) check('startWake', native.startWake(board.buffer, row, 0, fds[1]!, fds[2]!));
const errors: number[] = [];
const files: number[] = [];
const acceptor = new native.Acceptor(
  board.buffer,
  rowOffset(row),
  (fd) => {
    writeSync(fd, String(row));
    closeSync(fd);
  },
  (errno) => {
    errors.push(errno);
    parent.send({ type: 'error', errno });
  },
);

for (;;) {
  const { message, fds } = await parent.next('do');
  switch (message['what']) {
    case 'arm': {
      const exclusive = message['exclusive'] === true;
      check('arm', acceptor.arm(fds[0]!, { exclusive, slot: Number(message['slot']), rotate: message['rotate'] === true }));
      // A thief that steps aside at once is in no row.
      await until(() => !exclusive || message['aside'] === true || isExclusive(fds[0]!));
      board.set(row, 'state', State.ready);
      break;
    }
    case 'block':
      parent.send({ type: 'blocking' });
      parent.channel.receiveSync(60_000);
      break;
    case 'starve':
      try {
        for (;;) files.push(openSync('/dev/null', 'r'));
      } catch {
        break;
      }
    case 'relieve':
      files.splice(0).forEach((fd) => closeSync(fd));
      break;
    case 'recheck':
      acceptor.recheck();
      break;
    case 'unattended':
      check('setUnattended', acceptor.setUnattended(message['slots'] as number[], message['owners'] as number[]));
      break;
    case 'close':
      acceptor.close(false);
      break;
  }
  parent.send({ type: 'done' });
}
