import test from 'ava';
import type { Destination } from '../../../src/http/access-log/destination.js';
import { BATCH_BYTES, FLUSH_MS, GATHER_MS, LIMIT_BYTES, LogWriter, REPORT_EVERY_MS } from '../../../src/http/access-log/writer.js';

type Done = (error: NodeJS.ErrnoException | null, written: number) => void;

/** A destination and a clock in the test's hands. */
class World implements Destination {
  name = 'test';
  atomicBytes = Infinity;
  /** Writes are taken at once, or wait for `settle`. */
  later = false;
  text = '';
  writes: string[] = [];
  waiting: { bytes: Buffer; done: Done }[] = [];
  /** Errors for the next writes; a number: so many bytes are taken. */
  answers: (string | number)[] = [];
  timers: { at: number; call: () => void }[] = [];
  now = 0;
  slept = 0;
  events: [string, Record<string, unknown>][] = [];
  reopenError: NodeJS.ErrnoException | null = null;
  readonly writer = new LogWriter({
    destination: this,
    log: (event, fields) => this.events.push([event, fields]),
    now: () => this.now,
    setTimer: (call, ms) => this.timers.push({ at: this.now + ms, call }),
    sleep: (ms) => {
      this.slept += ms;
      this.now += ms;
    },
  });

  write(bytes: Buffer, done: Done): number | 'later' {
    if (!this.later) return this.writeSync(bytes);
    this.waiting.push({ bytes, done });
    return 'later';
  }

  writeSync(bytes: Buffer): number {
    const answer = this.answers.shift() ?? bytes.length;
    if (typeof answer === 'string') throw Object.assign(new Error(answer), { code: answer });
    const taken = Math.min(answer, bytes.length);
    this.text += bytes.toString('latin1', 0, taken);
    this.writes.push(bytes.toString('latin1', 0, taken));
    return taken;
  }

  /** The thread has written. */
  settle(): void {
    const { bytes, done } = this.waiting.shift()!;
    let written;
    try {
      written = this.writeSync(bytes);
    } catch (error) {
      return done(error as NodeJS.ErrnoException, 0);
    }
    done(null, written);
  }

  reopen(done: (error: NodeJS.ErrnoException | null) => void): void {
    done(this.reopenError);
  }

  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.call();
    }
    this.now = until;
  }

  add(count: number, size = 100): string {
    let all = '';
    for (let i = 0; i < count; i++) {
      const line = `${String(i).padStart(size - 1, '.')}\n`;
      this.writer.add(line);
      all += line;
    }
    return all;
  }
}

test('nothing to write, no timer; the first line sets one, and it is written with what came after it', (t) => {
  const world = new World();
  t.is(world.timers.length, 0);
  const text = world.add(3);
  t.is(world.timers.length, 1);
  world.pass(GATHER_MS - 1);
  t.is(world.text, '');
  world.pass(1);
  t.deepEqual(world.writes, [text]);
  t.is(world.timers.length, 0);
});

test('many lines are written before their time', (t) => {
  const world = new World();
  const text = world.add(BATCH_BYTES / 100 + 50);
  t.true(world.text.length >= BATCH_BYTES);
  world.pass(GATHER_MS);
  t.is(world.text, text);
});

test('one write is under way at a time, and what comes meanwhile follows it in order', (t) => {
  const world = new World();
  world.later = true;
  let text = world.add(2);
  world.pass(GATHER_MS);
  text += world.add(1000);
  world.pass(10 * GATHER_MS);
  t.is(world.waiting.length, 1);
  while (world.waiting.length > 0) world.settle();
  world.pass(GATHER_MS);
  while (world.waiting.length > 0) world.settle();
  t.is(world.text, text);
});

test('a line that came during a write, whose timer has come and gone, is not forgotten', (t) => {
  const world = new World();
  world.later = true;
  let text = world.add(1);
  world.pass(GATHER_MS);
  text += world.add(1);
  world.pass(GATHER_MS);
  t.is(world.timers.length, 0);
  world.settle();
  world.settle();
  t.is(world.text, text);
});

test('a write that takes a part is followed by the rest', (t) => {
  const world = new World();
  world.answers = [5, 90, 1];
  const text = world.add(3);
  world.pass(GATHER_MS);
  t.is(world.text, text);
  t.is(world.writes.length, 4);
});

