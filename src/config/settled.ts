/** Waiting for a promise of the user's, which need not settle. Rank 1. */

/**
 * The value of a promise. Rejects with what `unsettled` makes of a reason, for people, where the promise will not settle, as the process has nothing
 * left to wait for, or has not after `timeoutMs`.
 */
export function settled<T>(value: T | PromiseLike<T>, unsettled: (why: string) => Error, timeoutMs?: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (why: string): void => {
      done();
      reject(unsettled(why));
    };
    const onIdle = (): void => giveUp('waits for a promise that never settles');
    process.once('beforeExit', onIdle);
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => giveUp(`was not done after ${timeoutMs} ms (--boot-timeout)`), timeoutMs);
    const done = (): void => {
      process.off('beforeExit', onIdle);
      clearTimeout(timer);
    };
    Promise.resolve(value).finally(done).then(resolve, reject);
  });
}
