import test from 'ava';
import { explainSpawnFailure } from '../../src/master/spawn-failure.js';

const explain = (code: string): { what: string; remedy: string | undefined } => explainSpawnFailure(Object.assign(new Error(`spawn node ${code}`), { code }), () => 56);

test('what the system grants no more of, and what to raise', (t) => {
  for (const [code, what, remedy] of [
    ['EAGAIN', /no more processes/, /ulimit -u, .*LimitNPROC=.*pids\.max.*TasksMax=/],
    ['ENOMEM', /no memory/, /fewer workers.*overcommit/],
    ['EMFILE', /\b56 open files/, /ulimit -Hn, .*LimitNOFILE=/],
    ['ENFILE', /whole machine/, /fs\.file-max/],
  ] as const) {
    const failure = explain(code);
    t.regex(failure.what, what);
    t.true(failure.what.endsWith(`(${code})`));
    t.regex(failure.remedy!, remedy);
  }
});

test('any other error speaks for itself', (t) => {
  t.deepEqual(explain('EPERM'), { what: 'spawn node EPERM', remedy: undefined });
});
