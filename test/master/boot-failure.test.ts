import test from 'ava';
import { DroverError } from '../../src/errors.js';
import { bootErrorCode, reloadRemedy } from '../../src/master/boot-failure.js';
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

test('a reload that has failed: what to do, then HUP', (t) => {
  const mistake = (remedy?: string): DroverError => new DroverError('ERR_DROVER_VALUE', 'wrong', remedy);
  t.is(reloadRemedy(mistake('Did you mean workers?')), 'Did you mean workers? Then send HUP again.');
  t.is(reloadRemedy(mistake('Write --bind ADDRESS')), 'Write --bind ADDRESS. Then send HUP again.');
  t.is(reloadRemedy(mistake()), 'Mend that. Then send HUP again.');
  t.is(reloadRemedy({ what: 'no more', remedy: 'raise the limit' }), 'To go on, raise the limit. Then send HUP again.');
  t.is(reloadRemedy({ what: 'node is gone', remedy: 'start drover again with the Node that is there now' }), 'To go on, start drover again with the Node that is there now.');
  t.is(reloadRemedy(mistake('Put it back and send HUP again, or start drover anew.')), 'Put it back and send HUP again, or start drover anew.');
  t.is(reloadRemedy({ what: 'it has been replaced: stop it and start it again', remedy: undefined }), undefined);
});
