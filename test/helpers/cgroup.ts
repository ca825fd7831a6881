/** A memory cgroup of a test's own, below the one it runs in; v1 or v2, whichever holds the memory controller here. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

export interface MemoryCgroup {
  path: string;
  /** Starts a command in it. */
  prefix: string[];
  /** v2: a cgroup in this one, which then takes no process itself. */
  below(limitBytes: number): MemoryCgroup;
}

/** Undefined where this version has no memory controller, or we may not make a group. Needs root. */
export function memoryCgroup(t: ExecutionContext<any>, version: 'v1' | 'v2', limitBytes: number): MemoryCgroup | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' '));
  const mount = mounts.find(([, , type, options]) =>
    version === 'v1' ? type === 'cgroup' && options!.split(',').includes('memory') : type === 'cgroup2',
  )?.[1];
  if (mount === undefined) return undefined;
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n').map((line) => line.split(':'));
  const own = lines.find(([id, controllers]) => (version === 'v1' ? controllers?.split(',').includes('memory') : id === '0'))?.[2];
  if (own === undefined) return undefined;
  const parent = existsSync(join(mount, own)) ? join(mount, own) : mount;
  return makeGroup(t, version, limitBytes, parent);
}

function makeGroup(t: ExecutionContext<any>, version: 'v1' | 'v2', limitBytes: number, parent: string): MemoryCgroup | undefined {
  const path = join(parent, `drover-test-${process.pid}-${randomUUID()}`);
  try {
    mkdirSync(path);
  } catch {
    return undefined;
  }
  // Teardowns run in reverse order: this one after the processes in the group have ended.
  t.teardown(() => rmdirSync(path));
  try {
    if (version === 'v1') {
      writeFileSync(join(path, 'memory.limit_in_bytes'), String(limitBytes));
      if (existsSync(join(path, 'memory.memsw.limit_in_bytes'))) writeFileSync(join(path, 'memory.memsw.limit_in_bytes'), String(limitBytes));
    } else {
      if (!existsSync(join(path, 'memory.max'))) return undefined;
      writeFileSync(join(path, 'memory.max'), String(limitBytes));
      if (existsSync(join(path, 'memory.swap.max'))) writeFileSync(join(path, 'memory.swap.max'), '0');
    }
  } catch {
    return undefined;
  }
  return {
    path,
    prefix: ['sh', '-c', `echo $$ > ${join(path, 'cgroup.procs')} && exec "$@"`, 'sh'],
    below(bytes) {
      writeFileSync(join(path, 'cgroup.subtree_control'), '+memory');
      return makeGroup(t, version, bytes, path)!;
    },
  };
}
