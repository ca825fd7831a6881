import test from 'ava';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMIT_BYTES, LogDestination } from '../../src/log/destination.js';
import { poll, scratch } from '../helpers/drover.js';
import { makeFifo, openReader, readAll } from '../helpers/fifo.js';

/** A line of this length whose parts, read alone, would not pass as one. */
function lineOf(n: number, bytes: number): string {
  return `${`<${n}`.padEnd(bytes - 2, '-')}>\n`;
}

for (const bytes of [100, 10_000]) {
  test(`a FIFO that nobody reads: lines of ${bytes} bytes are kept, then lost and counted where they are missing, and come whole`, async (t) => {
    const fifo = makeFifo(t);
    const reader = openReader(t, fifo);
    const told: number[] = [];
    const log = new LogDestination(fifo, (lines) => {
      told.push(lines);
      log.write(`lost ${lines}\n`);
    });
    const count = Math.ceil((2 * LIMIT_BYTES) / bytes);
    for (let n = 0; n < count; n++) log.write(lineOf(n, bytes));
    t.deepEqual(told, []);
    let text = '';
    await poll('the rest', () => {
      text += readAll(reader);
      return text.includes('lost') ? true : undefined;
    });
    log.write('after\n');
    text += await poll('the last line', () => readAll(reader) || undefined);
      const kept = count - told[0]!;
    t.true(kept * bytes >= LIMIT_BYTES);
    t.deepEqual(text.split('\n'), [...Array.from({ length: kept }, (_, n) => lineOf(n, bytes).trimEnd()), `lost ${told[0]}`, 'after', '']);
    t.is(told.length, 1);
  });
}

test('a FIFO whose reader comes later', async (t) => {
  const fifo = makeFifo(t);
  const log = new LogDestination(fifo, () => t.fail());
  log.write('early\n');
  const reader = openReader(t, fifo);
  t.is(await poll('the line', () => readAll(reader) || undefined), 'early\n');
});

test('a disk that is full: what could not be written is, when there is room', async (t) => {
  const file = join(scratch(t), 'log');
  spawnSync('ln', ['-s', '/dev/full', file]);
  const log = new LogDestination(file, () => t.fail());
  log.write('one\n');
  log.write('two\n');
  spawnSync('rm', [file]);
  log.reopen();
  log.write('three\n');
  t.is(readFileSync(file, 'utf8'), 'one\ntwo\nthree\n');
});

const destination = JSON.stringify(new URL('../../src/log/destination.js', import.meta.url).href);

test('standard error: its description is left as it is, and at the end of the process there is a last attempt', async (t) => {
  const fifo = makeFifo(t);
  const pipe = openSync(fifo, 'r+');
  const reader = openReader(t, fifo);
  const script = `const { LogDestination } = await import(${destination});
const { readFileSync, readSync, writeSync } = await import('node:fs');
const log = new LogDestination(null, () => {});
for (let n = 0; n < 1000; n++) log.write('x'.repeat(99) + '\\n');
writeSync(1, /flags:\\s*(\\d+)/.exec(readFileSync('/proc/self/fdinfo/2', 'utf8'))[1]);
// No timer runs meanwhile.
readSync(0, Buffer.alloc(1));
process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', pipe] });
  const [flags] = (await once(child.stdout!, 'data')) as [Buffer];
  t.is(parseInt(String(flags), 8) & constants.O_NONBLOCK, 0);
  const text = readAll(reader);
  child.stdin!.end('\n');
  await once(child, 'exit');
  t.is(text + readAll(reader), `${'x'.repeat(99)}\n`.repeat(1000));
  closeSync(pipe);
});

test('standard error that is a socket which nobody reads: as a pipe', async (t) => {
  const script = `const { LIMIT_BYTES, LogDestination } = await import(${destination});
const { writeSync } = await import('node:fs');
const waits = setInterval(() => {}, 1e6);
const log = new LogDestination(null, (lines) => {
  log.write('lost ' + lines + '\\n');
  clearInterval(waits);
});
for (let n = 0; n < 10 * LIMIT_BYTES / 100; n++) log.write(('<' + n).padEnd(98, '-') + '>\\n');
writeSync(1, 'done');`;
  // Node's pipes to a child are sockets.
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child.stdout!, 'data');
  let text = '';
  child.stderr!.setEncoding('latin1').on('data', (part: string) => (text += part));
  await once(child, 'close');
  const lines = text.split('\n');
  t.is(lines.pop(), '');
  const lost = Number(/^lost (\d+)$/.exec(lines.pop()!)![1]);
  t.is(lines.length + lost, Math.ceil((10 * LIMIT_BYTES) / 100));
  t.deepEqual(lines, lines.map((_, n) => lineOf(n, 100).trimEnd()));
});
