/** What the doctor makes of what it sees: every matter, good and bad, with files and facts made up. */
import test from 'ava';
import type { Config } from '../../../src/config/options.js';
import { CHECKS, worst, type Finding } from '../../../src/cli/doctor/checks.js';
import { memoryOf, type Sight } from '../../../src/cli/doctor/sight.js';
import { renderTable } from '../../../src/cli/doctor/doctor.js';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const FILES: Record<string, string> = {
  'proc/sys/kernel/osrelease': '6.1.0-18-amd64',
  'proc/self/limits': 'Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 524288               files',
  'proc/sys/net/core/somaxconn': '4096',
  'proc/sys/net/ipv4/tcp_max_syn_backlog': '512',
  'proc/sys/net/ipv4/tcp_syncookies': '1',
  'proc/sys/net/ipv4/tcp_abort_on_overflow': '0',
  'proc/sys/net/ipv4/tcp_migrate_req': '0',
  'proc/sys/net/ipv4/ip_local_port_range': '32768\t60999',
  'proc/sys/net/ipv4/ip_local_reserved_ports': '',
  'proc/sys/net/ipv4/ip_unprivileged_port_start': '1024',
  'proc/sys/kernel/unprivileged_bpf_disabled': '2',
  'proc/self/status': 'Name:\tnode\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff',
  'proc/net/netstat': 'TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 7 9\nIpExt: InNoRoutes\nIpExt: 0',
};
const GIB = 2 ** 30;
const CONFIG = {
  workers: 4, backlog: 2048, workerConnections: 0, workerClass: 'http', reloadParallel: 1, acceptStrategy: 'reuseport',
  bind: [{ kind: 'tcp', host: '127.0.0.1', port: 8000 }], workerTmpDir: null, timeoutMs: 30_000,
} as unknown as Config;

function examine(config: object = {}, files: Record<string, string | undefined> = {}, facts: Partial<Sight> = {}, bindGiven = true): Map<string, Finding> {
  const all = { ...FILES, ...files };
  const sight: Sight = {
    read: (path) => all[path], cpus: 4, memory: { limit: undefined, totalBytes: 8 * GIB }, node: '24.1.0', bpf: 0, defaultTmpDir: '/dev/shm', diskOf: () => undefined, ...facts,
  };
  return new Map(CHECKS.flatMap((check) => check(sight, { ...CONFIG, ...config }, bindGiven)).map((finding) => [finding.name, finding]));
}

test('all is well', (t) => {
  const findings = [...examine().values()];
  t.deepEqual(findings.filter(({ status }) => status !== 'ok'), []);
  t.true(findings.every(({ fix }) => fix === undefined));
  t.is(worst(findings), 'ok');
});

test('whatever is to be mended says how', (t) => {
  const findings = examine({ backlog: 9000, workers: 40 }, { 'proc/self/limits': 'Max open files 64 64 files', 'proc/sys/net/ipv4/tcp_abort_on_overflow': '1' }, { bpf: -1, diskOf: () => 'ext4', memory: { limit: { bytes: GIB, dir: '/x' }, totalBytes: 8 * GIB } });
  const ill = [...findings.values()].filter(({ status }) => status !== 'ok');
  t.true(ill.length >= 6);
  for (const { name, fix } of ill) t.truthy(fix, name);
});

