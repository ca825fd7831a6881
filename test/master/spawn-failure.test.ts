import test from 'ava';
import { explainSpawnFailure, type SpawnFailure } from '../../src/master/spawn-failure.js';

const explain = (code: string, ...there: string[]): SpawnFailure =>
  explainSpawnFailure(Object.assign(new Error(`spawn node ${code}`), { code }), { limit: () => 56, directory: '/srv/app', program: '/bin/node', isThere: (path) => there.includes(path) });

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

test('what is gone since drover was started', (t) => {
  t.regex(explain('ENOENT', '/bin/node').what, /^the working directory \/srv\/app is gone \(ENOENT\)$/);
  t.regex(explain('ENOENT', '/srv/app').what, /^\/bin\/node, the Node that drover runs under, is gone \(ENOENT\)$/);
  t.deepEqual(explain('ENOENT', '/srv/app', '/bin/node'), { what: 'spawn node ENOENT', remedy: undefined });
});
