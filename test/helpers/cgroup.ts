/** A memory cgroup of a test's own, below the one it runs in; v1 or v2, whichever holds the memory controller here. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

export interface MemoryCgroup {
  path: string;
  /** Starts a command in it. */
  prefix: string[];
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
  const path = join(parent, `drover-test-${process.pid}-${Date.now()}`);
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
  return { path, prefix: ['sh', '-c', `echo $$ > ${join(path, 'cgroup.procs')} && exec "$@"`, 'sh'] };
}
