/** Waiting for a promise of the user's, which need not settle. Rank 1. */

/** Something keeps the process, so that it may settle yet: a person should know what is waited for. */
const LONG_MS = 5_000;

/**
 * The value of a promise. Rejects with what `unsettled` makes of a reason, for people, where the promise will not settle, as the process has nothing
 * left to wait for, or has not after `timeoutMs`. `onLong`: called once, where it takes long.
 */
export function settled<T>(value: T | PromiseLike<T>, unsettled: (why: string) => Error, timeoutMs?: number, onLong?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (why: string): void => {
      done();
      reject(unsettled(why));
    };
    const onIdle = (): void => giveUp('waits for a promise that never settles');
    process.once('beforeExit', onIdle);
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => giveUp(`was not done after ${timeoutMs} ms (--boot-timeout)`), timeoutMs);
    // Not what keeps the process: that there is nothing else is to be seen.
    const longTimer = onLong === undefined ? undefined : setTimeout(onLong, LONG_MS).unref();
    const done = (): void => {
      clearTimeout(longTimer);
      process.off('beforeExit', onIdle);
      clearTimeout(timer);
    };
    Promise.resolve(value).finally(done).then(resolve, reject);
  });
}
