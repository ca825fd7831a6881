/**
 * Whether the logs can be written, before anything is served: at start, in --check-config, and the access log on a reload. Runs in the master, which
 * writes only its own (log/logger.ts): the access log every worker opens for itself (http/access-log).
 */
import { accessSync, closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LoadedConfig } from '../config/load.js';
import { DroverError, unwritable } from '../errors.js';

/** --access-logfile. Makes the file where it is not there. Throws DroverError. */
export function checkAccessLogFile({ config, sources }: LoadedConfig): void {
  const file = config.accessLogfile;
  if (file === null) return;
  try {
    if (file === '-') fstatSync(1);
    // To open a FIFO waits for its reader.
    else if (statSync(file, { throwIfNoEntry: false })?.isFIFO() === true) accessSync(file, constants.W_OK);
    else closeSync(openSync(file, 'a'));
  } catch (error) {
    const { why, remedy } = unwritable(file, (error as NodeJS.ErrnoException).code, ', or - for standard output');
    throw new DroverError('ERR_DROVER_LOG_FILE', `--access-logfile ${file} cannot be opened: ${why} (${sources.accessLogfile.where})`, remedy);
  }
}

/** --log-file. Makes nothing. Throws DroverError. */
export function checkLogFile({ config, sources }: LoadedConfig): void {
  const file = config.logFile;
  if (file === '-') return;
  const problem = writeProblem(file);
  if (problem === undefined) return;
  const { why, remedy } = unwritable(file, problem, ', or - for stderr');
  throw new DroverError('ERR_DROVER_LOG_FILE', `--log-file ${file} cannot be opened: ${why} (${sources.logFile.where})`, remedy);
}

/** Why a file cannot be written, or made where it is not there: an errno's name; undefined when it can. Neither opens nor makes it. */
function writeProblem(file: string): string | undefined {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) return 'EISDIR';
    if (found !== undefined) accessSync(file, constants.W_OK);
    else accessSync(`${dirname(file)}/.`, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
