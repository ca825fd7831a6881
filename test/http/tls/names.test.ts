import test from 'ava';
import { certificateFor } from '../../../src/http/tls/names.js';

const names = { 'a.example': 1, '*.example': 1, '*.b.example': 1, localhost: 1 };

const cases: [string, string | undefined][] = [
  ['a.example', 'a.example'],
  ['A.Example', 'a.example'],
  ['a.example.', 'a.example'],
  ['c.example', '*.example'],
  ['x.b.example', '*.b.example'],
  ['b.example', '*.example'],
  ['x.y.b.example', undefined],
  ['example', undefined],
  ['localhost', 'localhost'],
  ['other.test', undefined],
  ['', undefined],
  ['.example', undefined],
  ['constructor', undefined],
];

for (const [name, certificate] of cases) {
  test(`${JSON.stringify(name)} gets ${certificate ?? 'the default'}`, (t) => {
    t.is(certificateFor(name, names), certificate);
  });
}
