import { constants } from 'node:os';
import test from 'ava';
import { memoryRefused, threadRefused } from '../../src/ipc/refused-by-system.js';

const { EAGAIN, EFBIG, EMFILE, ENOSYS, EPERM } = constants.errno;

test('shared memory that is refused is told with what to allow', (t) => {
  for (const errno of [EPERM, ENOSYS]) {
    const refusal = memoryRefused(-errno)!;
    t.like(refusal, { code: 'ERR_DROVER_SYSTEM', exitCode: 9 });
    t.regex(refusal.message, /memfd_create\(2\) \((EPERM|ENOSYS)\)$/);
    t.regex(refusal.remedy!, /seccomp.*SystemCallFilter=/);
  }
  t.regex(memoryRefused(-EFBIG)!.remedy!, /ulimit -f, .*LimitFSIZE=/);
});

test('a thread that is refused is told with what to raise', (t) => {
  t.like(threadRefused(-EAGAIN), { code: 'ERR_DROVER_SYSTEM', exitCode: 9, message: 'the system allows no more threads (EAGAIN)' });
  t.regex(threadRefused(-EAGAIN)!.remedy!, /ulimit -u, .*pids\.max.*threads count/);
});

test('success, and any other error, is no refusal', (t) => {
  for (const result of [0, 7, -EMFILE]) {
    t.is(memoryRefused(result), undefined);
    t.is(threadRefused(result), undefined);
  }
});
