/**
 * Compiles the worker's code, once, for all workers (ipc/compiled-code.ts). Runs in the master.
 *
 * It is done when the first worker has been started, which needs it only after Node itself has started in it. That takes several times as long.
 */
import { readFileSync } from 'node:fs';
import { writeCompiled } from '../ipc/compiled-code.js';
import { closeFd, native } from '../native.js';
import { WORKER_CODE, codeProblem } from './worker-code.js';

const CHANGES_LOADING = ['NODE_OPTIONS', 'NODE_PRESERVE_SYMLINKS', 'NODE_PRESERVE_SYMLINKS_MAIN'] as const;

export class CompiledCode {
  /** -1: there is none, nor will there be. */
  #fd: number | undefined;
  readonly #ownArgs: readonly string[];

  /** `ownArgs`: the flags of the Node that compiles, this one's. */
  constructor(ownArgs: readonly string[] = process.execArgv) {
    this.#ownArgs = ownArgs;
  }

  /**
   * The descriptor for a worker, which stays ours; undefined: it shall compile for itself. V8 takes nothing that was compiled under other flags than its own, and what Node is made to load
   * before a program may change how that is loaded.
   */
  forWorker(nodeArgs: readonly string[], env: NodeJS.ProcessEnv): number | undefined {
    const isPlain = nodeArgs.length === 0 && this.#ownArgs.length === 0 && CHANGES_LOADING.every((name) => (env[name] ?? '') === '');
    if (!isPlain) return undefined;
    if (this.#fd === undefined) {
      const fd = native.createMemory('drover-code', 0);
      this.#fd = fd;
      if (fd >= 0) setImmediate(() => this.#compile(fd));
    }
    return this.#fd < 0 ? undefined : this.#fd;
  }

  #compile(fd: number): void {
    try {
      const source = readFileSync(WORKER_CODE);
      // Of files that are being replaced just now nothing is kept.
      if (codeProblem() === undefined) writeCompiled(fd, source, WORKER_CODE);
    } catch {
      // Out of files, or of memory: then each compiles for itself, or finds out why it cannot.
    }
    // It is code that workers run, in the reach of all that runs in one: where it cannot be sealed no other gets it.
    if (native.sealMemory(fd) === 0) return;
    closeFd(fd);
    this.#fd = -1;
  }
}
