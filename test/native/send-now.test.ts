/** Writing to a socket without waiting, though it is one that blocks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { closeFd, native } from '../../src/native.js';
import { EAGAIN, EBADF, EINVAL, temporaryFolder } from './support.js';

const ENOTSOCK = -88;

test('a socket takes what it has room for, then nothing, and keeps its flags', async (t) => {
  const script = `const { native } = await import(${JSON.stringify(new URL('../../src/native.js', import.meta.url).href)});
const { readFileSync, writeSync } = await import('node:fs');
const flags = () => /flags:\\s*(\\d+)/.exec(readFileSync('/proc/self/fdinfo/2', 'utf8'))[1];
const before = flags();
let last, taken = 0;
while ((last = native.sendNow(2, Buffer.alloc(1000, 'x'))) > 0) taken += last;
writeSync(1, JSON.stringify({ last, taken, before, after: flags() }));`;
  // Node's pipes to a child are sockets, which block as Node 20 makes them; this one is not read.
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const { last, taken, before, after } = JSON.parse(String(text)) as { last: number; taken: number; before: string; after: string };
  t.is(last, EAGAIN);
  t.is(after, before);
  let read = 0;
  child.stderr.on('data', (bytes: Buffer) => (read += bytes.length));
  await once(child, 'close');
  t.is(read, taken);
});

test('what is no socket, no descriptor, no bytes', (t) => {
  const file = openSync(join(temporaryFolder(t), 'file'), 'w');
  t.is(native.sendNow(file, Buffer.from('x')), ENOTSOCK);
  closeFd(file);
  t.is(native.sendNow(-1, Buffer.from('x')), EBADF);
  t.is((native.sendNow as (socket: number, bytes: unknown) => number)(1, 'x'), EINVAL);
});
