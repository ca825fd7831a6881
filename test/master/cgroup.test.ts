import test from 'ava';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Cgroups, CREDIT_MS, findCgroup, limitAt, limitsMet, memoryLimit, oomKills, OomLedger, parseMounts } from '../../src/master/cgroup.js';

/** A directory with these files. */
function tree(t: { teardown: (done: () => void) => void }, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'drover-cgroup-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const V1 = '34 32 0:29 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory';
const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev - cgroup2 cgroup2 rw';

test('mounts: v1 with memory, v2, and nothing else', (t) => {
  const mounts = parseMounts([V1, V2, '35 32 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu', '36 32 0:31 / /home rw - ext4 /dev/sda rw', ''].join('\n'));
  t.deepEqual(mounts, [
    { version: 1, root: '/', point: '/sys/fs/cgroup/memory' },
    { version: 2, root: '/', point: '/sys/fs/cgroup' },
  ]);
});

test('mounts: optional fields and blanks in paths', (t) => {
  const [mount] = parseMounts('34 32 0:29 /docker/ab /mnt/c\\040g rw shared:7 master:1 - cgroup cgroup rw,cpu,memory');
  t.deepEqual(mount, { version: 1, root: '/docker/ab', point: '/mnt/c g' });
});

const mounts = parseMounts(`${V1}\n${V2}`);

test('v1 counts when /proc/PID/cgroup names its memory controller', (t) => {
  t.deepEqual(findCgroup('9:memory:/app/w\n1:name=systemd:/x\n0::/app\n', mounts), { version: 1, dir: '/sys/fs/cgroup/memory/app/w', mount: '/sys/fs/cgroup/memory' });
});

test('v2 when it does not; colons in names are no separators', (t) => {
  t.deepEqual(findCgroup('1:name=systemd:/x\n0::/a:b\n', mounts), { version: 2, dir: '/sys/fs/cgroup/a:b', mount: '/sys/fs/cgroup' });
});

test('in a container: the path is relative to what is mounted', (t) => {
  const inside = parseMounts('34 32 0:29 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory');
  t.is(findCgroup('9:memory:/docker/ab/child\n', inside)?.dir, '/sys/fs/cgroup/memory/child');
  t.is(findCgroup('9:memory:/docker/ab\n', inside)?.dir, '/sys/fs/cgroup/memory');
  t.is(findCgroup('9:memory:/elsewhere\n', inside)?.dir, '/sys/fs/cgroup/memory');
});

test('neither: none', (t) => {
  t.is(findCgroup('1:name=systemd:/x\n', mounts), undefined);
  t.is(findCgroup('0::/x\n', []), undefined);
});

test('v1: counter and limits', (t) => {
  const mount = tree(t, {
    'memory.limit_in_bytes': '9223372036854771712\n',
    'app/memory.limit_in_bytes': '67108864\n',
    'app/w/memory.limit_in_bytes': '9223372036854771712\n',
    'app/w/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
    'old/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\n',
  });
  const cgroup = { version: 1, dir: join(mount, 'app/w'), mount } as const;
  t.is(oomKills(cgroup), 3);
  t.deepEqual(memoryLimit(cgroup), { bytes: 67108864, dir: join(mount, 'app') });
  t.is(oomKills({ ...cgroup, dir: join(mount, 'old') }), undefined);
  t.is(memoryLimit({ ...cgroup, dir: mount }), undefined);
});

test('v2: the local counter before the hierarchical one, the limit, the ancestor that has the controller', (t) => {
  const mount = tree(t, {
    'app/memory.max': '1048576\n',
    'app/memory.events': 'low 0\noom 9\noom_kill 5\noom_group_kill 0\n',
    'app/memory.events.local': 'low 0\noom 9\noom_kill 1\n',
    'app/leaf/cgroup.procs': '',
    'only/memory.max': 'max\n',
    'only/memory.events': 'oom_kill 2\n',
  });
  const cgroup = { version: 2, dir: join(mount, 'app'), mount } as const;
  t.is(oomKills(cgroup), 1);
  t.is(oomKills({ ...cgroup, dir: join(mount, 'app/leaf') }), 1);
  t.deepEqual(memoryLimit({ ...cgroup, dir: join(mount, 'app/leaf') }), { bytes: 1048576, dir: join(mount, 'app') });
  t.is(oomKills({ ...cgroup, dir: join(mount, 'only') }), 2);
  t.is(memoryLimit({ ...cgroup, dir: join(mount, 'only') }), undefined);
});

for (const [version, file, none] of [[1, 'memory.limit_in_bytes', '9223372036854771712'], [2, 'memory.max', 'max']] as const) {
  test(`v${version}: of several limits the tightest, whichever ancestor has it`, (t) => {
    const mount = tree(t, { [`a/${file}`]: '1048576\n', [`a/b/${file}`]: '4194304\n', [`a/b/c/${file}`]: `${none}\n`, [`a/same/${file}`]: '1048576\n', [`a/less/${file}`]: '524288\n' });
    const limit = (path: string) => memoryLimit({ version, dir: join(mount, path), mount });
    t.deepEqual(limit('a/b/c'), { bytes: 1048576, dir: join(mount, 'a') });
    t.deepEqual(limit('a/same'), { bytes: 1048576, dir: join(mount, 'a/same') });
    t.deepEqual(limit('a/less'), { bytes: 524288, dir: join(mount, 'a/less') });
  });
}

test('v2: how often each limit was met, from the cgroup up; v1 does not tell', (t) => {
  const mount = tree(t, {
    'a/memory.events': 'max 31\noom 5\noom_kill 5\n',
    'a/memory.events.local': 'max 31\noom 3\noom_kill 0\n',
    'a/memory.max': '2048\n',
    'a/b/memory.events': 'max 0\noom 1\noom_kill 1\n',
    'a/b/off/cgroup.procs': '',
  });
  const cgroup = { version: 2, dir: join(mount, 'a/b/off'), mount } as const;
  t.deepEqual([...limitsMet(cgroup)], [[join(mount, 'a/b'), 1], [join(mount, 'a'), 3]]);
  t.is(limitsMet({ ...cgroup, version: 1 }).size, 0);
  t.is(limitAt(2, join(mount, 'a')), 2048);
  t.is(limitAt(2, join(mount, 'a/b')), undefined);
});

test('ledger: the limit that was met lately, the nearest of several', (t) => {
  const ledger = new OomLedger();
  const met = (own: number, above: number, now: number) => ledger.met(new Map([['/a/b', own], ['/a', above]]), now);
  t.is(met(7, 7, 0), undefined); // what was there before
  t.is(met(7, 8, 100), '/a');
  t.is(met(7, 8, 200), '/a'); // met a moment before the kill was counted
  t.is(met(8, 9, 300), '/a/b');
  t.is(met(8, 10, 400), '/a', 'that of /a/b explains another death');
  t.is(met(8, 10, 401 + CREDIT_MS), undefined);
  ledger.keep(new Set(['/a/c']));
  t.is(met(9, 10, 50_000), undefined); // that of /a/b was forgotten
  t.is(met(9, 11, 60_000), '/a');
});

test('a process is found through /proc', (t) => {
  const mount = tree(t, { 'app/memory.max': 'max\n' });
  const proc = tree(t, { 'self/mountinfo': `30 23 0:26 / ${mount} rw - cgroup2 cgroup2 rw\n`, '77/cgroup': '0::/app\n', '78/cgroup': '0::/gone\n' });
  const cgroups = new Cgroups(proc);
  t.is(cgroups.of(77)?.dir, join(mount, 'app'));
  t.is(cgroups.of(78), undefined);
  t.is(cgroups.of(79), undefined);
});

test('ledger: what was there before explains nothing', (t) => {
  const ledger = new OomLedger();
  ledger.note('a', 4, 0);
  t.false(ledger.take('a', 1));
});

test('ledger: one kill explains one death', (t) => {
  const ledger = new OomLedger();
  ledger.note('a', 4, 0);
  ledger.note('a', 5, 100);
  t.true(ledger.take('a', 100));
  t.false(ledger.take('a', 100));
});

test('ledger: a kill of long ago was some other process', (t) => {
  const ledger = new OomLedger();
  ledger.note('a', 0, 0);
  ledger.note('a', 1, 100);
  t.false(ledger.take('a', 101 + CREDIT_MS));
  ledger.note('a', 2, 200_000);
  t.true(ledger.take('a', 200_001));
});

test('ledger: cgroups are apart, and forgotten when nobody is in them', (t) => {
  const ledger = new OomLedger();
  ledger.note('a', 0, 0);
  ledger.note('b', 0, 0);
  ledger.note('a', 1, 1);
  t.false(ledger.take('b', 1));
  ledger.keep(new Set(['b']));
  t.false(ledger.take('a', 1));
  ledger.note('a', 9, 2);
  t.false(ledger.take('a', 2));
});
