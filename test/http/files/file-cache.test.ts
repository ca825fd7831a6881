/** The cache sees what changes, keeps to its bounds, and closes what it opened. */
import { mkdirSync, mkdtempSync, readFileSync, readSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CHECK_EVERY_MS, CONTENT_BYTES, COPIED_BYTES, FileCache, type Limits } from '../../../src/http/files/file-cache.js';
import { Root } from '../../../src/http/files/root.js';

const long = 'x'.repeat(CONTENT_BYTES + 1);
const past = new Date(Date.now() - 60_000);

function setUp(t: ExecutionContext, limits?: Limits): { dir: string; cache: FileCache; root: Root; pass: () => void; write: (name: string, text: string) => void } {
  const dir = mkdtempSync(join(tmpdir(), 'drover-cache-'));
  const root = new Root(dir, true);
  let now = 0;
  const cache = new FileCache((path) => [{ root, path: path.slice(1), directory: path.endsWith('/') }], limits, () => now);
  t.teardown(() => {
    cache.clear();
    root.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    dir, cache, root,
    pass: () => (now += CHECK_EVERY_MS),
    write(name, text) {
      writeFileSync(join(dir, name), text);
      utimesSync(join(dir, name), past, past);
    },
  };
}

function open(): number {
  return readdirSync('/proc/self/fd').length;
}

test.serial('a file is opened once, and its bytes are kept if they are few', (t) => {
  const { cache, write } = setUp(t);
  write('short', 'short');
  write('long', long);
  const before = open();
  t.is(cache.get('/short')!.plain.file.content!.toString(), 'short');
  t.is(open(), before, 'no descriptor is kept for it');
  const entry = cache.get('/long')!;
  t.is(entry.plain.file.content, undefined);
  t.is(open(), before + 1);
  t.is(cache.get('/long'), entry);
  cache.clear();
  t.is(open(), before);
});

test.serial('what sendfile(2) takes of a file that is kept with its bytes is a file in memory, closed with it', (t) => {
  const { cache, dir, write } = setUp(t);
  const text = 'y'.repeat(COPIED_BYTES + 1);
  write('middle', text);
  const before = open();
  const { file } = cache.get('/middle')!.plain;
  t.is(open(), before, 'none before it is wanted');
  t.is(cache.size.descriptors, 1, 'but counted, for it may be at any time');
  const fd = file.memory()!;
  t.is(file.memory(), fd, 'once');
  t.is(open(), before + 1);
  // A response is under way while the file changes and leaves the cache.
  file.use();
  writeFileSync(join(dir, 'middle'), 'z');
  cache.clear();
  t.is(cache.size.descriptors, 0);
  const sent = Buffer.alloc(text.length + 1);
  t.is(readSync(fd, sent, 0, sent.length, 0), text.length);
  t.is(sent.toString('latin1', 0, text.length), text);
  file.drop();
  t.is(open(), before);
});

test.serial('a changed, replaced, removed or compressed file is seen at the next check', (t) => {
  const { cache, write, pass, dir } = setUp(t);
  const text = (): string | undefined => cache.get('/a')?.plain.file.content?.toString();
  write('a', 'one');
  t.is(text(), 'one');
  write('b', 'two');
  renameSync(join(dir, 'b'), join(dir, 'a'));
  pass();
  t.is(text(), 'two', 'another inode, the same size and time');
  writeFileSync(join(dir, 'a'), 'three');
  pass();
  t.is(text(), 'three');
  t.is(cache.get('/a')!.compressed.length, 0);
  write('a.gz', 'zipped');
  pass();
  t.deepEqual(cache.get('/a')!.compressed.map(({ coding }) => coding), ['gzip']);
  rmSync(join(dir, 'a.gz'));
  rmSync(join(dir, 'a'));
  pass();
  t.is(text(), undefined);
  write('a', 'back');
  pass();
  t.is(text(), 'back');
});

test.serial('a change that the time stamp may hide is looked for again', (t) => {
  const { cache, pass, dir } = setUp(t);
  writeFileSync(join(dir, 'a'), 'one');
  const entry = cache.get('/a')!;
  t.false(entry.settled);
  pass();
  t.not(cache.get('/a'), entry, 'opened anew, though it looks the same');
});

test.serial('a miss is remembered for a moment', (t) => {
  const { cache, pass, write } = setUp(t);
  t.is(cache.get('/a'), undefined);
  write('a', 'one');
  t.is(cache.get('/a'), undefined);
  pass();
  t.truthy(cache.get('/a'));
});

test.serial('entries, descriptors and bytes are bounded, and what is used stays', (t) => {
  const { cache, write } = setUp(t, { entries: 4, descriptors: 2, bytes: 100 });
  const before = open();
  for (let i = 0; i < 10; i++) {
    write(`long${i}`, long);
    write(`short${i}`, '0123456789');
    write(`large${i}`, 'x'.repeat(45));
  }
  const hot = cache.get('/short0');
  for (let i = 0; i < 10; i++) {
    cache.get(`/long${i}`);
    cache.get('/short0');
    cache.get(`/large${i}`);
    const { entries, descriptors, bytes } = cache.size;
    t.true(entries <= 4 && descriptors <= 2 && bytes <= 120, JSON.stringify(cache.size));
    t.true(open() <= before + 2);
  }
  void hot;
  cache.clear();
  t.deepEqual(cache.size, { entries: 0, descriptors: 0, bytes: 0 });
  t.is(open(), before);
});

test.serial('a file in use is not closed when it leaves the cache', (t) => {
  const { cache, write } = setUp(t);
  write('long', long);
  const file = cache.get('/long')!.plain.file.use();
  cache.clear();
  t.is(readFileSync(file.fd).length, long.length);
  const before = open();
  file.drop();
  t.is(open(), before - 1);
});

test.serial('directories: their index, with and without the slash; nothing else', (t) => {
  const { cache, dir, write } = setUp(t);
  mkdirSync(join(dir, 'sub'));
  mkdirSync(join(dir, 'empty'));
  write('sub/index.html', 'index');
  write('file', 'file');
  t.is(cache.get('/sub/')!.plain.file.content!.toString(), 'index');
  t.false(cache.get('/sub/')!.redirect);
  t.true(cache.get('/sub')!.redirect);
  t.is(cache.get('/empty'), undefined);
  t.is(cache.get('/empty/'), undefined);
  t.is(cache.get('/file/'), undefined);
  t.is(cache.get('/'), undefined);
});
