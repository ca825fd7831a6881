/**
 * What the doctor checks, one function per matter: what was seen and the configuration in, findings out. Pure; docs/doctor.md lists them for
 * users. In the process of the command.
 *
 * `bad`: drover cannot serve like this, or will fail under the load it is configured for. `warn`: it serves, and not as well as it could.
 */
import { getSystemErrorName } from 'node:util';
import type { Config } from '../../config/options.js';
import { counted } from '../../config/plural.js';
import type { Sight } from './sight.js';

export type Status = 'ok' | 'warn' | 'bad';

export interface Finding {
  name: string;
  value: string;
  status: Status;
  /** What it means for this configuration. */
  meaning: string;
  /** The command that mends it, or what else to do; only where something is to be mended. */
  fix?: string;
}

/** `bindGiven`: --bind is; without it a script is served where it listens itself, which nobody knows yet. */
export type Check = (sight: Sight, config: Config, bindGiven: boolean) => Finding[];

const MIB = 2 ** 20;
/** Descriptors a process needs beside its connections: files, sockets to databases, Node's own. */
const SPARE_DESCRIPTORS = 128;
/** What an idle Node app takes, and what a small real one does. */
const LEAST_WORKER_BYTES = 48 * MIB;
const COMFORTABLE_WORKER_BYTES = 128 * MIB;
/** Without --worker-connections: what a busy worker may well hold. */
const MANY_CONNECTIONS = 10_000;

function node({ node: version }: Sight): Finding[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const name = 'Node.js';
  if (major < 20 || (major === 20 && minor < 20)) return [{ name, value: version, status: 'bad', meaning: 'too old: drover needs 20.20 or newer', fix: 'Install Node 24.' }];
  if (major % 2 === 1) return [{ name, value: version, status: 'warn', meaning: 'not a line with long-term support; drover is tested on 20, 22, 24 and 26', fix: 'Install Node 24.' }];
  return [{ name, value: version, status: 'ok', meaning: 'supported' }];
}

function kernel({ read }: Sight): Finding[] {
  const version = read('proc/sys/kernel/osrelease') ?? 'unknown';
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const has = major > 4 || (major === 4 && minor >= 5);
  if (has) return [{ name: 'EPOLLEXCLUSIVE', value: `Linux ${version}`, status: 'ok', meaning: 'one connection wakes one worker' }];
  return [{ name: 'EPOLLEXCLUSIVE', value: `Linux ${version}`, status: 'warn', meaning: 'needs Linux 4.5: a connection may wake several workers', fix: 'Use a newer kernel.' }];
}

function descriptors({ read }: Sight, config: Config): Finding[] {
  const name = 'open files';
  const [, soft, hard] = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m.exec(read('proc/self/limits') ?? '') ?? [];
  if (soft === undefined || hard === undefined) return [{ name, value: 'unknown', status: 'warn', meaning: '/proc/self/limits cannot be read', fix: 'Mount /proc.' }];
  const value = `soft ${soft}, hard ${hard}`;
  // Node raises the soft limit to the hard one when it starts, so this is the one that counts.
  const limit = hard === 'unlimited' ? Infinity : Number(hard);
  const sockets = config.bind.length * config.workers;
  const wanted = (config.workerConnections || MANY_CONNECTIONS) + sockets + SPARE_DESCRIPTORS;
  const master = sockets + 2 * config.workers + SPARE_DESCRIPTORS;
  const fix = `ulimit -Hn ${Math.max(wanted, 65_536)}   (systemd: LimitNOFILE=${Math.max(wanted, 65_536)})`;
  if (limit < master) return [{ name, value, status: 'bad', meaning: `the master needs ${master} for ${counted(config.workers, 'worker')}`, fix }];
  if (limit >= wanted) return [{ name, value, status: 'ok', meaning: `per process; Node raises soft to hard; a worker needs ${wanted} for ${counted(config.workerConnections || MANY_CONNECTIONS, 'connection')}` }];
  const left = Math.max(0, limit - sockets - SPARE_DESCRIPTORS);
  if (config.workerConnections > 0) return [{ name, value, status: 'bad', meaning: `a worker runs out of them at about ${counted(left, 'connection')}, before its --worker-connections ${config.workerConnections}`, fix }];
  return [{ name, value, status: 'warn', meaning: `a worker runs out of them at about ${counted(left, 'connection')}, and then pauses accepting`, fix: `${fix}, or --worker-connections ${left}` }];
}

