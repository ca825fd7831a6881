import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { grantedCpus } from '../../src/config/cpus.js';

/** A filesystem root with these files. */
function root(t: ExecutionContext, files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-cpus-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

const V2_MOUNT = '30 25 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const V1_MOUNT = '31 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n32 25 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n';

function v2(cgroup: string, limits: Record<string, string>): Record<string, string> {
  const files: Record<string, string> = { 'proc/self/mountinfo': V2_MOUNT, 'proc/self/cgroup': `0::${cgroup}\n` };
  for (const [path, text] of Object.entries(limits)) files[`sys/fs/cgroup${path}/cpu.max`] = text;
  return files;
}

test('without cgroups: what the scheduler allows', (t) => {
  t.is(grantedCpus(root(t, {}), 8), 8);
});

test('v2: the quota, rounded up', (t) => {
  t.is(grantedCpus(root(t, v2('/app', { '/app': '150000 100000\n' })), 8), 2);
  t.is(grantedCpus(root(t, v2('/app', { '/app': '200000 100000\n' })), 8), 2);
});

test('v2: never less than one', (t) => {
  t.is(grantedCpus(root(t, v2('/app', { '/app': '5000 100000\n' })), 8), 1);
});

test('v2: max is no limit', (t) => {
  t.is(grantedCpus(root(t, v2('/app', { '/app': 'max 100000\n' })), 8), 8);
});

test('v2: a parent that grants less binds', (t) => {
  t.is(grantedCpus(root(t, v2('/a/b/c', { '/a': '300000 100000\n', '/a/b': 'max 100000\n', '/a/b/c': '600000 100000\n' })), 8), 3);
});

test('v2 in a cgroup namespace: our cgroup is the root of the mount', (t) => {
  t.is(grantedCpus(root(t, v2('/', { '': '250000 100000\n' })), 8), 3);
});

test('v2: a cgroup outside of the namespace', (t) => {
  t.is(grantedCpus(root(t, v2('/../other', { '': '250000 100000\n', '/other': '100000 100000\n' })), 8), 3);
});

test('the scheduler allows less than the quota', (t) => {
  t.is(grantedCpus(root(t, v2('/app', { '/app': '800000 100000\n' })), 2), 2);
});

test('v1: quota and period, of the cgroup and its parents', (t) => {
  const files = {
    'proc/self/mountinfo': V1_MOUNT,
    'proc/self/cgroup': '5:memory:/other\n4:cpu,cpuacct:/a/b\n',
    'sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us': '-1\n',
    'sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us': '100000\n',
    'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us': '450000\n',
    'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us': '100000\n',
  };
  t.is(grantedCpus(root(t, files), 8), 5);
});

test('v1: no limit anywhere', (t) => {
  const files = {
    'proc/self/mountinfo': V1_MOUNT,
    'proc/self/cgroup': '4:cpu,cpuacct:/a\n',
    'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us': '-1\n',
    'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us': '100000\n',
  };
  t.is(grantedCpus(root(t, files), 8), 8);
});

test('v1 in a container without namespace: only its own cgroup is mounted', (t) => {
  const files = {
    'proc/self/mountinfo': '31 25 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n',
    'proc/self/cgroup': '4:cpu:/docker/abc\n',
    'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '200000\n',
    'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  };
  t.is(grantedCpus(root(t, files), 8), 2);
});

test('v1 and v2 side by side: cpu is where v1 has it', (t) => {
  const files = {
    'proc/self/mountinfo': V1_MOUNT + '30 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n',
    'proc/self/cgroup': '4:cpu,cpuacct:/a\n0::/a\n',
    'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us': '300000\n',
    'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us': '100000\n',
  };
  t.is(grantedCpus(root(t, files), 8), 3);
});

test('a mount point with a blank in it', (t) => {
  const files = {
    'proc/self/mountinfo': '30 25 0:27 / /sys/fs/c\\040group rw - cgroup2 cgroup2 rw\n',
    'proc/self/cgroup': '0::/a\n',
    'sys/fs/c group/a/cpu.max': '100000 100000\n',
  };
  t.is(grantedCpus(root(t, files), 8), 1);
});

test('here and now', (t) => {
  const cpus = grantedCpus();
  t.true(Number.isInteger(cpus) && cpus >= 1 && cpus <= availableParallelism());
});
