import test from 'ava';
import {
  clearInflight,
  INFLIGHT_BYTES,
  INFLIGHT_ENTRIES,
  INFLIGHT_ENTRY_BYTES,
  INFLIGHT_HEAD_BYTES,
  INFLIGHT_ROW_BYTES,
  inflightFields,
  InflightWriter,
  readInflight,
} from '../../src/ipc/inflight.js';

test('an empty table reads as nothing', (t) => {
  t.deepEqual(readInflight(new ArrayBuffer(INFLIGHT_BYTES), 0), []);
});

test('begun requests are there until they end, without their query', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 3);
  const a = writer.begin('GET', '/a?token=secret');
  const b = writer.begin('POST', '/b');
  t.deepEqual(readInflight(memory, 3), ['POST /b', 'GET /a'], 'newest first');
  t.false(Buffer.from(memory).includes('secret'));
  writer.end(a);
  t.deepEqual(readInflight(memory, 3), ['POST /b']);
  writer.end(b);
  t.deepEqual(readInflight(memory, 3), []);
});

test('rows do not touch each other', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const below = new InflightWriter(memory, 0);
  const above = new InflightWriter(memory, 2);
  for (let i = 0; i < INFLIGHT_ENTRIES; i++) {
    below.begin('GET', '/'.padEnd(500, 'x'));
    above.begin('GET', '/'.padEnd(500, 'y'));
  }
  t.deepEqual(readInflight(memory, 1), []);
  t.is(readInflight(memory, 0).length, INFLIGHT_ENTRIES);
  t.is(readInflight(memory, 2).length, INFLIGHT_ENTRIES);
  clearInflight(memory, 0);
  t.deepEqual(readInflight(memory, 0), []);
  t.is(readInflight(memory, 2).length, INFLIGHT_ENTRIES);
});

test('a long path is cut to the entry, its neighbours stay whole', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 0);
  writer.begin('GET', '/first');
  writer.begin('DELETE', '/' + 'p'.repeat(1000));
  writer.begin('GET', '/third');
  writer.begin('M'.repeat(1000), '/fourth');
  t.deepEqual(readInflight(memory, 0), ['M'.repeat(INFLIGHT_ENTRY_BYTES - 1), 'GET /third', ('DELETE /' + 'p'.repeat(1000)).slice(0, INFLIGHT_ENTRY_BYTES - 1), 'GET /first']);
});

/** `GET /from` … `GET /to`. */
const gets = (from: number, to: number): string[] => Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => `GET /${from + Math.sign(to - from) * i}`);

test('more requests than entries: the newest are named, and how many there are is said', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 0);
  const requests = Array.from({ length: INFLIGHT_ENTRIES }, (_, i) => writer.begin('GET', `/${i}`));
  t.deepEqual(inflightFields(memory, 0), { requests: gets(INFLIGHT_ENTRIES - 1, 0) }, 'all are named');
  for (let i = 0; i < 4; i++) requests.push(writer.begin('GET', `/${INFLIGHT_ENTRIES + i}`));
  t.deepEqual(inflightFields(memory, 0), { requests: gets(INFLIGHT_ENTRIES + 3, 4), older: 'GET /0', inFlight: INFLIGHT_ENTRIES + 4 });
  // Those that have lost their entries end, and take none from who has them now.
  for (const request of requests.slice(0, 4)) writer.end(request);
  t.deepEqual(inflightFields(memory, 0), { requests: gets(INFLIGHT_ENTRIES + 3, 4) });
});

test('a free entry is taken before one that has a request, whatever has ended', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 0);
  const requests = Array.from({ length: INFLIGHT_ENTRIES + 1 }, (_, i) => writer.begin('GET', `/${i}`));
  writer.end(requests[9]!);
  writer.begin('GET', '/later');
  t.deepEqual(readInflight(memory, 0), ['GET /later', ...gets(INFLIGHT_ENTRIES, 10), ...gets(8, 1)]);
  // Short ones beside streams that stay: one entry serves them all.
  for (let i = 0; i < 100; i++) writer.end(writer.begin('GET', '/short'));
  t.deepEqual(readInflight(memory, 0), ['GET /later', ...gets(INFLIGHT_ENTRIES, 10), ...gets(8, 2)]);
});