function backlog({ read }: Sight, config: Config): Finding[] {
  const name = 'net.core.somaxconn';
  const value = number(read, 'proc/sys/net/core/somaxconn');
  if (value === undefined) return [];
  if (value >= config.backlog) return [{ name, value: String(value), status: 'ok', meaning: `holds --backlog ${config.backlog}` }];
  return [{ name, value: String(value), status: 'warn', meaning: `cuts --backlog ${config.backlog} to ${value} waiting connections per socket`, fix: sysctl(name, config.backlog) }];
}

function synBacklog({ read }: Sight, config: Config): Finding[] {
  const name = 'net.ipv4.tcp_max_syn_backlog';
  const value = number(read, 'proc/sys/net/ipv4/tcp_max_syn_backlog');
  const cookies = number(read, 'proc/sys/net/ipv4/tcp_syncookies');
  if (value === undefined) return [];
  if (cookies !== 0) return [{ name, value: String(value), status: 'ok', meaning: 'does not bind: net.ipv4.tcp_syncookies is on, and --backlog bounds handshakes too' }];
  if (value >= config.backlog) return [{ name, value: String(value), status: 'ok', meaning: `holds --backlog ${config.backlog}` }];
  return [{ name, value: String(value), status: 'warn', meaning: `with SYN cookies off, handshakes beyond three quarters of it are dropped, before --backlog ${config.backlog}`, fix: sysctl(name, config.backlog) }];
}

function abortOnOverflow({ read }: Sight): Finding[] {
  const name = 'net.ipv4.tcp_abort_on_overflow';
  const value = number(read, 'proc/sys/net/ipv4/tcp_abort_on_overflow');
  if (value === undefined) return [];
  if (value === 0) return [{ name, value: '0', status: 'ok', meaning: 'a client that meets a full queue tries again by itself' }];
  return [{ name, value: String(value), status: 'warn', meaning: 'a client that meets a full queue is reset, and a short burst becomes errors', fix: sysctl(name, 0) }];
}

function migrate({ read }: Sight): Finding[] {
  const value = number(read, 'proc/sys/net/ipv4/tcp_migrate_req');
  if (value === undefined) return [];
  return [{ name: 'net.ipv4.tcp_migrate_req', value: String(value), status: 'ok', meaning: 'of no matter: drover closes no listening socket while it serves, and workers take from each other' }];
}

function overflows({ read }: Sight): Finding[] {
  const counts = netstat(read('proc/net/netstat') ?? '');
  if (counts === undefined) return [];
  return [{ name: 'ListenOverflows', value: String(counts.overflows), status: 'ok', meaning: 'connections that met a full queue, all programs of this network namespace, since its start; while it serves, drover logs its own as listen.overflow' }];
}

const CAP_NET_BIND_SERVICE = 10;
const CAP_SYS_ADMIN = 21;
const CAP_BPF = 39;

function steering({ read, bpf }: Sight, config: Config): Finding[] {
  const name = 'CAP_BPF';
  const { acceptStrategy, steer = 'auto', bind } = config as Config & { steer?: string };
  const status = read('proc/self/status') ?? '';
  const has = hasCapability(status, 'CapEff', CAP_BPF) || hasCapability(status, 'CapEff', CAP_SYS_ADMIN);
  const unprivileged = number(read, 'proc/sys/kernel/unprivileged_bpf_disabled');
  const value = `${has ? 'yes' : 'no'}, bpf(2) ${bpf === 0 ? 'works' : getSystemErrorName(bpf)}${unprivileged === undefined ? '' : `, unprivileged_bpf_disabled ${unprivileged}`}`;
  if (!['reuseport', 'auto'].includes(acceptStrategy)) return [{ name, value, status: 'ok', meaning: `not needed by --accept-strategy ${acceptStrategy}` }];
  if (bind.every(({ kind }) => kind !== 'tcp')) return [{ name, value, status: 'ok', meaning: 'not needed: no TCP address in --bind' }];
  if (['weighted', 'hash', 'source'].includes(steer)) return [{ name, value, status: 'ok', meaning: `not needed by --steer ${steer}` }];
  if (bpf === 0) return [{ name, value, status: 'ok', meaning: 'the kernel gives each connection to the least loaded worker (steering least)' }];
  const bounded = hasCapability(status, 'CapBnd', CAP_BPF);
  const fix = has
    ? 'A seccomp filter or an old kernel refuses bpf(2): allow it, or use Linux 5.8.'
    : bounded
      ? 'systemd: AmbientCapabilities=CAP_BPF; or: capsh --keep=1 --user=USER --inh=cap_bpf --addamb=cap_bpf -- -c "drover ..."'
      : 'The container is not granted it: docker run --cap-add BPF';
  if (steer === 'least') return [{ name, value, status: 'bad', meaning: '--steer least cannot work without it', fix }];
  return [{ name, value, status: config.workers === 1 ? 'ok' : 'warn', meaning: 'without it connections are spread by weights (steering weighted); with it, by the load at that moment', ...(config.workers === 1 ? {} : { fix }) }];
}

