/**
 * The memory of the board: made by the master, mapped by each worker. Rank 2.
 */
import { check, native } from '../native.js';
import { Board, BOARD_BYTES } from './board.js';
import { createSharedMemory } from './refused-by-system.js';

export interface BoardMemory {
  board: Board;
  /** Handed to each worker; owned by the master for its whole life. */
  fd: number;
  /** 0: programs in the kernel can read it (a BPF map). Else why not: -errno of bpf(2), -EPERM without CAP_BPF. */
  kernelReadable: number;
}

/** A BPF array map where the kernel lets us make one, so that steering can read the board; else anonymous memory. */
export function createBoard(): BoardMemory {
  const map = native.createBoardMap(BOARD_BYTES);
  if (map >= 0) return { board: mapBoard(map), fd: map, kernelReadable: 0 };
  const fd = createSharedMemory('board', BOARD_BYTES);
  return { board: mapBoard(fd), fd, kernelReadable: map };
}

export function mapBoard(fd: number): Board {
  return new Board(check('mmap', native.mapMemory(fd, BOARD_BYTES)) as ArrayBuffer);
}