test('the named ones have ended: the number of the others is said', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 1);
  const requests = Array.from({ length: 3 * INFLIGHT_ENTRIES }, () => writer.begin('GET', '/poll'));
  for (const request of requests.slice(-INFLIGHT_ENTRIES)) writer.end(request);
  t.deepEqual(inflightFields(memory, 1), { older: 'GET /poll', inFlight: 2 * INFLIGHT_ENTRIES });
  for (const request of requests.slice(0, -INFLIGHT_ENTRIES)) writer.end(request);
  t.deepEqual(inflightFields(memory, 1), {});
  writer.begin('GET', '/next');
  clearInflight(memory, 1);
  t.deepEqual(inflightFields(memory, 1), {});
});

test('of those that have lost their entries one is kept, the oldest first, until it ends', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 1);
  const hung = writer.begin('GET', '/hung');
  const first = Array.from({ length: 2 * INFLIGHT_ENTRIES }, (_, i) => writer.begin('GET', `/${i}`));
  t.is(inflightFields(memory, 1).older, 'GET /hung');
  for (const request of first) writer.end(request);
  t.deepEqual(inflightFields(memory, 1), { older: 'GET /hung', inFlight: 1 });
  writer.end(hung);
  t.deepEqual(inflightFields(memory, 1), {});
  const second = Array.from({ length: INFLIGHT_ENTRIES + 2 }, (_, i) => writer.begin('PUT', `/${i}`));
  t.is(inflightFields(memory, 1).older, 'PUT /0');
  writer.end(second[0]!);
  t.is(inflightFields(memory, 1).older, undefined, 'PUT /1 was not kept, and nothing else is said to be older');
  writer.begin('PUT', '/next');
  t.is(inflightFields(memory, 1).older, 'PUT /2');
});

test('one that is kept and still has its entry, as a kill may leave it, is named once', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 0);
  for (let i = 0; i < INFLIGHT_ENTRIES; i++) writer.begin('GET', `/${i}`);
  const numbers = new Float64Array(memory, 0, INFLIGHT_ENTRIES);
  const [first] = numbers;
  writer.begin('GET', '/new');
  numbers[0] = first!;
  t.is(inflightFields(memory, 0).older, undefined);
});

test('a kill between any two stores leaves only whole requests', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const seen: string[] = [];
  const view = new Uint8Array(memory, 0, INFLIGHT_ROW_BYTES);
  const writer = new InflightWriter(memory, 0);
  writer.end(writer.begin('GET', '/an/old/and/longer/path'));
  // The master's view after each single store of begin: replay the bytes in every order the writer could have been cut at.
  const before = view.slice();
  writer.begin('PUT', '/new');
  const after = view.slice();
  const changed = [...after.keys()].filter((i) => before[i] !== after[i]);
  const text = changed.filter((i) => i >= INFLIGHT_HEAD_BYTES);
  view.set(before);
  for (const i of text) {
    view[i] = after[i] ?? 0;
    seen.push(...readInflight(memory, 0));
  }
  t.deepEqual(seen, [], 'text without its number is invisible');
  view.set(after);
  t.deepEqual(readInflight(memory, 0), ['PUT /new']);
});

test('a kill while an entry is taken over leaves it free', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 0);
  for (let i = 0; i < INFLIGHT_ENTRIES; i++) writer.begin('GET', `/${i}`);
  // Text that looks at the table each time the writer asks for a character, which is before and between its stores.
  const looks: unknown[] = [];
  const watched = (text: string): string => {
    const look = (i: number): number => {
      looks.push(inflightFields(memory, 0));
      return text.charCodeAt(i);
    };
    return { length: text.length, charCodeAt: look } as unknown as string;
  };
  writer.begin(watched('DELETE'), watched('/over'));
  t.is(looks.length, 'DELETE/over'.length);
  for (const look of looks) t.deepEqual(look, { requests: gets(INFLIGHT_ENTRIES - 1, 1), older: 'GET /0', inFlight: INFLIGHT_ENTRIES });
  t.deepEqual(inflightFields(memory, 0), { requests: ['DELETE /over', ...gets(INFLIGHT_ENTRIES - 1, 1)], older: 'GET /0', inFlight: INFLIGHT_ENTRIES + 1 });
});

test('a length that no writer writes is not believed', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  new InflightWriter(memory, 0).begin('GET', '/');
  new Uint8Array(memory)[INFLIGHT_HEAD_BYTES] = 255;
  t.deepEqual(readInflight(memory, 0), []);
});
