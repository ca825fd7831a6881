/** What other servers (Gunicorn, Puma, Unicorn) and habit call drover's hooks. Rank 1. In the master. */
import { HOOKS, type HookName } from './hooks.js';
import { nearest } from './nearest.js';

const NAMES: Readonly<Record<string, HookName>> = {
  onstart: 'onStarting', onboot: 'onStarting', beforestart: 'onStarting', prestart: 'onStarting',
  onready: 'whenReady', ready: 'whenReady', onlisten: 'whenReady', onlistening: 'whenReady', onbooted: 'whenReady', afterbooted: 'whenReady', onstarted: 'whenReady',
  onrestart: 'onReload', beforerestart: 'onReload', prereload: 'onReload',
  prefork: 'preSpawn', beforefork: 'preSpawn', onworkerfork: 'preSpawn', beforeworkerfork: 'preSpawn',
  postfork: 'postSpawn', afterfork: 'postSpawn', onworkerboot: 'postSpawn', beforeworkerboot: 'postSpawn', onworkerstart: 'postSpawn', workerstart: 'postSpawn',
  onworkerready: 'postWorkerInit', workerready: 'postWorkerInit', afterworkerready: 'postWorkerInit',
  onrequest: 'preRequest', beforerequest: 'preRequest', afterrequest: 'postRequest', onresponse: 'postRequest',
  onworkerexit: 'workerExit', onworkershutdown: 'workerExit', beforeworkershutdown: 'workerExit', onworkerdied: 'childExit', onchildexit: 'childExit', workerdied: 'childExit', afterworkershutdown: 'childExit',
  onstop: 'onExit', onshutdown: 'onExit', onclose: 'onExit', onstopped: 'onExit', afterstopped: 'onExit',
};

/** The hook that is meant by an unknown key, if any: by what others call it, else by its spelling. */
export function hookMeant(key: string): HookName | undefined {
  const bare = key.toLowerCase().replace(/[-_]/g, '');
  return Object.hasOwn(NAMES, bare) ? NAMES[bare] : (nearest(key, Object.keys(HOOKS)) as HookName | undefined);
}

/** For an unknown key that holds a function: nothing but a hook has one. */
export function hookRemedy(key: string): string {
  const meant = hookMeant(key);
  return meant === undefined ? `No option is a function; the hooks are ${Object.keys(HOOKS).join(', ')}.` : `Did you mean the hook ${meant}${HOOKS[meant].args}? ${HOOKS[meant].help.split('. ', 1)[0]!.replace(/\.$/, '')}.`;
}
