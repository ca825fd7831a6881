/** How the master calls the hooks of the config file: it goes on without one that does not end. */
import { runHook, type HookName } from '../config/hooks.js';
import type { Config } from '../config/options.js';
import { settled } from '../config/settled.js';
import { DroverError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import type { HookCaller } from './context.js';

/** What onExit may take at least, where --graceful-timeout is less. */
const EXIT_HOOK_MS = 1_000;

/** The hooks that the master waits for, and for how long, in ms. What onStarting does (migrate a database) may take as long as it takes: it is only told of. */
const PATIENCE: { readonly [Name in HookName]?: { readonly ms: (config: Config) => number; readonly then: string } } = {
  onStarting: { ms: ({ bootTimeoutMs }) => bootTimeoutMs, then: 'drover does not start before it is' },
  onReload: { ms: ({ bootTimeoutMs }) => bootTimeoutMs, then: 'the reload goes on without it' },
  preSpawn: { ms: ({ bootTimeoutMs }) => bootTimeoutMs, then: 'the worker is spawned without it' },
  onExit: { ms: ({ gracefulTimeoutMs }) => Math.max(gracefulTimeoutMs, EXIT_HOOK_MS), then: 'drover exits without it' },
};

export function hookCaller(log: Logger): HookCaller {
  return (server, loaded) =>
    async (name, ...args) => {
      const { hooks, config } = loaded();
      const call = runHook(hooks, name, (failure) => log.emit('hook.failed', { ...failure }), ...([server, ...args] as never));
      const patience = PATIENCE[name];
      if (hooks[name] === undefined || patience === undefined) return call;
      const ms = patience.ms(config);
      let goOn = (): void => {};
      const late = new Promise<void>((resolve) => (goOn = resolve));
      const timer = setTimeout(() => {
        log.emit('hook.late', { hook: name, ms, then: patience.then });
        if (name !== 'onStarting') goOn();
      }, ms);
      try {
        if (name !== 'onStarting') return await Promise.race([call, late]);
        // Only what it waits for may keep the process: that there is nothing is to be seen.
        timer.unref();
        await settled(call, (why) => new DroverError('ERR_DROVER_HOOK', `hook onStarting ${why}`, 'drover does not start before it is done.'));
      } finally {
        clearTimeout(timer);
      }
    };
}
