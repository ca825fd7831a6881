/**
 * Tells the master that drover itself cannot be started in this process, and why. In the worker.
 *
 * Without the rest of drover's code, which may be what cannot be loaded, and so without the addon, which channels are of: write(2) makes a message of its own of all
 * that is written to one. Imports nothing of ours.
 */
import { writeSync } from 'node:fs';
import type { ErrorCode } from '../errors.js';
import type { WorkerMessage } from '../ipc/messages.js';

/** Of worker-handle.ts. */
const MASTERS_FLAG = '--inspect-publish-uid=http';
/** A message has room for more, and a stack of ours needs less. */
const MAX_CHARACTERS = 8 * 1024;

/** What to exit with, as the master knows why; undefined: it could not be told. */
export function tellNoStart(channelFd: number, thrown: unknown): number | undefined {
  const { exitCode, ...error } = explain(thrown);
  const message: WorkerMessage = { type: 'boot-failed', ...error };
  try {
    writeSync(channelFd, JSON.stringify(message));
  } catch {
    return undefined;
  }
  return exitCode;
}

function remedyOf(thrown: unknown): string {
  if ((thrown as NodeJS.ErrnoException | null)?.code === 'ERR_ACCESS_DENIED') return 'Node is to have --allow-fs-read=* and --allow-addons beside its permission flag; for workers: --node-args="--allow-fs-read=* --allow-addons".';
  const given = [...process.execArgv.filter((arg) => arg !== MASTERS_FLAG), process.env['NODE_OPTIONS'] ?? ''].join(' ').trim();
  const look = given === '' ? '' : ` look at what node was given by --node-args and NODE_OPTIONS (${given}): without that`;
  return `The app has not run. Install drover again if its own files are not complete; else${look} this is a bug in drover: please report it.`;
}

type NoStart = Omit<Extract<WorkerMessage, { type: 'boot-failed' }>, 'type'> & { code: ErrorCode; exitCode: number };

function explain(thrown: unknown): NoStart {
  // By its name: its class is in what may not be there.
  if (thrown instanceof Error && thrown.name === 'DroverError') {
    const { code, message, remedy, exitCode } = thrown as unknown as NoStart;
    return { code, message, ...(remedy === undefined ? {} : { remedy }), exitCode };
  }
  const { message, stack = message } = thrown instanceof Error ? thrown : new Error(String(thrown));
  return {
    code: 'ERR_DROVER_SYSTEM',
    message: `drover cannot be started in the worker: ${message.split('\n', 1)[0]!}`.slice(0, MAX_CHARACTERS),
    remedy: remedyOf(thrown),
    stack: stack.slice(0, MAX_CHARACTERS),
    exitCode: 1,
  };
}
