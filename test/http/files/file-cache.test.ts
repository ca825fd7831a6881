/** The cache sees what changes, keeps to its bounds, and closes what it opened. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, mkdtempSync, readFileSync, readSync, readdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CHECK_EVERY_MS, CONTENT_BYTES, COPIED_BYTES, descriptorsOf, FileCache, UNAVAILABLE, type Entry, type Limits } from '../../../src/http/files/file-cache.js';
import { Root } from '../../../src/http/files/root.js';

const long = 'x'.repeat(CONTENT_BYTES + 1);
const past = new Date(Date.now() - 60_000);

function setUp(t: ExecutionContext, limits?: Limits): { dir: string; cache: FileCache; root: Root; get: (urlPath: string) => Entry | undefined; pass: () => void; write: (name: string, text: string) => void } {
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
    get(urlPath) {
      const entry = cache.get(urlPath);
      if (entry === UNAVAILABLE) throw new Error(`no descriptor for ${urlPath}`);
      return entry;
    },
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

/** Runs `act` when this process has so many descriptors left. */
function starved(left: number, act: () => void): void {
  const [, soft, hard] = /^Max open files +(\w+) +(\w+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))!;
  const limit = (files: string): Buffer => execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${files}:${hard}`]);
  const taken: number[] = [];
  limit(String(open() + 100));
  try {
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch {
      for (let i = 0; i < left; i++) closeSync(taken.pop()!);
    }
    act();
  } finally {
    taken.forEach((fd) => closeSync(fd));
    limit(soft!);
  }
}

test.serial('a file is opened once, and its bytes are kept if they are few', (t) => {
  const { cache, write, get } = setUp(t);
  write('short', 'short');
  write('long', long);
  const before = open();
  t.is(get('/short')!.plain.file.content!.toString(), 'short');
  t.is(open(), before, 'no descriptor is kept for it');
  const entry = get('/long')!;
  t.is(entry.plain.file.content, undefined);
  t.is(open(), before + 1);
  t.is(get('/long'), entry);
  cache.clear();
  t.is(open(), before);
});

test.serial('what sendfile(2) takes of a file that is kept with its bytes is a file in memory, closed with it', (t) => {
  const { cache, dir, write, get } = setUp(t);
  const text = 'y'.repeat(COPIED_BYTES + 1);
  write('middle', text);
  const before = open();
  const { file } = get('/middle')!.plain;
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
  const { write, pass, dir, get } = setUp(t);
  const text = (): string | undefined => get('/a')?.plain.file.content?.toString();
  write('a', 'one');
  t.is(text(), 'one');
  write('b', 'two');
  renameSync(join(dir, 'b'), join(dir, 'a'));
  pass();
  t.is(text(), 'two', 'another inode, the same size and time');
  writeFileSync(join(dir, 'a'), 'three');
  pass();
  t.is(text(), 'three');
  t.is(get('/a')!.compressed.length, 0);
  write('a.gz', 'zipped');
  pass();
  t.deepEqual(get('/a')!.compressed.map(({ coding }) => coding), ['gzip']);
  rmSync(join(dir, 'a.gz'));
  rmSync(join(dir, 'a'));
  pass();
  t.is(text(), undefined);
  write('a', 'back');
  pass();
  t.is(text(), 'back');
});

test.serial('a change that the time stamp may hide is looked for again', (t) => {
  const { pass, dir, get } = setUp(t);
  writeFileSync(join(dir, 'a'), 'one');
  const entry = get('/a')!;
  t.false(entry.settled);
  pass();
  t.not(get('/a'), entry, 'opened anew, though it looks the same');
});

test.serial('a miss is remembered for a moment', (t) => {
  const { pass, write, get } = setUp(t);
  t.is(get('/a'), undefined);
  write('a', 'one');
  t.is(get('/a'), undefined);
  pass();
  t.truthy(get('/a'));
});

test.serial('entries, descriptors and bytes are bounded, and what is used stays', (t) => {
  const { cache, write, get } = setUp(t, { entries: 4, descriptors: 2, bytes: 100 });
  const before = open();
  for (let i = 0; i < 10; i++) {
    write(`long${i}`, long);
    write(`short${i}`, '0123456789');
    write(`large${i}`, 'x'.repeat(45));
  }
  const hot = get('/short0');
  for (let i = 0; i < 10; i++) {
    get(`/long${i}`);
    get('/short0');
    get(`/large${i}`);
    const { entries, descriptors, bytes } = cache.size;
    t.true(entries <= 4 && descriptors <= 2 && bytes <= 120, JSON.stringify(cache.size));
    t.true(open() <= before + 2);
  }
  void hot;
  cache.clear();
  t.deepEqual(cache.size, { entries: 0, descriptors: 0, bytes: 0 });
  t.is(open(), before);
});

test('of few descriptors the cache takes few', (t) => {
  t.deepEqual([1 << 20, 4096, 1024, 256, 64, 16, Infinity].map(descriptorsOf), [512, 512, 128, 32, 8, 4, 512]);
});

test.serial('out of descriptors: what nobody uses is given back, the least recently used first, and what is in use is not', (t) => {
  const { cache, write, get } = setUp(t);
  for (const name of ['used', 'old', 'hot', 'new', 'newer']) write(name, long);
  write('short', 'short');
  const using = get('/used')!.plain.file.use();
  for (const name of ['/hot', '/old', '/short']) get(name);
  get('/hot');
  const before = open();
  let found: unknown;
  let kept = 0;
  starved(0, () => {
    found = cache.get('/new');
    kept = cache.size.descriptors;
  });
  t.is((found as Entry).plain.file.size, long.length);
  t.is(kept, 3, 'one was closed, and another opened');
  t.is(open(), before);
  const hot = get('/hot');
  t.is(open(), before, 'that one was not asked for again');
  t.is(get('/hot'), hot);
  t.is(readFileSync(using.fd).length, long.length);
  using.drop();
});

test.serial('out of descriptors, and nothing to give back: unavailable is what is there, and not for longer than that lasts', (t) => {
  const { cache, dir, write, get } = setUp(t);
  write('long', long);
  mkdirSync(join(dir, 'sub'));
  mkdirSync(join(dir, 'bare'));
  write('sub/index.html', 'index');
  const paths = ['/long', '/sub', '/sub/', '/long/', '/bare/', '/nothing'];
  const answers: unknown[] = [];
  starved(0, () => answers.push(...paths.map((path) => cache.get(path))));
  t.deepEqual(answers, [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, undefined, undefined, undefined]);
  t.deepEqual(cache.size, { entries: 0, descriptors: 0, bytes: 0 });
  t.truthy(get('/long'));
});

test.serial('out of descriptors: a link that stays inside leads to what is unavailable, and one that leads out to nothing', (t) => {
  const { cache, dir, write } = setUp(t);
  const outside = mkdtempSync(join(tmpdir(), 'drover-outside-'));
  t.teardown(() => rmSync(outside, { recursive: true, force: true }));
  for (const name of ['file', 'index.html']) writeFileSync(join(outside, name), long);
  mkdirSync(join(dir, 'sub'));
  write('sub/file', long);
  symlinkSync('sub', join(dir, 'inner'));
  symlinkSync(outside, join(dir, 'outer'));
  symlinkSync(join(outside, 'file'), join(dir, 'outer-file'));
  const paths = ['/inner/file', '/outer/file', '/outer', '/outer/', '/outer/nothing', '/outer-file'];
  const answers: unknown[] = [];
  starved(0, () => answers.push(...paths.map((path) => cache.get(path))));
  t.deepEqual(answers, [UNAVAILABLE, undefined, undefined, undefined, undefined, undefined]);
});

test.serial('out of descriptors but for one: a file goes out without what is beside it', (t) => {
  const { cache, write } = setUp(t);
  write('long', long);
  write('long.gz', 'zipped');
  let found: unknown;
  starved(1, () => {
    found = cache.get('/long');
  });
  t.like(found, { compressed: [] });
});

test.serial('a file in use is not closed when it leaves the cache', (t) => {
  const { cache, write, get } = setUp(t);
  write('long', long);
  const file = get('/long')!.plain.file.use();
  cache.clear();
  t.is(readFileSync(file.fd).length, long.length);
  const before = open();
  file.drop();
  t.is(open(), before - 1);
});

test.serial('directories: their index, with and without the slash; nothing else', (t) => {
  const { dir, write, get } = setUp(t);
  mkdirSync(join(dir, 'sub'));
  mkdirSync(join(dir, 'empty'));
  write('sub/index.html', 'index');
  write('file', 'file');
  t.is(get('/sub/')!.plain.file.content!.toString(), 'index');
  t.false(get('/sub/')!.redirect);
  t.true(get('/sub')!.redirect);
  t.is(get('/empty'), undefined);
  t.is(get('/empty/'), undefined);
  t.is(get('/file/'), undefined);
  t.is(get('/'), undefined);
});
