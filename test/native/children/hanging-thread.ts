/** Ends a worker thread whose heartbeat hangs in its file system, then ends itself. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const worker = new Worker(new URL('thread.js', import.meta.url), { workerData: { how: 'terminate' }, trackUnmanagedFds: false });
await once(worker, 'message');
// The first beat is due at once: by now the thread is in its hour-long fchmod, or will never be.
await new Promise((resolve) => setTimeout(resolve, 20));
await worker.terminate();
