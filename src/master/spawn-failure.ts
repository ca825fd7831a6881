/** Why the process of a worker could not be started, and what to do, in words for people. Policy. */
import { MACHINE_OUT_OF_FILES, OPEN_FILES_LIMIT, RAISE_PROCESSES } from '../errors.js';

export interface SpawnFailure {
  what: string;
  /** undefined: `what` says all. */
  remedy: string | undefined;
}

export interface SpawnSurroundings {
  /** How many descriptors the master may have. */
  limit: () => number;
  /** The directory the worker was to run in, and the program. */
  directory: string;
  program: string;
  isThere: (path: string) => boolean;
}

export function explainSpawnFailure(error: NodeJS.ErrnoException, { limit, directory, program, isThere }: SpawnSurroundings): SpawnFailure {
  switch (error.code) {
    case 'ENOENT':
      // Node says the same of both.
      if (!isThere(directory)) return { what: `the working directory ${directory} is gone (ENOENT)`, remedy: 'make it anew, or start drover again with a --chdir that is there' };
      if (!isThere(program)) return { what: `${program}, the Node that drover runs under, is gone (ENOENT)`, remedy: 'start drover again with the Node that is there now' };
      return { what: error.message, remedy: undefined };
    case 'EAGAIN':
      return { what: 'the system allows no more processes (EAGAIN)', remedy: RAISE_PROCESSES };
    case 'ENOMEM':
      return { what: 'there is no memory for one more process (ENOMEM)', remedy: 'free memory or run fewer workers; with vm.overcommit_memory=2 it is what all have asked for that counts, not what they use' };
    case 'EMFILE':
      return { what: `the ${limit()} open files that the master may have are all in use (EMFILE)`, remedy: `raise the limit (${OPEN_FILES_LIMIT}), or run fewer workers` };
    case 'ENFILE':
      return { what: `${MACHINE_OUT_OF_FILES.what} (ENFILE)`, remedy: MACHINE_OUT_OF_FILES.remedy };
    default:
      return { what: error.message, remedy: undefined };
  }
}
