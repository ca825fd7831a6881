import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { formatFrames, loopbackListeners, stackOf } from '../../src/master/stack.js';

test('frames are printed as Node prints them', (t) => {
  const at = (scriptId: string, functionName: string, lineNumber: number, columnNumber: number) => ({ functionName, location: { scriptId, lineNumber, columnNumber } });
  const urls = new Map([
    ['1', 'file:///srv/my%20app/a.js'],
    ['2', 'node:events'],
    ['3', '/srv/b.cjs'],
  ]);
  t.is(
    formatFrames([at('1', 'spin', 0, 4), at('2', 'emit', 517, 27), at('3', '', 9, 0), at('4', 'f', 0, 0)], urls),
    ['    at spin (/srv/my app/a.js:1:5)', '    at emit (node:events:518:28)', '    at /srv/b.cjs:10:1', '    at f (<anonymous>:1:1)'].join('\n'),
  );
});

test('listening sockets of IPv4 loopback, by inode', (t) => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:A0AA 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
`;
  t.deepEqual([...loopbackListeners(table)], [['111', 8080]]);
});

/** A node process that says on stdout when it is about to do what its last line does. */
async function subject(t: { teardown: (done: () => void) => void }, script: string): Promise<number> {
  const child = spawn(process.execPath, ['--inspect-publish-uid=http', '-e', `process.debugPort = 0; ${script}`], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.teardown(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child.pid!;
}

test('a loop that never ends: its stack', async (t) => {
  const pid = await subject(t, "require('fs').writeSync(1, '.'); (function outer() { (function inner() { for (;;) Math.random(); })(); })()");
  const answer = await stackOf(pid);
  t.true('stack' in answer, JSON.stringify(answer));
  t.regex('stack' in answer ? answer.stack : '', /at inner \(.*\n\s+at outer \(/);
});

test('a loop of a process whose inspector is open already, as with --inspect: its stack', async (t) => {
  const pid = await subject(t, "require('inspector').open(0, '127.0.0.1'); require('fs').writeSync(1, '.'); (function inner() { for (;;) Math.random(); })()");
  const answer = await stackOf(pid);
  t.regex('stack' in answer ? answer.stack : JSON.stringify(answer), /at inner \(/);
});

test('a stopped process: says so', async (t) => {
  const pid = await subject(t, "require('fs').writeSync(1, '.'); process.kill(process.pid, 'SIGSTOP')");
  for (;;) {
    const answer = await stackOf(pid); // until the signal has done its work
    if ('noStack' in answer && answer.noStack.startsWith('the process is stopped')) break;
  }
  t.pass();
});

test('a system call that does not return: says where', async (t) => {
  const pid = await subject(t, "require('fs').writeSync(1, '.'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)");
  const answer = await stackOf(pid);
  // The inspector answers when it gets the chance; a wait of JavaScript's own is interrupted for it by some versions of V8.
  t.true('stack' in answer || /native code/.test(answer.noStack), JSON.stringify(answer));
});

test('a process that is gone', async (t) => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  await once(child, 'exit');
  t.deepEqual(await stackOf(child.pid!), { noStack: 'the process had ended' });
});
