/**
 * Signals in a worker. They are the master's business: a terminal's Ctrl-C and systemd's control-group kill reach every process of the group.
 *
 * INT, QUIT and HUP do nothing of ours (but no longer end the process); listeners of the app's run as ever. TERM starts our drain first,
 * and the app's own TERM listeners run when that is done, by `runAppTermListeners`: an app that answers TERM with process.exit() would
 * else cut off its requests.
 */
import { constants } from 'node:os';
import { native } from '../native.js';

/** Call before the app is loaded. */
export function takeSignals(onTerm: () => void): void {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {});
  // A terminal that is closed sends it; what the app writes on its way out has to go somewhere.
  process.on('SIGHUP', () => void native.leaveTerminal());

  // Node binds what process.emit is now to the signal when its first listener is added. So this one alone hears the signal itself.
  const emit = process.emit;
  process.emit = function (this: NodeJS.Process, ...args: unknown[]): boolean {
    if (args[0] !== 'SIGTERM') return Reflect.apply(emit, this, args) as boolean;
    if (isSelfSent && !appListensToTerm()) onSelfSent();
    else onTerm();
    return true;
  } as typeof process.emit;
  process.on('SIGTERM', ours);
  process.emit = emit;
}

function ours(): void {}

/** The app has sent itself TERM since it was told to end. */
let isSelfSent = false;
let onSelfSent: () => void = () => {};

/** Whether the app has listeners of its own for TERM. */
export function appListensToTerm(): boolean {
  return process.listeners('SIGTERM').some((listener) => listener !== ours);
}

/**
 * Once. `selfSent`: the app has taken its listeners away and sent itself the signal that would end it under plain Node. Nest does so, and signal-exit, but that only
 * where nobody else listens: so ours goes, and comes back with the app's last one gone, before Node gives the signal its default action.
 */
export function runAppTermListeners(selfSent: () => void): void {
  onSelfSent = selfSent;
  const { kill } = process;
  process.kill = (pid, signal = 'SIGTERM') => {
    isSelfSent ||= pid === process.pid && (signal === 'SIGTERM' || signal === constants.signals.SIGTERM);
    return kill.call(process, pid, signal);
  };
  (process as NodeJS.EventEmitter).prependListener('removeListener', (event: string | symbol) => {
    if (event === 'SIGTERM' && process.listenerCount('SIGTERM') === 0) process.on('SIGTERM', ours);
  });
  process.removeListener('SIGTERM', ours);
  try {
    process.emit('SIGTERM', 'SIGTERM');
  } catch (thrown) {
    // An uncaught exception, as of any signal's listener; of our callers some are async, and it would be a rejection.
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
