import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { DroverError } from '../../src/errors.js';
import { BootTime } from '../../src/worker/boot-time.js';

/** Its timers keep no process alive. */
const alive = setInterval(() => undefined, 60_000);
test.after.always(() => clearInterval(alive));

const late = (): DroverError => new DroverError('ERR_DROVER_BOOT_TIMEOUT', 'late');
const never = new Promise<void>(() => undefined);

/** A time-out that is so many moments before its end so many milliseconds from now: one moment is a tenth of it, at least 250 ms, at most 2 s. */
function withMomentIn(ms: number, moments = 1): number {
  const at = performance.now() + ms;
  return Math.min(Math.max(at + moments * 250, at / (1 - moments / 10)), at + moments * 2_000);
}

function until(timeoutMs: number): { bootTime: BootTime; failed: Promise<DroverError>; errors: DroverError[] } {
  const errors: DroverError[] = [];
  let bootTime!: BootTime;
  const failed = new Promise<DroverError>((resolve) => {
    bootTime = new BootTime(timeoutMs, (error) => {
      errors.push(error);
      resolve(error);
    });
  });
  return { bootTime, failed, errors };
}

/** Stays away as SIGSTOP has it: nothing runs. */
function beAway(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test.serial('shortly before the end it fails with what is waited for', async (t) => {
  const { bootTime, failed, errors } = until(withMomentIn(50));
  const error = late();
  bootTime.shortlyBeforeEnd(() => error);
  t.is(await failed, error);
  t.deepEqual(errors, [error]);
});

test.serial('nothing is waited for any more: it goes on', async (t) => {
  const { bootTime, errors } = until(withMomentIn(50));
  await new Promise<void>((asked) => {
    bootTime.shortlyBeforeEnd(() => {
      asked();
      return undefined;
    });
  });
  await turn();
  t.deepEqual(errors, []);
});

test.serial('called off it does not ask', async (t) => {
  const timeoutMs = withMomentIn(50);
  const [first, second] = [until(timeoutMs), until(timeoutMs + 20)];
  const callOff = first.bootTime.shortlyBeforeEnd(late);
  second.bootTime.shortlyBeforeEnd(late);
  callOff();
  await second.failed;
  t.deepEqual(first.errors, []);
});

test.serial('a process that was away is given the time once more', async (t) => {
  const { bootTime, failed, errors } = until(withMomentIn(1_000));
  bootTime.shortlyBeforeEnd(late);
  beAway(2_500);
  // The timers that were due have run.
  await turn();
  await turn();
  t.deepEqual(errors, []);
  t.is((await failed).message, 'late');
});

test.serial('what drover itself waits for is named', async (t) => {
  const { bootTime, failed } = until(withMomentIn(100, 2));
  void bootTime.bound(never, () => 'hook postSpawn of ./drover.config.mjs');
  const { code, message, remedy } = await failed;
  t.is(code, 'ERR_DROVER_BOOT_TIMEOUT');
  t.regex(message, /^hook postSpawn of \.\/drover\.config\.mjs was not done within [\d.]+ ms \(--boot-timeout\)$/);
  t.regex(remedy!, /--boot-timeout/);
});

test.serial('what is done in time, or fails by itself, is not', async (t) => {
  const timeoutMs = withMomentIn(100, 2);
  const [first, second] = [until(timeoutMs), until(timeoutMs + 20)];
  await first.bootTime.bound(Promise.resolve(), () => 'first');
  const error = new Error('of its own');
  t.is(await t.throwsAsync(first.bootTime.bound(Promise.reject(error), () => 'first')), error);
  second.bootTime.shortlyBeforeEnd(late);
  await second.failed;
  t.deepEqual(first.errors, []);
});

test.serial('what begins in the last moments is waited for, and not blamed', async (t) => {
  // Due at once, if it were watched.
  const { bootTime, errors } = until(withMomentIn(1));
  let done!: () => void;
  const waited = bootTime.bound(new Promise<void>((resolve) => (done = resolve)), () => 'hook');
  const { bootTime: other, failed } = until(withMomentIn(20));
  other.shortlyBeforeEnd(late);
  await failed;
  t.deepEqual(errors, []);
  done();
  await t.notThrowsAsync(waited);
});
