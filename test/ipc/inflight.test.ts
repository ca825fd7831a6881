import test from 'ava';
import {
  clearInflight,
  INFLIGHT_BYTES,
  INFLIGHT_ENTRIES,
  INFLIGHT_ENTRY_BYTES,
  INFLIGHT_ROW_BYTES,
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
  t.deepEqual(readInflight(memory, 3).sort(), ['GET /a', 'POST /b']);
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
  const texts = readInflight(memory, 0);
  t.is(texts[0], 'GET /first');
  t.is(texts[1], ('DELETE /' + 'p'.repeat(1000)).slice(0, INFLIGHT_ENTRY_BYTES - 1));
  t.is(texts[2], 'GET /third');
  t.is(texts[3], 'M'.repeat(INFLIGHT_ENTRY_BYTES - 1));
});

test('more requests than entries: the surplus is left out and frees nothing', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  const writer = new InflightWriter(memory, 0);
  const entries = Array.from({ length: INFLIGHT_ENTRIES }, (_, i) => writer.begin('GET', `/${i}`));
  t.is(new Set(entries).size, INFLIGHT_ENTRIES);
  t.is(writer.begin('GET', '/surplus'), -1);
  writer.end(-1);
  t.is(readInflight(memory, 0).length, INFLIGHT_ENTRIES);
  writer.end(entries[5]!);
  t.is(writer.begin('GET', '/later'), entries[5]!);
  t.true(readInflight(memory, 0).includes('GET /later'));
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
  const text = changed.filter((i) => i % INFLIGHT_ENTRY_BYTES !== 0);
  view.set(before);
  for (const i of text) {
    view[i] = after[i] ?? 0;
    seen.push(...readInflight(memory, 0));
  }
  t.deepEqual(seen, [], 'text without its length is invisible');
  view.set(after);
  t.deepEqual(readInflight(memory, 0), ['PUT /new']);
});

test('a length that no writer writes is not believed', (t) => {
  const memory = new ArrayBuffer(INFLIGHT_BYTES);
  new Uint8Array(memory)[0] = 255;
  t.deepEqual(readInflight(memory, 0), []);
});
