/** Starts what has a thread of its own where no thread can be had (RLIMIT_NPROC, which does not hold for root). Exits 0 when each says so, and says it again. */
import { execFileSync } from 'node:child_process';
import { createBoard } from '../../../src/ipc/board-memory.js';
import { check, native } from '../../../src/native.js';

const EAGAIN = -11;
const { board } = createBoard();
const file = check('memfd_create', native.createMemory('heartbeat', 4096));
if (process.getuid!() === 0) {
  process.setgid!(65534);
  process.setuid!(65534);
}
execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1']);
const conductor = new native.Conductor(board.buffer, 20, 0);
const beats = (parentPid: number): number => native.startHeartbeat(file, 1000, 1000, parentPid, 1000, 0);
// Twice: what did not start is as it was before, the heartbeat's file the caller's.
const said = [conductor.start(), conductor.start(), beats(0), beats(0), beats(process.ppid), beats(process.ppid)];
conductor.stop();
if (said.every((status) => status === EAGAIN)) process.exit(0);
console.error(said);
process.exit(1);
