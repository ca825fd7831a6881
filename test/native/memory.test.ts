import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { check, native } from '../../src/native.js';
import { EBADF, EINVAL, flags, until } from './support.js';

test('two mappings show the same bytes, zeroed at first', (t) => {
  const fd = check('memfd_create', native.createMemory('drover-test', 8192));
  t.teardown(() => closeSync(fd));
  t.true(flags(fd).closeOnExec);
  const one = new Uint8Array(check('mmap', native.mapMemory(fd)));
  const other = new Uint8Array(check('mmap', native.mapMemory(fd)));
  t.is(one.length, 8192);
  t.true(one.every((byte) => byte === 0));
  one[8191] = 7;
  t.is(other[8191], 7);
});

test('nobody can resize it', (t) => {
  const fd = check('memfd_create', native.createMemory('drover-test', 4096));
  t.teardown(() => closeSync(fd));
  t.throws(() => ftruncateSync(fd, 0), { code: 'EPERM' });
  t.throws(() => ftruncateSync(fd, 8192), { code: 'EPERM' });
});

test('one of no size is a file: it grows, and is cut', (t) => {
  const fd = check('memfd_create', native.createMemory('drover-test', 0));
  t.teardown(() => closeSync(fd));
  t.true(flags(fd).closeOnExec);
  ftruncateSync(fd, 8192);
  ftruncateSync(fd, 0);
  t.is(native.mapMemory(fd), EINVAL);
});

test('a mapping outlives its descriptor and goes with its buffer', async (t) => {
  const name = `drover-gone-${process.pid}`;
  const mapped = () => readFileSync('/proc/self/maps', 'utf8').includes(name);
  (() => {
    const fd = check('memfd_create', native.createMemory(name, 4096));
    const bytes = new Uint8Array(check('mmap', native.mapMemory(fd)));
    closeSync(fd);
    bytes[0] = 1;
    t.true(mapped());
  })();
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  await until(() => {
    gc();
    return !mapped();
  });
  t.false(mapped());
});

test('refusals are -errno', (t) => {
  t.is(native.createMemory('x', -1), EINVAL);
  t.is(native.createMemory('x'.repeat(300), 1), EINVAL, 'memfd_create limits names');
  t.is(native.mapMemory(-1), EBADF);
  const folder = mkdtempSync(join(tmpdir(), 'drover-memory-'));
  const empty = openSync(join(folder, 'empty'), 'w+');
  t.teardown(() => {
    closeSync(empty);
    rmSync(folder, { recursive: true });
  });
  t.is(native.mapMemory(empty), EINVAL);
});
