import test, { type ExecutionContext } from 'ava';
import { closeSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseReport, Reports } from '../../src/master/report.js';

const heap = (more: object = {}): string =>
  JSON.stringify({ header: { event: 'Allocation failed - JavaScript heap out of memory', trigger: 'OOMError' }, javascriptHeap: { memoryLimit: 54525952 }, ...more });

function temporary(t: ExecutionContext): string {
  const parent = mkdtempSync(join(tmpdir(), 'drover-reports-'));
  t.teardown(() => rmSync(parent, { recursive: true }));
  return parent;
}

test('a full heap: its limit', (t) => {
  t.deepEqual(parseReport(heap()), { limitBytes: 54525952, stack: undefined });
});

test('a full heap: the stack where there is one', (t) => {
  t.is(parseReport(heap({ javascriptStack: { message: 'No stack.', stack: ['Unavailable.'] } }))?.stack, undefined);
  t.is(parseReport(heap({ javascriptStack: { message: 'Error: x', stack: ['at f (/a.js:1:2)'] } }))?.stack, 'Error: x\n    at f (/a.js:1:2)');
});

test('a report for another reason, or none at all', (t) => {
  t.is(parseReport(JSON.stringify({ header: { event: 'JavaScript API', trigger: 'API' } })), undefined);
  t.is(parseReport('{"header":'), undefined);
  t.is(parseReport('{}'), undefined);
});

test('in memory: a worker writes by the name of its descriptor, and no directory is made', (t) => {
  const parent = temporary(t);
  const reports = new Reports(parent);
  t.is(reports.dir, null);
  t.deepEqual(readdirSync(parent), []);
  const [one, other] = [reports.open()!, reports.open()!];
  for (const text of ['an earlier one, which is cut'.repeat(100), heap()]) writeFileSync(`/proc/self/fd/${one}`, text);
  t.is(reports.take(5, one)?.limitBytes, 54525952);
  t.is(reports.take(6, other), undefined);
  for (const fd of [one, other]) closeSync(fd);
  reports.close();
});

test('without names of descriptors: the directory is private, a report is taken once, and nothing stays', (t) => {
  const reports = new Reports(temporary(t), '/no/such/place');
  t.is(reports.open(), undefined);
  t.is(statSync(reports.dir!).mode & 0o777, 0o700);
  writeFileSync(join(reports.dir!, 'worker-5.json'), heap());
  t.is(reports.take(4, undefined), undefined);
  t.is(reports.take(5, undefined)?.limitBytes, 54525952);
  t.is(reports.take(5, undefined), undefined);
  reports.close();
  t.false(existsSync(reports.dir!));
});

test('neither: no reports, no error', (t) => {
  const reports = new Reports('/proc/no/such/place', '/no/such/place');
  t.is(reports.dir, null);
  t.is(reports.open(), undefined);
  t.is(reports.take(1, undefined), undefined);
  t.notThrows(() => reports.close());
});
