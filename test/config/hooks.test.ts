import test from 'ava';
import { HOOKS, hooksOf, runHook, type HookName, type Hooks, type ServerInfo, type WorkerInfo } from '../../src/config/hooks.js';
import type { Config } from '../../src/config/options.js';
import { DroverError } from '../../src/errors.js';

const server: ServerInfo = { pid: 1, config: {} as Config, workers: () => [] };
const worker: WorkerInfo = { pid: 2, slot: 0, generation: 1, state: 'ready' };
const noReport = (): void => {
  throw new Error('reported');
};

test('a hook gets its arguments', async (t) => {
  const seen: unknown[] = [];
  await runHook({ nworkersChanged: (...args) => void seen.push(...args) }, 'nworkersChanged', noReport, server, 3, 2);
  t.deepEqual(seen, [server, 3, 2]);
});

test('a hook is called before runHook returns, and awaited', async (t) => {
  const steps: string[] = [];
  const hooks: Hooks = {
    workerExit: async () => {
      steps.push('called');
      await Promise.resolve();
      steps.push('done');
    },
  };
  const running = runHook(hooks, 'workerExit', noReport, worker);
  t.deepEqual(steps, ['called']);
  await running;
  t.deepEqual(steps, ['called', 'done']);
});

test('no hook, no call', async (t) => {
  await t.notThrowsAsync(runHook({}, 'onExit', noReport, server));
});

for (const name of Object.keys(HOOKS) as HookName[]) {
  for (const [kind, hook] of [
    ['throws', () => { throw new Error('boom'); }],
    ['rejects', () => Promise.reject(new Error('boom'))],
    ['throws no Error', () => { throw 'boom'; }], // eslint-disable-line @typescript-eslint/only-throw-error
  ] as const) {
    test(`${name} ${kind}: reported${name === 'onStarting' ? ', and stops the start' : ''}`, async (t) => {
      const reports: { hook: HookName; message: string; stack: string }[] = [];
      const run = (runHook as (hooks: object, name: HookName, report: (failure: (typeof reports)[0]) => void) => Promise<void>)({ [name]: hook }, name, (failure) => reports.push(failure));
      if (name === 'onStarting') {
        const error = await t.throwsAsync(run, { instanceOf: DroverError });
        t.is((error).code, 'ERR_DROVER_HOOK');
        t.regex((error).format(), /onStarting.*boom/);
      } else {
        await t.notThrowsAsync(run);
      }
      t.like(reports, [{ hook: name, message: 'boom' }]);
      t.regex(reports[0]!.stack, /boom/);
    });
  }
}

test('hooksOf takes the functions of known names', (t) => {
  const whenReady = (): void => {};
  t.deepEqual(hooksOf({ workers: 2, whenReady, onExit: undefined, onReload: null, other: () => {} }, 'f.js'), { whenReady });
});

test('a hook that is no function', (t) => {
  const error = t.throws(() => hooksOf({ childExit: 'x' }, '/a/drover.config.js'), { instanceOf: DroverError });
  t.regex((error).format(), /childExit.*"x".*\/a\/drover\.config\.js/);
  t.regex((error).format(), /childExit\(server, worker, death\)/);
});
