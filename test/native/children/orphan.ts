/** Beats on a disk that hangs and then blocks its loop for good: only the watch for its parent can end it. */
import { writeSync } from 'node:fs';
import { check, native } from '../../../src/native.js';

const file = check('memfd_create', native.createMemory('beat', 1));
check('startHeartbeat', native.startHeartbeat(file, 5, 5, process.ppid, 500, 7));
setTimeout(() => {
  writeSync(1, 'ready\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}, 20);
