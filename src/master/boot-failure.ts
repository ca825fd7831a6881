/** What a boot that failed ends drover with, when it is the first: the error for people. Policy. */
import { DroverError, ERRORS, type ErrorCode } from '../errors.js';
import type { Death, DeathKind } from './death.js';
import { LATE_REMEDIES, NOT_BEGUN } from './late-boot.js';
import type { SpawnFailure } from './spawn-failure.js';
import type { WorkerHandle } from './worker-handle.js';

/** The error code of a boot that failed. What a worker has said itself goes before what it was killed for meanwhile. */
export function bootErrorCode(worker: Pick<WorkerHandle, 'killed' | 'bootFailed'>): ErrorCode {
  const code = worker.bootFailed?.code;
  if (code !== undefined && Object.hasOwn(ERRORS, code)) return code as ErrorCode;
  return worker.bootFailed === undefined && worker.killed?.reason === 'boot-timeout' ? 'ERR_DROVER_BOOT_TIMEOUT' : 'ERR_DROVER_WORKER_EXITED';
}

/** What to do where the worker has not said itself why it could not boot. */
const REMEDIES: Partial<Record<DeathKind, string>> = {
  'out-of-memory': 'Give it more memory, run fewer workers (--workers), or look for what takes so much while the app loads.',
  'heap-limit': 'Raise it (--node-args --max-old-space-size=MIB), or look for what takes so much while the app loads.',
};
const REMEDY = 'See what it wrote to standard error, or run it with plain node.';

/** `death`: as death.ts tells it. */
export function bootFailure(worker: Pick<WorkerHandle, 'killed' | 'bootFailed' | 'bootStep' | 'loaded' | 'spawnFailure'>, { kind, cause }: Pick<Death, 'kind' | 'cause'>): DroverError {
  const code = bootErrorCode(worker);
  const { config, sources } = worker.loaded;
  if (worker.bootFailed !== undefined) return new DroverError(code, worker.bootFailed.message, worker.bootFailed.remedy, worker.bootFailed.stack);
  if (worker.spawnFailure !== undefined) {
    const { what, remedy } = worker.spawnFailure;
    return new DroverError(code, `no worker can be started: ${what}`, remedy === undefined ? 'The app has not run. Install drover again if its own files are not complete.' : `The app has not run: ${remedy}.`);
  }
  if (code === 'ERR_DROVER_BOOT_TIMEOUT') {
    const { doing, of } = worker.bootStep ?? NOT_BEGUN;
    return new DroverError(code, `app ${config.app} was not ready within ${config.bootTimeoutMs} ms (--boot-timeout, ${sources.bootTimeout.where}): its worker was still ${doing}`, LATE_REMEDIES[of]);
  }
  return new DroverError(code, `app ${config.app} could not boot: ${cause}`, REMEDIES[kind] ?? REMEDY);
}

/**
 * What to do about a reload that has failed: that of the mistake in its config, or of the process that could not be started; an app that could not boot has its own in its own
 * record. undefined: the sentence says all, and it need not be HUP.
 */
export function reloadRemedy(failure: DroverError | SpawnFailure | undefined): string | undefined {
  if (failure === undefined) return 'Mend that, then send HUP again. drover --check-config, with the same options, tells beforehand whether the app loads.';
  if (failure instanceof DroverError) return thenHup((failure.remedy ?? 'Mend that.').replace(/[^.?!]$/, '$&.'));
  return failure.remedy === undefined ? undefined : thenHup(`To go on, ${failure.remedy}.`);
}

/** A remedy may have its own way of going on. */
function thenHup(remedy: string): string {
  return /\bHUP\b|start drover (?:again|anew)/.test(remedy) ? remedy : `${remedy} Then send HUP again.`;
}
