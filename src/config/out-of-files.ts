/**
 * Too few open files for drover itself to start with, in words for people. In the master.
 *
 * Rank 1. Loaded before all else, which may be what there are too few for.
 */
import { DroverError, MACHINE_OUT_OF_FILES, RAISE_OPEN_FILES } from '../errors.js';

/** drover loads itself with fewer. */
const ENOUGH = 64;

/** What an error is told as when it comes from having too few descriptors; undefined when it does not. */
export function outOfFiles(error: unknown): DroverError | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENFILE') {
    return new DroverError('ERR_DROVER_OPEN_FILES', `cannot start: ${MACHINE_OUT_OF_FILES.what}`, `To go on, ${MACHINE_OUT_OF_FILES.remedy}.`);
  }
  // A package that Node cannot look for, for want of a descriptor, it says is not there.
  if (code !== 'EMFILE' && !(code === 'ERR_MODULE_NOT_FOUND' && fileLimit() < ENOUGH)) return undefined;
  return new DroverError(
    'ERR_DROVER_OPEN_FILES',
    `cannot start: the ${fileLimit()} open files that this process may have are too few`,
    RAISE_OPEN_FILES,
  );
}

/** From Node's report: /proc/self/limits cannot be read without a descriptor, and the addon may not be loaded yet. */
function fileLimit(): number {
  const { userLimits } = process.report.getReport() as { userLimits: { open_files: { soft: number | 'unlimited' } } };
  return Number(userLimits.open_files.soft);
}