test('on a pipe no write is larger than it may be, and each ends with a line', (t) => {
  const world = new World();
  world.atomicBytes = 4096;
  let text = world.add(300, 77);
  text += world.add(2, 9000); // longer than any write may be: cannot be whole
  text += world.add(300, 4096);
  world.pass(10 * GATHER_MS);
  t.is(world.text, text);
  t.true(world.writes.every((write) => write.length <= 4096));
  const whole = world.writes.filter((write) => !write.includes('.'.repeat(4096)) && write.endsWith('\n'));
  t.true(whole.length >= 300 + Math.floor((300 * 77) / 4096));
});

test('a reader that is slow is tried again, with growing pauses, and nothing is lost', (t) => {
  const world = new World();
  world.answers = Array<string>(12).fill('EAGAIN');
  const text = world.add(3);
  world.pass(GATHER_MS);
  t.is(world.text, '');
  world.pass(20_000);
  t.is(world.text, text);
  t.deepEqual(world.events, []);
});

for (const later of [false, true]) {
  test(`an error is told once in a while, the lines are kept, and the end of it is told (${later ? 'file' : 'pipe'})`, (t) => {
    const world = new World();
    world.later = later;
    const pass = (ms: number): void => {
      for (let passed = 0; passed < ms; passed += GATHER_MS) {
        world.pass(GATHER_MS);
        if (world.waiting.length > 0) world.settle();
      }
    };
    world.answers = Array<string>(15).fill('ENOSPC');
    const text = world.add(3);
    pass(9_000);
    t.deepEqual(world.events, [['access-log.failed', { file: 'test', error: 'ENOSPC' }]]);
    pass(10_000);
    t.deepEqual(world.events.map(([event]) => event), ['access-log.failed', 'access-log.failed', 'access-log.recovered']);
    t.is(world.text, text);
  });
}

test('beyond the bound lines are dropped, counted and told; memory is bounded and those kept are written', (t) => {
  const world = new World();
  world.later = true;
  const kept = Math.floor(LIMIT_BYTES / 100);
  world.add(kept + 1000);
  t.deepEqual(world.events, [['access-log.dropped', { file: 'test', lines: 1 }]]);
  world.pass(REPORT_EVERY_MS);
  world.add(1);
  const told = (): number => world.events.filter(([event]) => event === 'access-log.dropped').reduce((sum, [, { lines }]) => sum + (lines as number), 0);
  t.is(told(), 1001);
  while (world.waiting.length > 0) world.settle();
  t.is(world.text.split('\n').length - 1, kept);
  const text = world.text;
  const more = world.add(5);
  world.pass(GATHER_MS);
  while (world.waiting.length > 0) world.settle();
  t.is(world.text, text + more);
});

test('flush writes all there is, at once', (t) => {
  const world = new World();
  world.answers = [3, 'EAGAIN', 'EAGAIN'];
  const text = world.add(2000);
  world.writer.flush();
  t.is(world.text, text);
  t.true(world.slept > 0);
});

test('flush leaves to its thread what that has in hand, and writes only the rest', (t) => {
  const world = new World();
  world.later = true;
  const inHand = world.add(2);
  world.pass(GATHER_MS);
  const rest = world.add(2000);
  world.writer.flush();
  t.is(world.text, rest);
  world.settle();
  t.is(world.text, rest + inHand);
  t.is(world.waiting.length, 0);
});

test('flush waits for a reader that does not read only so long, and tells what is lost', (t) => {
  const world = new World();
  world.answers = Array<string>(10_000).fill('EAGAIN');
  world.add(7);
  world.writer.flush();
  t.true(world.slept >= FLUSH_MS && world.slept < 2 * FLUSH_MS);
  t.deepEqual(world.events.at(-1), ['access-log.dropped', { file: 'test', lines: 7 }]);
});

test('flush waits for no reader beyond the time when the process may be killed, but writes what is taken at once', (t) => {
  const world = new World();
  world.now = 5000;
  const text = world.add(7);
  world.answers = [3, ...Array<string>(10_000).fill('EAGAIN')];
  world.writer.flush(5050);
  t.true(world.slept >= 50 && world.slept < 60);
  t.deepEqual(world.events.at(-1), ['access-log.dropped', { file: 'test', lines: 7 }]);
  world.answers = [];
  const rest = world.add(7);
  world.writer.flush(-Infinity);
  t.is(world.text, text.slice(0, 3) + rest);
});

test('a file that cannot be opened anew is told of, and the old one goes on', (t) => {
  const world = new World();
  world.reopenError = Object.assign(new Error(), { code: 'EACCES' });
  world.writer.reopen();
  t.deepEqual(world.events, [['log.reopen-failed', { file: 'test', error: 'EACCES' }]]);
  const text = world.add(1);
  world.pass(GATHER_MS);
  t.is(world.text, text);
});