function sources(_sight: Sight, config: Config, bindGiven: boolean): Finding[] {
  const { steer, bind, workers } = config as Config & { steer?: string };
  const name = '--steer source';
  const hosts = bind.flatMap((address) => (address.kind === 'tcp' ? [address.host] : []));
  if (steer !== 'source' || workers === 1 || !bindGiven) return [];
  if (hosts.length < bind.length) {
    return [{ name, value: 'an address that is not TCP', status: 'warn', meaning: 'unix sockets and inherited descriptors are one socket for all: a client does not keep its worker there', fix: 'Let drover open TCP addresses itself, or run several drovers with -w 1.' }];
  }
  if (hosts.length === 0 || !hosts.every(isLoopback)) return [];
  return [
    {
      name,
      value: hosts.join(', '),
      status: 'warn',
      meaning: 'who connects there is of this machine, as a proxy is, and all connections of one address go to one worker',
      fix: 'Let clients connect themselves (-b 0.0.0.0:8000), or run several drovers with -w 1 and let the proxy keep a client at one of them.',
    },
  ];
}

/** What holds the program of as many workers as there can be, and is what kernels of 64 bits have at the least. */
const OPTMEM_BYTES = 20_480;

/** What one of `source` takes, as Linux 6.18 counts it. */
const sourceProgramBytes = (slots: number): number => 1104 + 48 * slots;

function sourceProgram({ read }: Sight, { steer, acceptStrategy, workers }: Config): Finding[] {
  const name = 'net.core.optmem_max';
  const value = number(read, 'proc/sys/net/core/optmem_max');
  if (value === undefined || steer !== 'source' || !['reuseport', 'auto'].includes(acceptStrategy)) return [];
  if (value >= sourceProgramBytes(workers)) return [{ name, value: String(value), status: 'ok', meaning: `holds the program of --steer source for ${counted(workers, 'worker')}` }];
  return [{ name, value: String(value), status: 'bad', meaning: `too little for the program of --steer source with ${counted(workers, 'worker')}: a client would not keep its worker`, fix: sysctl(name, OPTMEM_BYTES) }];
}

function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || host.startsWith('127.');
}

function heartbeat({ defaultTmpDir, diskOf }: Sight, config: Config): Finding[] {
  const name = 'heartbeat directory';
  const value = config.workerTmpDir ?? defaultTmpDir;
  if (config.timeoutMs === 0) return [{ name, value, status: 'ok', meaning: 'not used: --timeout is off' }];
  const fix = '--worker-tmp-dir /dev/shm   (docker run --tmpfs /dev/shm)';
  try {
    const disk = diskOf(value);
    if (disk === undefined) return [{ name, value, status: 'ok', meaning: 'in memory: no disk can delay a heartbeat' }];
    return [{ name, value: `${value} (${disk})`, status: 'warn', meaning: 'on a disk, which may delay heartbeats; drover then judges by shared memory alone', fix }];
  } catch (error) {
    return [{ name, value, status: 'warn', meaning: `cannot be used (${(error as NodeJS.ErrnoException).code ?? String(error)}): liveness is judged by shared memory alone`, fix }];
  }
}

function cpu({ cpus }: Sight, { workers, workerClass }: Config): Finding[] {
  const value = `${cpus} for ${counted(workers, 'worker')}`;
  const finding = { name: 'CPUs', value };
  if (workers > 2 * cpus && workerClass !== 'sync') return [{ ...finding, status: 'warn', meaning: 'more than two workers per CPU that the cgroup grants: they wait for each other', fix: '-w auto' }];
  return [{ ...finding, status: 'ok', meaning: workers < cpus ? `-w auto would start ${cpus}` : 'all are used' }];
}

function memory({ memory: { limit, totalBytes } }: Sight, { workers, reloadParallel }: Config): Finding[] {
  const bytes = Math.min(limit?.bytes ?? Infinity, totalBytes);
  // At the height of a reload there are successors beside the workers; the master is about one more. How many old workers connections hold beyond that, nobody knows.
  const processes = workers + Math.min(reloadParallel, workers) + 1;
  const each = Math.floor(bytes / processes);
  const finding = { name: 'memory', value: `${Math.floor(bytes / MIB)} MiB${limit !== undefined && limit.bytes <= totalBytes ? ' (cgroup)' : ''}` };
  const meaning = `${Math.floor(each / MIB)} MiB for each of ${processes} processes: master, ${counted(workers, 'worker')}, ${processes - workers - 1} more in a reload (and old ones while connections hold them)`;
  if (each >= COMFORTABLE_WORKER_BYTES) return [{ ...finding, status: 'ok', meaning }];
  const fit = Math.max(1, Math.floor(bytes / COMFORTABLE_WORKER_BYTES) - 2);
  const fix = fit < workers ? `-w ${fit}, or a higher limit` : `A higher limit, or --node-args --max-old-space-size=${Math.max(16, Math.floor(each / MIB / 2))}`;
  if (each < LEAST_WORKER_BYTES) return [{ ...finding, status: 'bad', meaning: `${meaning}; Node alone takes about ${LEAST_WORKER_BYTES / MIB}`, fix }];
  return [{ ...finding, status: 'warn', meaning: `${meaning}: little for an app`, fix }];
}

