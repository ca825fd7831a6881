/**
 * A worker reduced to its acceptor. `arm` brings board and socket; each connection is answered with our row and closed.
 * `block` stops the event loop until the next message comes.
 */
import { closeSync, writeSync } from 'node:fs';
import { Board, State, rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';
import { isExclusive, until } from '../support.js';
import { parentEnd } from './parent-end.js';

const parent = parentEnd();
const { message, fds } = await parent.next('board');
const row = Number(message['row']);
const board = new Board(check('mmap', native.mapMemory(fds[0]!)));
check('startLoopStamp', native.startLoopStamp(board.buffer, rowOffset(row)));
const errors: number[] = [];
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
      await until(() => !exclusive || isExclusive(fds[0]!));
      board.set(row, 'state', State.ready);
      break;
    }
    case 'block':
      parent.send({ type: 'blocking' });
      parent.channel.receiveSync(60_000);
      break;
    case 'recheck':
      acceptor.recheck();
      break;
    case 'close':
      acceptor.close(false);
      break;
  }
  parent.send({ type: 'done' });
}
