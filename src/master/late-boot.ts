/** A worker whose --boot-timeout is over: what it was at, which is not always the app. Runs in the master, and in the process of --check-config. */
import type { BootStep } from '../ipc/messages.js';
import { isStopped } from './stack.js';
import type { WorkerHandle } from './worker-handle.js';

/** Nothing of drover's has run in it. */
export const NOT_BEGUN: BootStep = { doing: 'starting node', of: 'start' };
/** It has not said anything yet. */
const STARTING: BootStep = { doing: 'starting up', of: 'start' };

/** What to do, by whose doing it was. */
export const LATE_REMEDIES: Readonly<Record<BootStep['of'], string>> = {
  start: 'It had not come to the app: look at what --node-args and NODE_OPTIONS make node load first, and at how busy the machine is, or raise --boot-timeout.',
  config: 'It is not the app: look at what that does in a worker, or raise --boot-timeout.',
  app: 'A worker is ready when its app has loaded and, for a script, listens. Raise --boot-timeout, or look for what the app waits for.',
  stop: 'It need not be the app: look for who sends its process SIGSTOP. It goes on with kill -CONT PID, if that comes before --boot-timeout is over.',
};

/** `begun`: drover's own code has, in it. */
export function killLate(worker: WorkerHandle, begun: boolean): void {
  worker.bootStep ??= begun ? STARTING : NOT_BEGUN;
  if (isStopped(worker.pid)) worker.bootStep = { doing: `stopped (SIGSTOP), as it was ${worker.bootStep.doing}`, of: 'stop' };
  worker.kill('SIGKILL', 'boot-timeout', `it was not ready after ${worker.loaded.config.bootTimeoutMs} ms (--boot-timeout): it was still ${worker.bootStep.doing}`);
}
