import test from 'ava';
import { writeSync } from 'node:fs';
import { readCompiled, writeCompiled } from '../../src/ipc/compiled-code.js';
import { check, native } from '../../src/native.js';

const SOURCE = Buffer.from('exports.where = __filename; exports.twice = (n) => 2 * n;\n');
type Compiled = NonNullable<ReturnType<typeof readCompiled>> & { cachedDataRejected?: boolean };

function file(): number {
  return check('memfd_create', native.createMemory('test', 0));
}

function exportsOf(run: Compiled): { where: string; twice: (n: number) => number } {
  const exports = {};
  Reflect.apply(run, exports, [exports, undefined, undefined, '/x/worker.cjs', '/x']);
  return exports as ReturnType<typeof exportsOf>;
}

test('what was compiled is taken, and runs as a module does', (t) => {
  const fd = file();
  writeCompiled(fd, SOURCE, '/x/worker.cjs');
  const run = readCompiled(fd, '/x/worker.cjs') as Compiled;
  t.false(run.cachedDataRejected);
  const { where, twice } = exportsOf(run);
  t.is(where, '/x/worker.cjs');
  t.is(twice(21), 42);
  t.truthy(readCompiled(fd, '/x/worker.cjs'), 'each worker reads it from the beginning');
});

test('until all of it is there, there is nothing', (t) => {
  const fd = file();
  t.is(readCompiled(fd, '/x/worker.cjs'), undefined);
  writeSync(fd, SOURCE, 0, SOURCE.length, 8);
  t.is(readCompiled(fd, '/x/worker.cjs'), undefined);
  writeSync(fd, Buffer.from(new Uint32Array([SOURCE.length, 99]).buffer), 0, 8, 0);
  t.is(readCompiled(fd, '/x/worker.cjs'), undefined, 'shorter than it says');
});

test('what V8 refuses is compiled from the source', (t) => {
  const fd = file();
  // One that this process has not compiled: V8 would know it.
  const source = Buffer.concat([Buffer.from('// Another.\n'), SOURCE]);
  writeSync(fd, Buffer.concat([Buffer.from(new Uint32Array([source.length, 99]).buffer), source, Buffer.alloc(99, 0xff)]), 0);
  const run = readCompiled(fd, '/x/worker.cjs') as Compiled;
  t.true(run.cachedDataRejected);
  t.is(exportsOf(run).twice(21), 42);
});
