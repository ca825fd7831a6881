/**
 * How many CPUs the cgroup really grants us: for `--workers auto`.
 *
 * A container's CPU limit is a bandwidth quota, which os.availableParallelism() does not know: it tells what the scheduler
 * allows (cpuset, affinity). We take the smaller of the two. Quotas of parents bind as well as our own, so we walk up.
 *
 * Rank 1. In the master.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** `root` and `schedulable` are for tests: a fake filesystem root, and what the scheduler allows. */
export function grantedCpus(root = '/', schedulable = availableParallelism()): number {
  const quota = Math.min(...cpuQuotas(root));
  // Rounded up: 1.5 CPUs are used up by two workers only.
  return Math.max(1, Math.min(schedulable, Math.ceil(quota)));
}

/** Every quota that binds this process, in CPUs. */
function cpuQuotas(root: string): number[] {
  const mounts = cgroupMounts(read(root, 'proc/self/mountinfo') ?? '');
  const quotas: number[] = [];
  for (const line of (read(root, 'proc/self/cgroup') ?? '').split('\n')) {
    const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (hierarchy === undefined || controllers === undefined || path === undefined) continue;
    const v2 = hierarchy === '0' && controllers === '';
    if (!v2 && !controllers.split(',').includes('cpu')) continue;
    for (const mount of mounts) {
      if (v2 ? mount.type !== 'cgroup2' : mount.type !== 'cgroup' || !mount.options.includes('cpu')) continue;
      for (const directory of directoriesUpFrom(path, mount)) {
        const quota = v2 ? quotaOfV2(root, directory) : quotaOfV1(root, directory);
        if (quota !== undefined) quotas.push(quota);
      }
    }
  }
  return quotas;
}

interface CgroupMount {
  type: 'cgroup' | 'cgroup2';
  /** The cgroup that is seen at the mount point: `/`, or the container's own where a v1 hierarchy is bind-mounted. */
  cgroup: string;
  point: string;
  options: string[];
}

/** /proc/self/mountinfo: `36 35 0:31 /cgroup /mount/point rw,nosuid shared:1 - cgroup cgroup rw,cpu,cpuacct`. */
function cgroupMounts(text: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of text.split('\n')) {
    const [left, right] = line.split(' - ');
    const [, , , cgroup, point] = (left ?? '').split(' ');
    const [type, , superOptions] = (right ?? '').split(' ');
    if (cgroup === undefined || point === undefined || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    mounts.push({ type, cgroup: unescapeOctal(cgroup), point: unescapeOctal(point), options: (superOptions ?? '').split(',') });
  }
  return mounts;
}

/** mountinfo writes blanks and backslashes in octal. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** Our cgroup's directory and its parents', as far as the mount shows them. */
function directoriesUpFrom(path: string, mount: CgroupMount): string[] {
  // With a cgroup namespace the mount's root is "/" or "/../..", and the path is relative to the namespace; where a container has no
  // namespace but a bind mount, the path names a cgroup above the mount: then the mount point itself is ours.
  let inside = path;
  if (mount.cgroup !== '/') inside = path === mount.cgroup ? '/' : path.startsWith(`${mount.cgroup}/`) ? path.slice(mount.cgroup.length) : '/';
  if (inside.split('/').includes('..')) inside = '/';
  const directories: string[] = [];
  for (let parts = inside.split('/').filter((part) => part !== ''); ; parts = parts.slice(0, -1)) {
    directories.push(join(mount.point, ...parts));
    if (parts.length === 0) return directories;
  }
}

/** cpu.max: `max 100000` or `150000 100000`. The root cgroup has no such file. */
function quotaOfV2(root: string, directory: string): number | undefined {
  const [quota, period] = (read(root, directory, 'cpu.max') ?? '').trim().split(' ');
  return ratio(quota, period);
}

/** -1 means no limit. */
function quotaOfV1(root: string, directory: string): number | undefined {
  return ratio(read(root, directory, 'cpu.cfs_quota_us')?.trim(), read(root, directory, 'cpu.cfs_period_us')?.trim());
}

function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const cpus = Number(quota) / Number(period);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : undefined;
}

function read(...path: string[]): string | undefined {
  try {
    return readFileSync(join(...path), 'utf8');
  } catch {
    return undefined; // not mounted, or hidden by the container
  }
}
