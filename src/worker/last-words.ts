/**
 * What a worker says about its own death, so that the master need not guess: a boot that failed, an exception nobody caught. In the worker.
 *
 * Sent synchronously: there is no next turn of the loop. Bounded: a stack may be any text.
 */
import type { Channel } from '../ipc/channel.js';
import type { MasterMessage, WorkerMessage } from '../ipc/messages.js';
import type { BootError } from './boot-error.js';

const LIMIT_BYTES = 32 * 1024;
const SEND_TIMEOUT_MS = 1_000;

export type MasterChannel = Channel<MasterMessage, WorkerMessage>;

export function sendBootFailed(channel: MasterChannel, { code, message, remedy, stack }: BootError): void {
  channel.sendSync(
    { type: 'boot-failed', code, message: cut(message), ...(remedy === undefined ? {} : { remedy: cut(remedy) }), ...(stack === undefined ? {} : { stack: cut(stack) }) },
    SEND_TIMEOUT_MS,
  );
}

export function sendFatal(channel: MasterChannel, thrown: unknown, origin: 'uncaughtException' | 'unhandledRejection', agoMs: number): void {
  channel.sendSync({ type: 'fatal', origin, agoMs, message: cut(messageOf(thrown)), stack: cut(stackOf(thrown)) }, SEND_TIMEOUT_MS);
}

export function messageOf(thrown: unknown): string {
  return attempt(() => (thrown instanceof Error ? thrown.message : String(thrown)));
}

export function stackOf(thrown: unknown): string {
  return attempt(() => (thrown instanceof Error && typeof thrown.stack === 'string' ? thrown.stack : messageOf(thrown)));
}

/** Thrown values are the app's: a getter or a toString of theirs may throw in its turn. */
function attempt(read: () => string): string {
  try {
    return String(read());
  } catch {
    return 'a value that cannot be printed';
  }
}

/** At most LIMIT_BYTES of UTF-8. */
function cut(text: string): string {
  if (text.length * 3 <= LIMIT_BYTES) return text;
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length <= LIMIT_BYTES ? text : `${bytes.toString('utf8', 0, LIMIT_BYTES - 8)} …`;
}
