import test from 'ava';
import { draw } from '../../bench/chart.js';
import { summarize } from '../../bench/statistics.js';
import { cellTable } from '../../bench/table.js';

const cells = [
  { rival: 'a', condition: '2 workers', metrics: { cpu: summarize([10, 20, 30]) } },
  { rival: 'b', condition: '2 workers', metrics: { cpu: summarize([40]) } },
  { rival: 'a', condition: '4 workers', metrics: { cpu: summarize([15]) } },
];
const series = (rival: string): { title: string; kind: string } => ({ title: `<${rival}> & co`, kind: 'node' });

test('bars: one per cell, as long as its median, titles escaped', (t) => {
  const svg = draw({ metric: 'cpu', title: 'CPU', shape: 'bars' }, cells, series)!;
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map((match) => Number(match[1]));
  t.is(widths.length, 3);
  t.is(widths[1], widths[0]! * 2);
  t.true(svg.includes('&lt;a&gt; &amp; co'));
  t.false(svg.includes('<a>'));
  t.is(svg.match(/class="range"/g)?.length, 1, 'a range only where there were several rounds');
});

test('lines: one per rival, a label per condition', (t) => {
  const svg = draw({ metric: 'cpu', title: 'CPU', shape: 'lines' }, cells, series)!;
  t.is(svg.match(/class="line node"/g)?.length, 2);
  t.true(svg.includes('2 workers') && svg.includes('4 workers'));
});

test('nothing measured, nothing drawn', (t) => {
  t.is(draw({ metric: 'memory', title: '', shape: 'bars' }, cells, series), undefined);
  t.is(draw({ metric: 'cpu', title: '', shape: 'bars' }, [{ rival: 'a', condition: '', metrics: { cpu: summarize([NaN]) } }], series), undefined);
});

test('tables: a range beside the median only where it says something', (t) => {
  const lines = cellTable(cells, [{ metric: 'cpu', label: 'CPU µs', digits: 0 }, { metric: 'none', label: 'none', digits: 0 }], (name) => name.toUpperCase()).split('\n');
  t.regex(lines[0]!, /^\| server +\| condition +\| +CPU µs \| +none \|$/);
  t.regex(lines[2]!, /^\| A +\| 2 workers \| +20 \(10…30\) \| +\|$/);
  t.regex(lines[3]!, /^\| B +\| 2 workers \| +40 \|/);
});
