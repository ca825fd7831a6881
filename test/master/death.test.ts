import test from 'ava';
import { explainDeath, type Death, type Evidence } from '../../src/master/death.js';

const alive: Evidence = {
  code: null,
  signal: null,
  phase: 'ready',
  asked: false,
  killed: undefined,
  spawnFailure: undefined,
  begun: true,
  nodeArgs: [],
  nodeOptions: '',
  bootFailed: undefined,
  fatal: undefined,
  heap: undefined,
  cgroup: undefined,
};
const MB = 2 ** 20;
const cgroup = { dir: '/sys/fs/cgroup/app', oomKilled: false, limit: undefined };
const fatal = { origin: 'uncaughtException', agoMs: 0, message: 'boom', stack: 'Error: boom\n    at f (/app.js:1:1)' } as const;

interface Case {
  is: string;
  evidence: Partial<Evidence>;
  kind: Death['kind'];
  cause: RegExp;
  expected?: true;
}

const cases: Case[] = [
  { is: 'told to stop, exit 0', evidence: { code: 0, asked: true, phase: 'draining' }, kind: 'exit', cause: /^as told, exit code 0$/, expected: true },
  { is: 'told to stop, exit 143, of a program that says so of TERM', evidence: { code: 143, asked: true, phase: 'draining' }, kind: 'exit', cause: /^as told, exit code 143, by which a program says that SIGTERM has ended it$/, expected: true },
  { is: 'exit 143 of its own', evidence: { code: 143, phase: 'ready' }, kind: 'exit', cause: /^it exited by itself with code 143$/ },
  { is: 'told to stop, exit 1', evidence: { code: 1, asked: true, phase: 'draining' }, kind: 'exit', cause: /^exit code 1 while it stopped as told$/ },
  { is: 'exit 0 unasked', evidence: { code: 0 }, kind: 'exit', cause: /exited by itself with code 0$/ },
  { is: 'exit 3 unasked is nothing special', evidence: { code: 3 }, kind: 'exit', cause: /exited by itself with code 3$/ },
  { is: 'exit before ready', evidence: { code: 0, phase: 'starting' }, kind: 'boot', cause: /code 0 before it was ready$/ },
  { is: 'node refuses an option', evidence: { code: 9, phase: 'starting', begun: false, nodeArgs: ['--bogus', '-x'] }, kind: 'boot', cause: /^node did not take its options .*code 9 .*look at --node-args "--bogus -x"$/ },
  { is: 'node refuses NODE_OPTIONS', evidence: { code: 9, phase: 'starting', begun: false, nodeOptions: '--bogus' }, kind: 'boot', cause: /^node did not take its options .*look at NODE_OPTIONS "--bogus"$/ },
  { is: 'node cannot do what comes before the worker', evidence: { code: 1, phase: 'starting', begun: false, nodeArgs: ['-r', './none'], nodeOptions: '-r ./x' }, kind: 'boot', cause: /^node exited with code 1 before the app was begun, and has written why to standard error; it was given --node-args "-r \.\/none" and NODE_OPTIONS "-r \.\/x"$/ },
  { is: 'node ends before the worker, without options', evidence: { code: 1, phase: 'starting', begun: false }, kind: 'boot', cause: /^node exited with code 1 before the app was begun, and has written why to standard error$/ },
  { is: 'what node was told to do first ends it', evidence: { code: 0, phase: 'starting', begun: false, nodeArgs: ['-r', './x'] }, kind: 'boot', cause: /^node exited with code 0 before the app was begun; it was given --node-args "-r \.\/x"$/ },
  { is: 'exit 9 before the worker, without options', evidence: { code: 9, phase: 'starting', begun: false }, kind: 'boot', cause: /^node exited with code 9 before the app was begun, .* to standard error$/ },
  { is: 'an app that ends without a word, under options of node’s', evidence: { code: 3, phase: 'starting', nodeArgs: ['-x'], nodeOptions: '-y' }, kind: 'boot', cause: /^it exited by itself with code 3 before it was ready$/ },
  { is: 'an app that exits with 9', evidence: { code: 9, phase: 'starting', nodeArgs: ['-x'], bootFailed: { message: 'app exited with code 9' } }, kind: 'boot', cause: /^app exited with code 9$/ },
  { is: 'exit 9 of a worker that serves', evidence: { code: 9, nodeArgs: ['-x'] }, kind: 'exit', cause: /by itself with code 9$/ },
  { is: 'boot failed', evidence: { code: 3, phase: 'starting', bootFailed: { message: 'app.js threw', stack: 'S' } }, kind: 'boot', cause: /^app\.js threw$/ },
  { is: 'no process', evidence: { phase: 'starting', spawnFailure: { what: 'no more', remedy: 'more' } }, kind: 'boot', cause: /could not be started: no more$/ },
  { is: 'uncaught', evidence: { code: 1, fatal }, kind: 'uncaught', cause: /^uncaught exception: boom$/ },
  { is: 'uncaught while it drains', evidence: { code: 1, fatal, asked: true, phase: 'draining' }, kind: 'uncaught', cause: /boom/ },
  { is: 'rejection', evidence: { code: 1, fatal: { ...fatal, origin: 'unhandledRejection' } }, kind: 'uncaught', cause: /^unhandled rejection: boom$/ },
  { is: 'of an exception, by the app’s handler, later', evidence: { code: 1, fatal: { ...fatal, agoMs: 35 } }, kind: 'uncaught', cause: /^it exited by itself with code 1, 35 ms after the app's handler took an uncaught exception: boom$/ },
  { is: 'as told, some time after an exception that it has survived', evidence: { code: 143, asked: true, phase: 'draining', fatal: { ...fatal, agoMs: 35 } }, kind: 'exit', cause: /^as told/, expected: true },
  {
    is: 'out of memory, limit of an ancestor',
    evidence: { signal: 'SIGKILL', cgroup: { ...cgroup, oomKilled: true, limit: { bytes: 64 * MB, dir: '/sys/fs/cgroup' } } },
    kind: 'out-of-memory',
    cause: /^out of memory: the kernel killed it \(limit 64 MiB of cgroup \/sys\/fs\/cgroup\)$/,
  },
  { is: 'out of memory, no limit', evidence: { signal: 'SIGKILL', cgroup: { ...cgroup, oomKilled: true } }, kind: 'out-of-memory', cause: /\(no limit of cgroup \/sys\/fs\/cgroup\/app or of those above it .* was met: the machine's memory was exhausted, / },
  { is: 'KILL of somebody else', evidence: { signal: 'SIGKILL', cgroup }, kind: 'signal', cause: /^ended by SIGKILL, which drover did not send; .* counter of cgroup \/sys\/fs\/cgroup\/app did not move$/ },
  { is: 'KILL, no counter', evidence: { signal: 'SIGKILL' }, kind: 'signal', cause: /no counter to read$/ },
  { is: 'SEGV', evidence: { signal: 'SIGSEGV', cgroup }, kind: 'signal', cause: /^ended by SIGSEGV, which drover did not send$/ },
  { is: 'BUS before the worker', evidence: { signal: 'SIGBUS', phase: 'starting', begun: false }, kind: 'signal', cause: /^ended by SIGBUS, which drover did not send, before the app was begun; .* addon that is damaged, install drover again$/ },
  { is: 'BUS of an app', evidence: { signal: 'SIGBUS', phase: 'starting' }, kind: 'signal', cause: /^ended by SIGBUS, which drover did not send$/ },
  { is: 'heap limit', evidence: { signal: 'SIGABRT', heap: { limitBytes: 52 * MB, stack: undefined } }, kind: 'heap-limit', cause: /^V8's heap limit of 52 MiB was reached/ },
  { is: 'heap limit, ended by SIGTRAP', evidence: { signal: 'SIGTRAP', heap: { limitBytes: undefined, stack: 'S' } }, kind: 'heap-limit', cause: /ended by SIGTRAP/ },
  { is: 'ABRT of a Node that gets no thread', evidence: { signal: 'SIGABRT', phase: 'starting' }, kind: 'signal', cause: /^ended by SIGABRT, .*uv_thread_create.*ulimit -u, .*threads count as well$/ },
  { is: 'ABRT without a report', evidence: { signal: 'SIGABRT' }, kind: 'signal', cause: /^ended by SIGABRT, which drover did not send$/ },
  { is: 'stuck, ABRT was enough', evidence: { signal: 'SIGABRT', killed: { reason: 'stuck', signals: ['SIGABRT'], detail: 'its loop' } }, kind: 'timeout', cause: /^killed by drover \(SIGABRT\): its loop$/ },
  { is: 'stuck, KILL was needed', evidence: { signal: 'SIGKILL', cgroup, killed: { reason: 'stuck', signals: ['SIGABRT', 'SIGKILL'], detail: 'its loop' } }, kind: 'timeout', cause: /\(SIGKILL\)/ },
  { is: 'boot timeout', evidence: { signal: 'SIGKILL', phase: 'starting', killed: { reason: 'boot-timeout', signals: ['SIGKILL'], detail: 'not ready' } }, kind: 'boot', cause: /not ready/ },
  { is: 'boot timeout, and it had just said why', evidence: { signal: 'SIGKILL', phase: 'starting', bootFailed: { message: 'never called listen()' }, killed: { reason: 'boot-timeout', signals: ['SIGKILL'], detail: 'not ready' } }, kind: 'boot', cause: /^never called listen\(\)$/ },
  { is: 'grace exceeded', evidence: { signal: 'SIGKILL', asked: true, phase: 'draining', killed: { reason: 'grace', signals: ['SIGKILL'], detail: 'too slow' } }, kind: 'signal', cause: /killed by drover \(SIGKILL\): too slow/, expected: true },
  { is: 'nonsense on the channel', evidence: { signal: 'SIGKILL', killed: { reason: 'nonsense', signals: ['SIGKILL'], detail: 'it sent x' } }, kind: 'signal', cause: /killed by drover \(SIGKILL\): it sent x/ },
  { is: 'we sent KILL, but SEGV came first', evidence: { signal: 'SIGSEGV', asked: true, killed: { reason: 'grace', signals: ['SIGKILL'], detail: 'too slow' } }, kind: 'signal', cause: /^ended by SIGSEGV, which drover did not send/ },
  { is: 'we sent KILL, but it exited first', evidence: { code: 0, asked: true, killed: { reason: 'grace', signals: ['SIGKILL'], detail: 'too slow' } }, kind: 'exit', cause: /^as told/, expected: true },
];

for (const { is, evidence, kind, cause, expected } of cases) {
  test(is, (t) => {
    const death = explainDeath({ ...alive, ...evidence });
    t.is(death.kind, kind);
    t.regex(death.cause, cause);
    t.is(death.expected, expected ?? false);
    t.notRegex(death.cause, /perhaps|maybe|probably|possibly/i);
  });
}

test('stacks go along', (t) => {
  t.is(explainDeath({ ...alive, code: 1, fatal }).stack, fatal.stack);
  t.is(explainDeath({ ...alive, signal: 'SIGABRT', heap: { limitBytes: 1, stack: 'H' } }).stack, 'H');
  t.is(explainDeath({ ...alive, code: 3, phase: 'starting', bootFailed: { message: 'm', stack: 'B' } }).stack, 'B');
});
