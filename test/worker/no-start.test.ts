/** What the master is told where drover cannot be started in a worker. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { DroverError, EXIT_CODES } from '../../src/errors.js';
import { tellNoStart } from '../../src/worker/no-start.js';

function told(t: ExecutionContext, thrown: unknown): { exitCode: number | undefined; message: Record<string, unknown> } {
  const folder = mkdtempSync(join(tmpdir(), 'drover-no-start-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const fd = openSync(join(folder, 'channel'), 'w+');
  const exitCode = tellNoStart(fd, thrown);
  closeSync(fd);
  return { exitCode, message: JSON.parse(readFileSync(join(folder, 'channel'), 'utf8')) as Record<string, unknown> };
}

test.serial('what drover itself has found out', (t) => {
  const { exitCode, message } = told(t, new DroverError('ERR_DROVER_ADDON', 'the addon cannot be loaded', 'Install it.'));
  t.is(exitCode, EXIT_CODES.unfit.code);
  t.deepEqual(message, { type: 'boot-failed', code: 'ERR_DROVER_ADDON', message: 'the addon cannot be loaded', remedy: 'Install it.' });
});

test.serial('anything else: what node was given is named, as it may be why', (t) => {
  const before = process.env['NODE_OPTIONS'];
  t.teardown(() => {
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
  });
  process.env['NODE_OPTIONS'] = '-r ./mock.cjs';
  const { exitCode, message } = told(t, new Error('my mock\nof node:net'));
  t.is(exitCode, 1);
  t.like(message, { type: 'boot-failed', code: 'ERR_DROVER_SYSTEM', message: 'drover cannot be started in the worker: my mock' });
  t.regex(String(message['remedy']), /^The app has not run\. Install drover again .*; else look at what node was given .*-r \.\/mock\.cjs\): without that this is a bug/);
  t.regex(String(message['stack']), /^Error: my mock\nof node:net\n +at /);
});

test.serial('what the permission model refuses', (t) => {
  const { message } = told(t, Object.assign(new Error('Access to this API has been restricted'), { code: 'ERR_ACCESS_DENIED' }));
  t.regex(String(message['remedy']), /^Node is to have --allow-fs-read=\* and --allow-addons .* --node-args="--allow-fs-read=\* --allow-addons"\.$/);
});

test.serial('nobody to tell', (t) => {
  t.is(tellNoStart(-1, new Error('x')), undefined);
});