const CASES: [string, string, object, Record<string, string | undefined>, Partial<Sight>, Finding['status'], RegExp][] = [
  ['Node too old', 'Node.js', {}, {}, { node: '20.19.9' }, 'bad', /too old/],
  ['Node of an odd line', 'Node.js', {}, {}, { node: '25.0.0' }, 'warn', /long-term/],
  ['an old kernel', 'EPOLLEXCLUSIVE', {}, { 'proc/sys/kernel/osrelease': '4.4.0' }, {}, 'warn', /4\.5/],
  ['descriptors for many connections', 'open files', {}, { 'proc/self/limits': 'Max open files 1024 4096 files' }, {}, 'warn', /about 3964 connections/],
  ['fewer descriptors than --worker-connections', 'open files', { workerConnections: 5000 }, { 'proc/self/limits': 'Max open files 1024 4096 files' }, {}, 'bad', /before its --worker-connections 5000/],
  ['descriptors enough for --worker-connections', 'open files', { workerConnections: 500 }, { 'proc/self/limits': 'Max open files 1024 4096 files' }, {}, 'ok', /500 connections/],
  ['descriptors too few for the master', 'open files', { workers: 64 }, { 'proc/self/limits': 'Max open files 256 256 files' }, {}, 'bad', /the master needs 320/],
  ['no limit of descriptors', 'open files', {}, { 'proc/self/limits': 'Max open files unlimited unlimited files' }, {}, 'ok', /./],
  ['a backlog that is cut', 'net.core.somaxconn', { backlog: 5000 }, {}, {}, 'warn', /cuts --backlog 5000 to 4096/],
  ['handshakes without cookies', 'net.ipv4.tcp_max_syn_backlog', {}, { 'proc/sys/net/ipv4/tcp_syncookies': '0' }, {}, 'warn', /dropped/],
  ['aborts', 'net.ipv4.tcp_abort_on_overflow', {}, { 'proc/sys/net/ipv4/tcp_abort_on_overflow': '1' }, {}, 'warn', /reset/],
  ['a port among the outgoing ones', 'net.ipv4.ip_local_port_range', { bind: [{ kind: 'tcp', host: '::', port: 40000 }] }, {}, {}, 'warn', /port 40000/],
  ['that port reserved', 'net.ipv4.ip_local_port_range', { bind: [{ kind: 'tcp', host: '::', port: 40000 }] }, { 'proc/sys/net/ipv4/ip_local_reserved_ports': '39000-40000' }, {}, 'ok', /./],
  ['few outgoing ports', 'net.ipv4.ip_local_port_range', {}, { 'proc/sys/net/ipv4/ip_local_port_range': '60000\t60999' }, {}, 'warn', /1000 connections/],
  ['port 80 without the right', 'privileged ports', { bind: [{ kind: 'tcp', host: '::', port: 80 }] }, {}, {}, 'bad', /CAP_NET_BIND_SERVICE/],
  ['port 80 with it', 'privileged ports', { bind: [{ kind: 'tcp', host: '::', port: 80 }] }, { 'proc/self/status': 'CapEff:\t0000000000000400' }, {}, 'ok', /may be bound/],
  ['no bpf(2)', 'CAP_BPF', {}, {}, { bpf: -1 }, 'warn', /weighted/],
  ['no bpf(2), though asked for', 'CAP_BPF', { steer: 'least' }, {}, { bpf: -1 }, 'bad', /--steer least/],
  ['no bpf(2), and not needed', 'CAP_BPF', { acceptStrategy: 'shared' }, {}, { bpf: -1 }, 'ok', /not needed by --accept-strategy shared/],
  ['no bpf(2), and only a unix socket', 'CAP_BPF', { bind: [{ kind: 'unix', path: '/run/x' }] }, {}, { bpf: -1 }, 'ok', /no TCP/],
  ['no bpf(2), and not needed to steer by address', 'CAP_BPF', { steer: 'source' }, {}, { bpf: -1 }, 'ok', /not needed by --steer source/],
  ['steered by address behind a proxy of this machine', '--steer source', { steer: 'source', bind: [{ kind: 'tcp', host: '127.0.0.1', port: 8000 }] }, {}, {}, 'warn', /all connections of one address go to one worker/],
  ['steered by address at a unix socket', '--steer source', { steer: 'source', bind: [{ kind: 'unix', path: '/run/x' }] }, {}, {}, 'warn', /one socket for all/],
  ['no room for the program of --steer source', 'net.core.optmem_max', { steer: 'source', workers: 190 }, { 'proc/sys/net/core/optmem_max': '10223' }, {}, 'bad', /with 190 workers: a client would not keep its worker/],
  ['room for the program of --steer source', 'net.core.optmem_max', { steer: 'source', workers: 190 }, { 'proc/sys/net/core/optmem_max': '10224' }, {}, 'ok', /190 workers/],
  ['heartbeats on a disk', 'heartbeat directory', {}, {}, { diskOf: () => 'ext4' }, 'warn', /on a disk/],
  ['heartbeats nowhere', 'heartbeat directory', { workerTmpDir: '/none' }, {}, { diskOf: () => { throw Object.assign(new Error('x'), { code: 'ENOENT' }); } }, 'warn', /ENOENT/],
  ['no heartbeats', 'heartbeat directory', { timeoutMs: 0 }, {}, { diskOf: () => 'ext4' }, 'ok', /off/],
  ['more workers than CPUs', 'CPUs', { workers: 9 }, {}, {}, 'warn', /more than two/],
  ['more sync workers than CPUs', 'CPUs', { workers: 9, workerClass: 'sync' }, {}, {}, 'ok', /./],
  ['little memory', 'memory', {}, {}, { memory: { limit: { bytes: GIB / 2, dir: '/x' }, totalBytes: 8 * GIB } }, 'warn', /85 MiB for each of 6/],
  ['too little memory', 'memory', { workers: 16 }, {}, { memory: { limit: { bytes: GIB / 2, dir: '/x' }, totalBytes: 8 * GIB } }, 'bad', /Node alone takes/],
];

