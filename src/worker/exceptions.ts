/**
 * Sees the exceptions nobody catches. In the worker.
 *
 * Only looks: printing, handlers of the app's and dying of it stay Node's and the app's. An exception is fatal when no handler takes it; or when
 * the app's handler ends the process before it returns.
 */
export type Origin = 'uncaughtException' | 'unhandledRejection';

export function watchExceptions({ fatal }: { fatal: (thrown: unknown, origin: Origin) => void }): void {
  /** Being handled by the app right now. */
  let handled: { thrown: unknown; origin: Origin } | undefined;
  process.on('uncaughtExceptionMonitor', (thrown: unknown, origin: Origin) => {
    if (process.listenerCount('uncaughtException') === 0 && !process.hasUncaughtExceptionCaptureCallback()) return fatal(thrown, origin);
    handled = { thrown, origin };
    setImmediate(() => (handled = undefined)).unref();
  });
  process.on('exit', (code) => {
    if (handled !== undefined && code !== 0) fatal(handled.thrown, handled.origin);
  });
}
