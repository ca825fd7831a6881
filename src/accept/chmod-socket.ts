/** The permissions of a unix socket's file, as an app asks for them when it listens: `listen({ readableAll, writableAll })`. */
import { chmodSync, statSync } from 'node:fs';

/** What fchmod(mode) of a pipe handle is given: UV_READABLE, UV_WRITABLE. */
const PIPE_READABLE = 1;
const PIPE_WRITABLE = 2;
const EINVAL = -22;

/** Adds the permissions for user, group and others, as uv_pipe_chmod does. 0 or -errno. */
export function chmodSocket(path: string, mode: number): number {
  if (path.startsWith('@')) return 0; // an abstract name has no permissions
  if ((mode & ~(PIPE_READABLE | PIPE_WRITABLE)) !== 0) return EINVAL;
  const wanted = ((mode & PIPE_READABLE) !== 0 ? 0o444 : 0) | ((mode & PIPE_WRITABLE) !== 0 ? 0o222 : 0);
  try {
    chmodSync(path, (statSync(path).mode & 0o7777) | wanted);
    return 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? EINVAL;
  }
}
