import test from 'ava';
import { parseRange } from '../../../src/http/files/range.js';

const CASES: [header: string, size: number, expected: [number, number] | 'unsatisfiable' | undefined][] = [
  ['bytes=0-0', 10, [0, 0]],
  ['bytes=0-', 10, [0, 9]],
  ['bytes=2-4', 10, [2, 4]],
  ['bytes=2-99', 10, [2, 9]],
  ['Bytes = 2-4', 10, [2, 4]],
  ['bytes=-3', 10, [7, 9]],
  ['bytes=-99', 10, [0, 9]],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=10-12,99-', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=-5', 0, 'unsatisfiable'],
  ['bytes=99999999999999999999-', 10, 'unsatisfiable'],
  ['bytes=0-99999999999999999999', 10, [0, 9]],
  ['bytes=4-2', 10, undefined],
  ['bytes=-', 10, undefined],
  ['bytes=', 10, undefined],
  ['bytes=a-b', 10, undefined],
  ['bytes=0x1-2', 10, undefined],
  ['bytes=+1-2', 10, undefined],
  ['bytes=1-2-3', 10, undefined],
  ['bytes 1-2', 10, undefined],
  ['lines=1-2', 10, undefined],
  ['', 10, undefined],
  ['bytes=0-1,2-3', 10, [0, 3]],
  ['bytes=4-6,0-5', 10, [0, 6]],
  ['bytes=0-1, 20-30', 10, [0, 1]],
  ['bytes=0-0,5-5', 10, undefined],
  ['bytes=0-1,x', 10, undefined],
  [`bytes=${Array.from({ length: 101 }, () => '0-').join(',')}`, 10, undefined],
];

for (const [header, size, expected] of CASES) {
  test(`${header.slice(0, 40)} of ${size} bytes`, (t) => {
    t.deepEqual(parseRange(header, size), Array.isArray(expected) ? { start: expected[0], end: expected[1] } : expected);
  });
}
