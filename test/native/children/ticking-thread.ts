/** Threads that end while their conductor is kept ticking from outside, through the very end. */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { State } from '../../../src/ipc/board.js';
import { createBoard } from '../../../src/ipc/board-memory.js';
import { native } from '../../../src/native.js';

const ROUNDS = 20;

if (isMainThread) {
  for (let round = 0; round < ROUNDS; round++) await oneThread();
} else {
  const { board } = createBoard();
  const conductor = new native.Conductor(board.buffer, 20, 0);
  conductor.start();
  // For a tick to have something to read.
  for (let row = 0; row < 512; row++) board.set(row, 'state', State.ready);
  parentPort!.postMessage(conductor.wakeFd());
  const endOnceTicking = (): void => void (conductor.ticks() > 100 ? process.exit() : setImmediate(endOnceTicking));
  endOnceTicking();
}

async function oneThread(): Promise<void> {
  const thread = new Worker(fileURLToPath(import.meta.url), { trackUnmanagedFds: false });
  let ended = false;
  thread.once('exit', () => (ended = true));
  const [wakeFd] = (await once(thread, 'message')) as [number];
  const one = new BigUint64Array([1n]);
  while (!ended) {
    try {
      for (let i = 0; i < 1000; i++) writeSync(wakeFd, one);
    } catch (error) {
      // The conductor is gone, and its descriptor with it.
      if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw error;
    }
    await new Promise(setImmediate);
  }
}
