/**
 * Sees the exceptions nobody catches. In the worker.
 *
 * Only looks: printing, handlers of the app's and dying of it stay Node's and the app's. An exception is fatal when no handler takes it; or when
 * the app's handler ends the process: before it returns, or a while later, as those do that report it first (Sentry) or close what is open.
 */
export type Origin = 'uncaughtException' | 'unhandledRejection';

/** A process that lives that much longer has survived it. */
const SURVIVED_MS = 30_000;

/** `agoMs`: how long ago the app's handler has taken it; 0: the process dies of it at once. */
export function watchExceptions({ fatal }: { fatal: (thrown: unknown, origin: Origin, agoMs: number) => void }): void {
  /** The last one that a handler of the app's has taken. */
  let taken: { thrown: unknown; origin: Origin; at: number; returned: boolean } | undefined;
  process.on('uncaughtExceptionMonitor', (thrown: unknown, origin: Origin) => {
    if (process.listenerCount('uncaughtException') === 0 && !process.hasUncaughtExceptionCaptureCallback()) {
      taken = undefined;
      return fatal(thrown, origin, 0);
    }
    const last = { thrown, origin, at: performance.now(), returned: false };
    taken = last;
    setImmediate(() => (last.returned = true)).unref();
    setTimeout(() => {
      if (taken === last) taken = undefined;
    }, SURVIVED_MS).unref();
  });
  process.on('exit', (code) => {
    if (taken === undefined || code === 0) return;
    fatal(taken.thrown, taken.origin, taken.returned ? Math.max(Math.round(performance.now() - taken.at), 1) : 0);
  });
}
