import test from 'ava';
import { ftruncateSync, writeSync } from 'node:fs';
import { readCompiled } from '../../src/ipc/compiled-code.js';
import { CompiledCode } from '../../src/master/compiled-code.js';
import { WORKER_CODE } from '../../src/master/worker-code.js';

test('it is compiled once the first worker has been started, for all', async (t) => {
  const code = new CompiledCode([]);
  const fd = code.forWorker([], {})!;
  t.is(readCompiled(fd, WORKER_CODE), undefined, 'the first is not kept by it');
  await new Promise((resolve) => setImmediate(resolve));
  t.is((readCompiled(fd, WORKER_CODE) as { cachedDataRejected?: boolean } | undefined)?.cachedDataRejected, false);
  t.is(code.forWorker([], {}), fd);
  t.throws(() => writeSync(fd, 'x', 8), { code: 'EPERM' });
  t.throws(() => ftruncateSync(fd, 0), { code: 'EPERM' });
});

test("not for a Node of other flags than the master's, or with modules that come first", (t) => {
  const code = new CompiledCode([]);
  t.is(code.forWorker(['--max-old-space-size=100'], {}), undefined);
  t.is(new CompiledCode(['--max-old-space-size=100']).forWorker([], {}), undefined);
  for (const name of ['NODE_OPTIONS', 'NODE_PRESERVE_SYMLINKS', 'NODE_PRESERVE_SYMLINKS_MAIN']) t.is(code.forWorker([], { [name]: '1' }), undefined, name);
});
