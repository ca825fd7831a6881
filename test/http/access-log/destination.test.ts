import test from 'ava';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, openSync, closeSync, readFileSync, readSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDestination, type Destination } from '../../../src/http/access-log/destination.js';
import { LogWriter } from '../../../src/http/access-log/writer.js';
import { IS_ROOT, scratch } from '../../helpers/drover.js';

const write = (destination: Destination, text: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const result = destination.write(Buffer.from(text), (error, written) => (error === null ? resolve(written) : reject(error)));
    if (result !== 'later') resolve(result);
  });
const reopen = (destination: Destination): Promise<NodeJS.ErrnoException | null> => new Promise((resolve) => destination.reopen(resolve));

test('a file is appended to, and made with the usual mode', async (t) => {
  const file = join(scratch(t), 'access.log');
  const destination = openDestination(file);
  t.is(statSync(file).mode & 0o777, 0o666 & ~process.umask());
  await write(destination, 'a\n');
  writeFileSync(file, 'b\n', { flag: 'a' });
  destination.writeSync(Buffer.from('c\n'));
  t.is(readFileSync(file, 'utf8'), 'a\nb\nc\n');
});

test('reopened, it goes on in a new file of that name; a write under way ends in the old one', async (t) => {
  const file = join(scratch(t), 'access.log');
  const destination = openDestination(file);
  renameSync(file, `${file}.1`);
  const under = write(destination, 'old\n');
  const opened = reopen(destination);
  await under;
  t.is(await opened, null);
  await write(destination, 'new\n');
  t.is(readFileSync(`${file}.1`, 'utf8'), 'old\n');
  t.is(readFileSync(file, 'utf8'), 'new\n');
});

test('truncated by another (copytruncate), it is written from its new end', async (t) => {
  const file = join(scratch(t), 'access.log');
  const destination = openDestination(file);
  await write(destination, 'old\n');
  writeFileSync(file, '');
  await write(destination, 'new\n');
  t.is(readFileSync(file, 'utf8'), 'new\n');
});

(IS_ROOT ? test.skip : test)('a file that cannot be opened anew leaves the old one in use', async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'access.log');
  const destination = openDestination(file);
  renameSync(file, `${file}.1`);
  chmodSync(dir, 0o500);
  t.is((await reopen(destination))?.code, 'EACCES');
  chmodSync(dir, 0o700);
  await write(destination, 'on\n');
  t.is(readFileSync(`${file}.1`, 'utf8'), 'on\n');
});

test('a full disk is an error, told by the system’s name', async (t) => {
  await t.throwsAsync(async () => write(openDestination('/dev/full'), 'a\n'), { code: 'ENOSPC' });
});

test('a file that cannot be opened is an error of each write, and no other, until it can', async (t) => {
  const dir = join(scratch(t), 'later');
  const file = join(dir, 'access.log');
  const destination = openDestination(file);
  await t.throwsAsync(async () => write(destination, 'lost\n'), { code: 'ENOENT' });
  t.throws(() => destination.writeSync(Buffer.from('lost\n')), { code: 'ENOENT' });
  t.is((await reopen(destination))?.code, 'ENOENT');
  mkdirSync(dir);
  await write(destination, 'a\n');
  t.is(destination.atomicBytes, Infinity);
  t.is(await reopen(destination), null);
  destination.writeSync(Buffer.from('b\n'));
  t.is(readFileSync(file, 'utf8'), 'a\nb\n');
});

test('a FIFO that nobody reads blocks nobody; who reads gets every line whole', async (t) => {
  const fifo = join(scratch(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const events: string[] = [];
  const destination = openDestination(fifo);
  const writer = new LogWriter({ destination, log: (event) => events.push(event) });
  let expected = '';
  for (let i = 0; i < 3000; i++) {
    const line = `${i} ${'x'.repeat(80)}\n`;
    expected += line;
    writer.add(line);
  }
  // Far more than a pipe holds: the writer is at its retries when the reader comes.
  const reader = spawn('head', ['-c', String(expected.length), fifo]);
  let text = '';
  reader.stdout.on('data', (data: Buffer) => (text += data.toString()));
  // The writer's timers hold no process.
  const hold = setInterval(() => {}, 1000);
  await once(reader, 'close');
  clearInterval(hold);
  t.is(text, expected);
  t.deepEqual(events, []);
});

test('a full FIFO is EAGAIN, never a wait', (t) => {
  const fifo = join(scratch(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const destination = openDestination(fifo);
  t.is(destination.atomicBytes, 4096);
  t.throws(
    () => {
      for (let i = 0; i < 100; i++) destination.writeSync(Buffer.alloc(4096, 'x'));
    },
    { code: 'EAGAIN' },
  );
  const fd = openSync(fifo, 'r+');
  readSync(fd, Buffer.alloc(4096));
  closeSync(fd);
  t.is(destination.writeSync(Buffer.alloc(4096, 'x')), 4096);
  t.true(existsSync(fifo));
});
