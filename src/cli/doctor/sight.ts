/**
 * What the doctor looks at: the kernel's files below a root (a fake one in tests), and the few facts that no file tells. In the process of
 * the command.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { grantedCpus } from '../../config/cpus.js';
import { BOARD_BYTES } from '../../ipc/board.js';
import { findCgroup, memoryLimit, parseMounts, type MemoryLimit } from '../../master/cgroup.js';
import { defaultDirectory, diskOf } from '../../master/heartbeat.js';
import { closeFd, native } from '../../native.js';

export interface Sight {
  /** A file's text, trimmed, by its path without the leading slash; undefined when there is none or it may not be read. */
  read(path: string): string | undefined;
  /** CPUs that the cgroup, cpuset and affinity grant. */
  cpus: number;
  memory: { limit: MemoryLimit | undefined; totalBytes: number };
  /** Version of Node, without v. */
  node: string;
  /** 0: bpf(2) is allowed; else why not: -errno. */
  bpf: number;
  /** Where heartbeat files are put when --worker-tmp-dir is not given. */
  defaultTmpDir: string;
  /** Name of the file system of a directory when it is a disk; undefined: in memory. Throws when there is no such directory. */
  diskOf(dir: string): string | undefined;
}

export function look(root = '/'): Sight {
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(join(root, path), 'utf8').trim();
    } catch {
      return undefined;
    }
  };
  return {
    read,
    cpus: grantedCpus(root, availableParallelism()),
    memory: { limit: memoryOf(root, read), totalBytes: totalmem() },
    node: process.versions.node,
    bpf: tryBpf(),
    defaultTmpDir: defaultDirectory(),
    diskOf: (dir) => diskOf(dir),
  };
}

/** The limit of our memory cgroup; v1 and v2. */
export function memoryOf(root: string, read: Sight['read']): MemoryLimit | undefined {
  const mounts = parseMounts(read('proc/self/mountinfo') ?? '').map((mount) => ({ ...mount, point: join(root, mount.point) }));
  const cgroup = findCgroup(read('proc/self/cgroup') ?? '', mounts);
  return cgroup === undefined ? undefined : memoryLimit(cgroup);
}

/** The map that steering needs, made and closed again. */
function tryBpf(): number {
  const fd = native.createBoardMap(BOARD_BYTES);
  if (fd < 0) return fd;
  closeFd(fd);
  return 0;
}
