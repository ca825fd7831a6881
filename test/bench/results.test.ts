import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { judge } from '../../bench/claims.js';
import { machine, newest, save, type TrialResult } from '../../bench/results.js';
import { summarize } from '../../bench/statistics.js';

const result = (date: string, ...samples: number[]): TrialResult => ({
  name: 'trial', mode: 'quick', date, seconds: 1, machine: machine(), rivals: {}, absent: {}, cells: [{ rival: 'ours', condition: '', metrics: { cpu: summarize(samples) } }],
});

test('what was no number is none when it is read again, so that no claim holds by it', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'drover-results-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  save(join(dir, 'old.json'), result('2026-01-01', 1, 2));
  save(join(dir, 'new.json'), result('2026-01-02', 3, NaN));
  const { file, result: read } = newest(dir).get('trial')!;
  t.is(file, 'new.json');
  t.deepEqual(read.cells[0]!.metrics['cpu']!.samples, [3, NaN]);
  t.is(judge({ metric: 'cpu', subject: 'ours', op: '<=', target: 5, because: '' }, read.cells).verdict, 'behind');
});