function ports({ read }: Sight, config: Config): Finding[] {
  const findings: Finding[] = [];
  const tcp = config.bind.flatMap((address) => (address.kind === 'tcp' && address.port > 0 ? [address.port] : []));
  const [low = NaN, high = NaN] = (read('proc/sys/net/ipv4/ip_local_port_range') ?? '').split(/\s+/).map(Number);
  if (high >= low) {
    const name = 'net.ipv4.ip_local_port_range';
    const reserved = ranges(read('proc/sys/net/ipv4/ip_local_reserved_ports') ?? '');
    const taken = tcp.filter((port) => port >= low && port <= high && !reserved.some(([from, to]) => port >= from && port <= to));
    if (taken.length > 0) {
      const all = [...reserved.map(([from, to]) => (from === to ? from : `${from}-${to}`)), ...taken].join(',');
      findings.push({ name, value: `${low}-${high}`, status: 'warn', meaning: `holds port ${taken.join(', ')} of --bind: an outgoing connection may have it when drover starts`, fix: sysctl('net.ipv4.ip_local_reserved_ports', all) });
    } else if (high - low < 10_000) {
      findings.push({ name, value: `${low}-${high}`, status: 'warn', meaning: `${counted(high - low + 1, 'connection')} at most from here to one address: a proxy on this machine, or the app to its database, may run out`, fix: sysctl(name, '"10240 65535"') });
    } else findings.push({ name, value: `${low}-${high}`, status: 'ok', meaning: 'outgoing connections to one address: enough, and no port of --bind among them' });
  }
  const privileged = number(read, 'proc/sys/net/ipv4/ip_unprivileged_port_start') ?? 1024;
  const low1024 = tcp.filter((port) => port < privileged);
  if (low1024.length > 0) {
    const allowed = hasCapability(read('proc/self/status') ?? '', 'CapEff', CAP_NET_BIND_SERVICE);
    const finding = { name: 'privileged ports', value: low1024.join(', ') };
    if (allowed) findings.push({ ...finding, status: 'ok', meaning: 'may be bound (CAP_NET_BIND_SERVICE)' });
    else findings.push({ ...finding, status: 'bad', meaning: `may not be bound: below ${privileged}, and no CAP_NET_BIND_SERVICE`, fix: `${sysctl('net.ipv4.ip_unprivileged_port_start', Math.min(...low1024))}   (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)` });
  }
  return findings;
}

export const CHECKS: readonly Check[] = [node, kernel, descriptors, backlog, synBacklog, abortOnOverflow, overflows, migrate, ports, steering, sources, sourceProgram, heartbeat, cpu, memory];

/** The worst of them. */
export function worst(findings: readonly Finding[]): Status {
  return (['bad', 'warn'] as const).find((status) => findings.some((finding) => finding.status === status)) ?? 'ok';
}

/** TcpExt of /proc/net/netstat: a line of names, then a line of numbers. */
function netstat(text: string): { overflows: number } | undefined {
  const [names = [], values = []] = text.split('\n').filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '));
  const at = names.indexOf('ListenOverflows');
  return at === -1 ? undefined : { overflows: Number(values[at]) };
}

function hasCapability(status: string, set: 'CapEff' | 'CapBnd', bit: number): boolean {
  const hex = new RegExp(`^${set}:\\s+([0-9a-f]+)$`, 'm').exec(status)?.[1];
  return hex !== undefined && ((BigInt(`0x${hex}`) >> BigInt(bit)) & 1n) === 1n;
}

function number(read: Sight['read'], path: string): number | undefined {
  const text = read(path);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** `8080,9000-9010` */
function ranges(text: string): [number, number][] {
  return text.split(',').filter((part) => part !== '').map((part) => {
    const [from = NaN, to = from] = part.split('-').map(Number);
    return [from, to];
  });
}

function sysctl(name: string, value: number | string): string {
  return `sysctl -w ${name}=${value}`;
}
