import test from 'ava';
import { bootErrorCode } from '../../src/master/boot-failure.js';
import type { WorkerMessage } from '../../src/ipc/messages.js';

const timedOut = { reason: 'boot-timeout', signals: ['SIGKILL'], detail: 'not ready' } as const;
const said = (code: string): Extract<WorkerMessage, { type: 'boot-failed' }> => ({ type: 'boot-failed', code, message: 'never called listen()' });

test('what a worker has said goes before what it was killed for meanwhile', (t) => {
  const killed = { ...timedOut, signals: [...timedOut.signals] };
  t.is(bootErrorCode({ killed, bootFailed: said('ERR_DROVER_APP_UNUSABLE') }), 'ERR_DROVER_APP_UNUSABLE');
  t.is(bootErrorCode({ killed: undefined, bootFailed: said('ERR_DROVER_APP_UNUSABLE') }), 'ERR_DROVER_APP_UNUSABLE');
  t.is(bootErrorCode({ killed, bootFailed: undefined }), 'ERR_DROVER_BOOT_TIMEOUT');
});

test('a code that is none of ours is not passed on', (t) => {
  t.is(bootErrorCode({ killed: undefined, bootFailed: said('toString') }), 'ERR_DROVER_WORKER_EXITED');
  t.is(bootErrorCode({ killed: undefined, bootFailed: undefined }), 'ERR_DROVER_WORKER_EXITED');
});
