/**
 * Whether the logs can be written, before anything is served: at start, in --check-config, and the access log on a reload. Runs in the master, which
 * writes only its own (log/logger.ts): the access log every worker opens for itself (http/access-log).
 */
import { accessSync, closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LoadedConfig } from '../config/load.js';
import { DroverError, whereToWrite } from '../errors.js';

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
    const { code, message } = error as NodeJS.ErrnoException;
    throw new DroverError('ERR_DROVER_LOG_FILE', `--access-logfile ${file} cannot be opened: ${code ?? message} (${sources.accessLogfile.where})`, whereToWrite(code, ', or - for standard output'));
  }
}

/** --log-file. Makes nothing. Throws DroverError. */
export function checkLogFile({ config, sources }: LoadedConfig): void {
  const file = config.logFile;
  if (file === '-') return;
  const problem = writeProblem(file);
  if (problem === undefined) return;
  throw new DroverError('ERR_DROVER_LOG_FILE', `--log-file ${file} cannot be opened: ${problem} (${sources.logFile.where})`, whereToWrite(problem, ', or - for stderr'));
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
