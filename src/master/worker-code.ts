/**
 * Whether the files that workers are started from are still those of this master. `npm ci` in a running deployment replaces them, by another version as often
 * as not, and a worker of another build would read the board and the messages differently. Runs in the master.
 *
 * The bundle's own fingerprint tells (.ci/bundle.mjs writes it beside the bundle): the same version installed again is the same. The addon
 * is not in it, but the board's layout is, which both have.
 */
import { accessSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import { ADDON } from '../native.js';

/** Of the bundle that .ci/bundle.mjs makes of src/worker/main.ts. */
export const WORKER_MAIN = fileURLToPath(new URL('../../worker/main.cjs', import.meta.url));
/** What it requires: all the rest. */
export const WORKER_CODE = fileURLToPath(new URL('../../worker/worker.cjs', import.meta.url));
/** Version and fingerprint, with a space between. */
const BUILD = fileURLToPath(new URL('../../worker/build', import.meta.url));

const ours = read();

/** What keeps this master from starting workers, for people; undefined: nothing. */
export function codeProblem(): Error | undefined {
  const now = read();
  if (now instanceof Error) return now;
  if (now === ours) return undefined;
  if (ours instanceof Error) return new Error("drover's own files were incomplete when this master started: it can start no workers. Stop it and start it again");
  const [version, other] = [ours, now].map((build) => build.split(/\s/, 1)[0]!);
  const by = version === other ? `another build of ${other}` : `${other}, and this is ${version}`;
  return new Error(`drover's own files have been replaced since this master started (by ${by}): it can start no more workers. Stop it and start it again`);
}

function read(): string | Error {
  try {
    accessSync(WORKER_MAIN);
    accessSync(ADDON);
    return readFileSync(BUILD, 'utf8');
  } catch (error) {
    const { code, errno, path } = error as NodeJS.ErrnoException;
    // They may well be there.
    if (code === 'EMFILE' || code === 'ENFILE') return error as Error;
    return new Error(`drover's own files cannot be read (${getSystemErrorName(errno!)}, ${path}): is it being installed? If its folder is gone for good (an old release), stop drover and start the new one`);
  }
}
