/** Ends worker threads as soon as they have started heartbeats that hang in their file system: many at once, so that some end before their heartbeat's thread has run at all. */
import { once } from 'node:events';
import { Worker, isMainThread } from 'node:worker_threads';
import { check, native } from '../../../src/native.js';

if (isMainThread) {
  const workers = Array.from({ length: 32 }, () => new Worker(new URL(import.meta.url), { trackUnmanagedFds: false }));
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
} else {
  const memory = check('memfd_create', native.createMemory('thread', 4096));
  check('startHeartbeat', native.startHeartbeat(memory, 2, 1000, process.ppid, 1000, 7));
  process.exit(0);
}
