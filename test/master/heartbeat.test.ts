import test from 'ava';
import { fchmodSync, fstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { defaultDirectory, diskOf, Heartbeats, whyNone } from '../../src/master/heartbeat.js';

const TMPFS = 0x01021994;
const EXT4 = 0xef53;

function recorder(): { events: [string, Record<string, unknown>][]; emit: (event: string, fields?: Record<string, unknown>) => void } {
  const events: [string, Record<string, unknown>][] = [];
  return { events, emit: (event, fields = {}) => void events.push([event, fields]) };
}

function scratch(t: { teardown: (done: () => void) => void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'drover-beat-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('the first directory in memory that may be written to is the default; none: the temporary directory', (t) => {
  const yes = (): boolean => true;
  t.is(defaultDirectory(() => TMPFS, yes), '/dev/shm');
  t.is(defaultDirectory((dir) => (dir === '/run' ? TMPFS : EXT4), yes), '/run');
  t.is(defaultDirectory(() => EXT4, yes), tmpdir());
  t.is(defaultDirectory(() => { throw new Error('ENOENT'); }, yes), tmpdir());
  t.is(defaultDirectory(() => TMPFS, (dir) => dir === '/run'), '/run');
  t.is(defaultDirectory(() => TMPFS, () => false), tmpdir());
});

test('a disk is named', (t) => {
  t.is(diskOf('/x', () => TMPFS), undefined);
  t.is(diskOf('/x', () => EXT4), 'ext4');
  t.is(diskOf('/x', () => 0x1234), 'type 0x1234');
});

test('a file is private, has no name any more, and its changes are read', async (t) => {
  const dir = scratch(t);
  const heartbeats = new Heartbeats(dir, recorder());
  const heartbeat = (await heartbeats.open())!;
  t.teardown(() => heartbeats.close(heartbeat));
  t.deepEqual(readdirSync(dir), []);
  t.is(fstatSync(heartbeat.fd).mode & 0o777, 0o600);
  const read = async (): Promise<string> => {
    const before = heartbeat.beat;
    do {
      heartbeats.read();
      await turn();
    } while (heartbeat.beat === before);
    return heartbeat.beat!;
  };
  const first = await read();
  fchmodSync(heartbeat.fd, 0o600);
  t.not(await read(), first);
});

test('in memory a file is read at once, with no thread of the pool to wait for', async (t) => {
  const dir = mkdtempSync('/dev/shm/drover-beat-');
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  if (diskOf(dir) !== undefined) {
    t.pass('/dev/shm is on a disk here');
    return;
  }
  const heartbeats = new Heartbeats(dir, recorder());
  const heartbeat = (await heartbeats.open())!;
  t.teardown(() => heartbeats.close(heartbeat));
  heartbeats.read();
  t.is(heartbeat.beat, String(fstatSync(heartbeat.fd, { bigint: true }).ctimeNs));
});

test('a directory that is missing: said once, and no file', async (t) => {
  const log = recorder();
  const heartbeats = new Heartbeats(join(scratch(t), 'missing'), log);
  t.is(await heartbeats.open(), undefined);
  t.is(await heartbeats.open(), undefined);
  t.deepEqual(log.events.map(([event]) => event), ['heartbeat.unavailable']);
  t.regex(String(log.events[0]![1]['reason']), /missing: ENOENT$/);
});

test('of the usual directories each is named with why it was not taken', (t) => {
  const dir = scratch(t);
  t.is(whyNone(['/nonexistent', dir], () => 0xef53), `/nonexistent: ENOENT, ${dir}: on a disk (ext4)`);
});

test('a directory that goes away later: said once, and no file', async (t) => {
  const log = recorder();
  const dir = scratch(t);
  const heartbeats = new Heartbeats(dir, log);
  rmSync(dir, { recursive: true });
  t.is(await heartbeats.open(), undefined);
  t.is(await heartbeats.open(), undefined);
  t.is(log.events.filter(([event]) => event === 'heartbeat.unavailable').length, 1);
});

test('not used: nothing is said of the directory', (t) => {
  const log = recorder();
  new Heartbeats('/no/such/directory', log, false);
  t.deepEqual(log.events, []);
});
