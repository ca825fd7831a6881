/**
 * What drover cannot do without and the system refuses, in words for people: shared memory and threads. Policy.
 *
 * Rank 2. In the master; a worker tells the master of its threads.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { DroverError, RAISE_PROCESSES } from '../errors.js';
import { check, native } from '../native.js';

const { EACCES, EAGAIN, EFBIG, ENOSYS, EPERM } = constants.errno;

/** Shared memory of `bytes`: its descriptor. */
export function createSharedMemory(name: string, bytes: number): number {
  const fd = native.createMemory(`drover-${name}`, bytes);
  const refusal = memoryRefused(fd);
  if (refusal !== undefined) throw refusal;
  return check('memfd_create', fd);
}

/** -errno of createMemory, where it says what the user can do. */
export function memoryRefused(errno: number): DroverError | undefined {
  switch (-errno) {
    case EACCES:
    case ENOSYS:
    case EPERM:
      return refused(errno, 'the system refuses shared memory, memfd_create(2)', 'Allow that call where system calls are filtered: the seccomp profile of the container, or SystemCallFilter= in systemd (@system-service has it).');
    case EFBIG:
      return refused(errno, 'shared memory is larger than this process may make a file', 'Raise the limit: ulimit -f, or LimitFSIZE= in systemd.');
    default:
      return undefined;
  }
}

/** -errno of a native call that starts a thread, where it says what the user can do. */
export function threadRefused(errno: number): DroverError | undefined {
  return -errno === EAGAIN ? refused(errno, 'the system allows no more threads', `To go on, ${RAISE_PROCESSES}.`) : undefined;
}

function refused(errno: number, what: string, remedy: string): DroverError {
  return new DroverError('ERR_DROVER_SYSTEM', `${what} (${getSystemErrorName(errno)})`, remedy);
}