for (const [title, name, config, files, facts, status, meaning] of CASES) {
  test(title, (t) => {
    const finding = examine(config, files, facts).get(name)!;
    t.is(finding.status, status);
    t.regex(finding.meaning, meaning);
    t.is(finding.fix === undefined, status === 'ok');
  });
}

test('where a script listens itself nobody knows before it does', (t) => {
  const config: Partial<Config> = { steer: 'source', bind: [{ kind: 'tcp', host: '127.0.0.1', port: 8000 }] };
  t.true(examine(config).has('--steer source'));
  t.false(examine(config, {}, {}, false).has('--steer source'));
});

test('one worker is one worker', (t) => {
  const findings = examine({ workers: 1, workerConnections: 1 });
  t.is(findings.get('CPUs')!.value, '4 for 1 worker');
  t.regex(findings.get('memory')!.meaning, /master, 1 worker, /);
  t.regex(findings.get('open files')!.meaning, /for 1 connection$/);
});

test('nothing readable: nothing fails', (t) => {
  t.notThrows(() => examine({}, Object.fromEntries(Object.keys(FILES).map((path) => [path, undefined]))));
});

for (const [version, files] of Object.entries({
  v1: { 'proc/self/mountinfo': '30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory', 'proc/self/cgroup': '5:memory:/app', 'sys/fs/cgroup/memory/app/memory.limit_in_bytes': '536870912' },
  v2: { 'proc/self/mountinfo': '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw', 'proc/self/cgroup': '0::/app/inner', 'sys/fs/cgroup/app/inner/memory.max': 'max', 'sys/fs/cgroup/app/memory.max': '536870912' },
})) {
  test(`the memory limit of the cgroup: ${version}`, (t) => {
    const root = mkdtempSync(join(tmpdir(), 'drover-doctor-'));
    t.teardown(() => rmSync(root, { recursive: true }));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), `${text}\n`);
    }
    t.is(memoryOf(root, (path) => readFileSync(join(root, path), 'utf8'))?.bytes, 536870912);
  });
}

test('the table: on a terminal no line is wider than it, and nothing is lost', (t) => {
  const findings = [...examine({ backlog: 5000 }).values()];
  const plain = renderTable(findings, undefined);
  t.false(plain.includes('\x1b'));
  t.regex(plain, /\n0 bad, 1 to look at, 12 ok\n$/);
  const narrow = renderTable(findings, 100).replace(/\x1b\[\d+m/g, '');
  for (const line of narrow.split('\n')) t.true(line.length <= 100, line);
  t.deepEqual(narrow.split(/\s+/), plain.split(/\s+/));
});
