/** The hooks of the config file that run in a worker. The file is read there once more: functions do not travel. */
import type { Hooks, ReportHookFailure, WorkerInfo } from '../config/hooks.js';

type WorkerHook = 'postSpawn' | 'postWorkerInit' | 'workerInt' | 'workerExit';

export class WorkerHooks {
  readonly #onFailure: ReportHookFailure;
  readonly #info: () => WorkerInfo;
  #hooks: Hooks = {};
  /** Replaced when there is a config file with hooks: what runs them is loaded only then. */
  #run: (name: WorkerHook) => Promise<void> = async () => {};
  #exitDone = false;
  #waitsFor: string | undefined;

  /** `info`: what hooks get. */
  constructor(onFailure: ReportHookFailure, info: () => WorkerInfo) {
    this.#onFailure = onFailure;
    this.#info = info;
  }

  get ofConfigFile(): Hooks {
    return this.#hooks;
  }

  /** null: no config file, or none with hooks for workers. */
  async load(configFile: string | null): Promise<void> {
    if (configFile === null) return;
    this.#waitsFor = `config file ${configFile}`;
    const [{ readConfigFile }, { runHook }] = await Promise.all([import('../config/config-file.js'), import('../config/hooks.js')]);
    const hooks = (await readConfigFile(configFile)) as Hooks;
    this.#waitsFor = undefined;
    this.#hooks = hooks;
    this.#run = (name) => runHook(hooks, name, this.#onFailure, this.#info());
  }

  /** The config file that is being read, or the hook that has been called and is not done, for people. */
  get waitsFor(): string | undefined {
    return this.#waitsFor;
  }

  async run(name: WorkerHook): Promise<void> {
    this.#waitsFor = `hook ${name}`;
    await this.#run(name);
    this.#waitsFor = undefined;
  }

  /** Once, whichever way out is taken; at `exit` only what it does synchronously is done. */
  async runExit(): Promise<void> {
    if (this.#exitDone) return;
    this.#exitDone = true;
    await this.run('workerExit');
  }
}
