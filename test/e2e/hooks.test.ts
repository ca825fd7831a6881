/** The hooks of the config file: when each is called, with what, in which process. */
import test from 'ava';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { fixture, poll, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { HOOKS } from '../../src/config/hooks.js';

interface Call {
  hook: string;
  pid: number;
  args: any[];
}

/** A config whose every hook writes its name, process and arguments to a file; `more` goes into the config. */
function recordHooks(t: ExecutionContext, more = ''): { config: string; calls: () => Call[] } {
  const dir = scratch(t);
  const trace = join(dir, 'hooks');
  const config = join(dir, 'drover.config.mjs');
  writeFileSync(
    config,
    `import { appendFileSync } from 'node:fs';
const simple = (arg) => arg !== null && typeof arg === 'object' && typeof arg.workers === 'function'
  ? { server: arg.pid, count: arg.config.workers, workers: arg.workers().map((worker) => worker.slot) } : typeof arg?.setHeader === 'function' ? { status: arg.statusCode } : arg?.socket ? { method: arg.method, url: arg.url } : arg;
const hook = (name) => (...args) => appendFileSync(${JSON.stringify(trace)}, JSON.stringify({ hook: name, pid: process.pid, args: args.map(simple) }) + '\\n');
export default {
${Object.keys(HOOKS).map((name) => `  ${name}: hook('${name}'),`).join('\n')}
${more}
};
`,
  );
  const calls = (): Call[] => (existsSync(trace) ? readFileSync(trace, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Call) : []);
  return { config, calls };
}

test.serial('a run calls them in the documented order, with the documented arguments', async (t) => {
  const { config, calls } = recordHooks(t);
  const d = start(t, [fixture('stuck.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--timeout', '1', '-c', config]);
  await d.ready();
  const [worker] = d.workers();

  const named = (name: string): Call[] => calls().filter((call) => call.hook === name);
  const info = (pid: number, generation: number, state: string): Record<string, unknown> => ({ pid, slot: 0, generation, state });
  await poll('whenReady', () => (named('whenReady').length > 0 ? true : undefined));
  t.deepEqual(calls().map((call) => call.hook).filter((hook) => hook !== 'nworkersChanged'), ['onStarting', 'preSpawn', 'postSpawn', 'postWorkerInit', 'whenReady']);
  for (const call of calls()) t.is(call.pid, HOOKS[call.hook as keyof typeof HOOKS].process === 'master' ? d.pid : worker!, call.hook);
  t.like(named('onStarting')[0]!.args, { 0: { server: d.pid, count: 1, workers: [] } });
  const generation = named('preSpawn')[0]!.args[1].generation as number;
  t.deepEqual(named('preSpawn')[0]!.args[1], info(0, generation, 'starting'));
  t.deepEqual(named('postSpawn')[0]!.args, [info(worker!, generation, 'starting')]);
  t.deepEqual(named('postWorkerInit')[0]!.args, [info(worker!, generation, 'starting')]); // ready is what it is told to be when the hook is done
  t.deepEqual(named('nworkersChanged')[0]!.args.slice(1), [1, null]);

  // A reload: the successor, then the old one's exit.
  let mark = calls().length;
  d.signal('SIGHUP');
  await d.event('worker.exited', { worker });
  const after = (): string[] => calls().slice(mark).map((call) => call.hook);
  await poll('childExit', () => (after().includes('childExit') ? true : undefined));
  t.deepEqual(after(), ['onReload', 'preSpawn', 'postSpawn', 'postWorkerInit', 'workerExit', 'childExit']);
  const gone = calls().slice(mark).at(-1)!;
  t.like(gone.args[1], { pid: worker, slot: 0 });
  t.like(gone.args[2], { code: 0, signal: null, expected: true });
  const reloaded = d.workers()[0]!;

  // Counting up.
  mark = calls().length;
  d.signal('SIGTTIN');
  await d.count(3, 'worker.ready');
  t.deepEqual(named('nworkersChanged').at(-1)!.args.slice(1), [2, 1]);
  d.signal('SIGTTOU');
  await d.count(2, 'worker.exited');

  // A request.
  await get(await d.address(), '/asked');
  await poll('postRequest', () => (named('postRequest').length > 0 ? true : undefined));
  for (const hook of ['preRequest', 'postRequest']) t.is(named(hook)[0]!.pid, reloaded);
  t.deepEqual(named('preRequest')[0]!.args, [{ method: 'GET', url: '/asked' }]);
  t.deepEqual(named('postRequest')[0]!.args, [{ method: 'GET', url: '/asked' }, { status: 200 }]);

  // A stuck worker.
  await t.throwsAsync(get(await d.address(), '/spin'));
  await d.event('worker.died', { worker: reloaded });
  const abort = named('workerAbort')[0]!;
  t.is(abort.pid, d.pid);
  t.like(abort.args[1], { pid: reloaded, slot: 0 });
  t.regex(abort.args[2].stack, /stuck\.cjs:3/);
  // The hook runs after the line is written.
  const exited = await poll('childExit', () => named('childExit').find(({ args }) => args[1].pid === reloaded));
  t.like(exited.args[2], { expected: false, kind: 'timeout' });
  await d.count(4, 'worker.ready');
  const last = d.workers()[0]!;

  // A quick stop.
  mark = calls().length;
  await d.stop('SIGINT');
  t.deepEqual(after(), ['workerInt', 'workerExit', 'childExit', 'onExit']);
  t.is(calls().slice(mark)[0]!.pid, last);
  t.deepEqual([...new Set(calls().map((call) => call.hook))].sort(), Object.keys(HOOKS).sort(), 'every hook was called');
  t.deepEqual(d.events('hook.failed'), []);
});

test.serial('postRequest is called for each request of a connection that ends, also for one whose turn has not come', async (t) => {
  const { config, calls } = recordHooks(t);
  const d = await start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-c', config]).ready();
  const socket = net.connect((await d.address()) as net.NetConnectOpts);
  socket.on('error', () => {}).write('GET /silent HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n');
  const named = (name: string): Call[] => calls().filter(({ hook }) => hook === name);
  await poll('both', () => (named('preRequest').length === 2 ? true : undefined));
  socket.destroy();
  t.is((await poll('their end', () => (named('postRequest').length > 1 ? named('postRequest') : undefined))).length, 2);
});

test.serial('async hooks are waited for: the app is loaded after postSpawn', async (t) => {
  const dir = scratch(t);
  const config = join(dir, 'drover.config.mjs');
  const app = join(dir, 'app.cjs');
  writeFileSync(config, "export default { async postSpawn() { await new Promise((r) => setTimeout(r, 50)); globalThis.prepared = 'by the hook'; } };\n");
  writeFileSync(app, 'const word = globalThis.prepared; module.exports = (req, res) => res.end(String(word));\n');
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0', '-c', config]);
  await d.ready();
  t.is((await get(await d.address())).body, 'by the hook');
});

for (const hook of Object.keys(HOOKS).filter((name) => name !== 'onStarting')) {
  test.serial(`${hook} that throws is logged and stops nothing`, async (t) => {
    const { config } = recordHooks(t, `  ${hook}() { throw new Error('out of ${hook}'); },`);
    const d = start(t, [fixture('stuck.cjs'), '-w', '1', '-b', '127.0.0.1:0', ...(hook === 'workerAbort' ? ['--timeout', '1'] : []), '-c', config]);
    await d.ready();
    const address = await d.address();
    if (hook === 'onReload') {
      d.signal('SIGHUP');
      await d.event('reload.finished');
    }
    if (hook === 'workerAbort') {
      await t.throwsAsync(get(address, '/spin'));
      await d.count(2, 'worker.ready');
    }
    t.is((await get(address)).status, 200);
    t.is((await d.stop(hook === 'workerInt' ? 'SIGINT' : 'SIGTERM')).code, 0);
    const failed = d.events('hook.failed')[0];
    t.is(failed?.['hook'], hook, d.log());
    t.is(failed!['message'], `out of ${hook}`);
    t.regex(String(failed!['stack']), /drover\.config\.mjs/);
  });
}

test.serial('TERM ends drover also while onStarting takes its time', async (t) => {
  const { config } = recordHooks(t, "  onStarting() { console.log('begun'); return new Promise((resolve) => setTimeout(resolve, 1e6)); },");
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-c', config]);
  await poll('the hook', () => d.stdout.includes('begun') || undefined);
  d.signal('SIGTERM');
  t.deepEqual(await d.finished(), { code: 0, signal: null });
  t.deepEqual(d.events('worker.spawned'), []);
  t.deepEqual(d.events('master.listening'), []);
});

test.serial('a config file that never settles is told', async (t) => {
  const config = join(scratch(t), 'drover.config.mjs');
  writeFileSync(config, 'export default new Promise(() => {});');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-c', config]);
  t.deepEqual(await d.finished(), { code: 2, signal: null });
  t.is(d.text.split('\n')[0], `drover: config file ${config} waits for a promise that never settles`);
});

test.serial('a config file that takes long, and that something keeps alive, is told once', async (t) => {
  const config = join(scratch(t), 'drover.config.mjs');
  writeFileSync(config, 'setInterval(() => {}, 1e6);\nawait new Promise(() => {});\nexport default {};');
  const d = start(t, [fixture('whoami.cjs'), '--check-config', '-c', config]);
  await d.until('the word', () => d.text || undefined);
  d.signal('SIGTERM');
  await d.finished();
  t.is(d.text, `drover: waits for config file ${config}: a top-level await in it, or the promise that it exports or returns, has not settled yet\n`);
});

test.serial('onStarting that never settles is told, and leaves no pid file', async (t) => {
  const { config } = recordHooks(t, '  onStarting: () => new Promise(() => {}),');
  const pidfile = join(scratch(t), 'pid');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-p', pidfile, '-c', config]);
  t.deepEqual(await d.finished(), { code: 8, signal: null });
  t.like(d.events('master.failed')[0], { message: 'hook onStarting waits for a promise that never settles', code: 'ERR_DROVER_HOOK' });
  t.false(existsSync(pidfile));
});

test.serial('postSpawn that never settles is told, and not blamed on the app', async (t) => {
  const { config } = recordHooks(t, '  postSpawn: () => new Promise(() => {}),');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-c', config]);
  t.deepEqual(await d.finished(), { code: 3, signal: null });
  t.is(d.events('master.failed')[0]?.['message'], 'hook postSpawn waits for a promise that never settles');
});

const NEVER_IN_WORKERS: Record<string, string> = {
  'config file CONFIG': "if (process.title.startsWith('drover: worker')) await new Promise(() => {});\nexport default { postSpawn() {} };",
  'hook postSpawn': 'export default { postSpawn: () => new Promise(() => {}) };',
  'hook postWorkerInit': 'export default { postWorkerInit: () => new Promise(() => {}) };',
};

for (const [what, text] of Object.entries(NEVER_IN_WORKERS)) {
  test.serial(`${what} that never settles in a worker which something keeps alive: --boot-timeout is not blamed on the app`, async (t) => {
    const config = join(scratch(t), 'drover.config.mjs');
    writeFileSync(config, `setInterval(() => {}, 1e6);\n${text}\n`);
    const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--boot-timeout', '3', '-c', config]);
    t.deepEqual(await d.finished(), { code: 3, signal: null });
    t.like(d.events('master.failed')[0], { code: 'ERR_DROVER_BOOT_TIMEOUT', message: `${what.replace('CONFIG', config)} was not done within 3000 ms (--boot-timeout)` });
  });
}

test.serial('onStarting that takes its time is told of, and waited for', async (t) => {
  const { config } = recordHooks(t, "  onStarting: (server) => new Promise((resolve) => setTimeout(resolve, server.config.bootTimeoutMs * 1.5)),");
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--boot-timeout', '3', '-c', config]).ready();
  t.deepEqual(d.events('hook.late').map(({ hook }) => hook), ['onStarting']);
  t.is((await d.stop('SIGTERM')).code, 0);
});

test.serial('onReload and preSpawn that never settle hold neither a reload nor a worker', async (t) => {
  const { config } = recordHooks(t, '  onReload: () => new Promise(() => {}),\n  preSpawn: (_, { generation }) => generation > 1 ? new Promise(() => {}) : undefined,');
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--boot-timeout', '3', '-c', config]).ready();
  d.signal('SIGHUP');
  await d.event('reload.finished');
  t.deepEqual(d.events('hook.late').map(({ hook }) => hook), ['onReload', 'preSpawn']);
  t.is((await d.stop('SIGTERM')).code, 0);
});

test.serial('a config file that never settles on HUP ends that reload, and the next one reads it again', async (t) => {
  const { config } = recordHooks(t);
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--boot-timeout', '3', '-c', config]).ready();
  const right = readFileSync(config, 'utf8');
  writeFileSync(config, `${right}\nawait new Promise(() => {});\n`);
  d.signal('SIGHUP');
  const failed = await d.event('reload.failed');
  t.is(failed['stage'], 'config');
  t.regex(failed.msg, /config file .* was not done after 3000 ms \(--boot-timeout\)/);
  writeFileSync(config, right);
  d.signal('SIGHUP');
  await d.event('reload.finished');
  t.is((await d.stop('SIGTERM')).code, 0);
});

test.serial('onExit that does not end holds nobody', async (t) => {
  const { config } = recordHooks(t, '  onExit: () => new Promise(() => {}),');
  const pidfile = join(scratch(t), 'pid');
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--graceful-timeout', '1', '-p', pidfile, '-c', config]).ready();
  d.signal('SIGTERM');
  t.deepEqual(await d.finished(), { code: 0, signal: null });
  t.like(d.events('hook.late')[0], { hook: 'onExit', ms: 1_000 });
  t.false(existsSync(pidfile));
});

test.serial('onStarting that throws ends drover with its exit code', async (t) => {
  const { config } = recordHooks(t, "  onStarting() { throw new Error('not today'); },");
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-c', config]);
  t.deepEqual(await d.finished(), { code: 8, signal: null });
  t.regex(`${d.text} ${d.events('master.failed')[0]?.msg ?? ''}`, /onStarting.*not today/);
  t.deepEqual(d.events('worker.spawned'), []);
});
