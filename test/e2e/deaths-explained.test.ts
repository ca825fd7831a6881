/** Each death of a worker is logged once, with its cause. */
import test, { type ExecutionContext } from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fixture, IS_ROOT, scratch, start, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { memoryCgroup, type MemoryCgroup } from '../helpers/cgroup.js';

/** One worker, killed by a path of deaths.cjs: its obituary. */
const args = (...more: string[]): string[] => [fixture('deaths.cjs'), '-w', '1', '-b', '127.0.0.1:0', ...more];

/** A request that stays open; resolves when its response has begun. */
async function stream(t: ExecutionContext, address: Address, path: string): Promise<void> {
  const request = http.get({ ...address, path, agent: false });
  t.teardown(() => request.destroy());
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  for (const emitter of [request, response]) emitter.on('error', () => {}); // the worker dies in it
}

/** A process in the cgroup that keeps this much memory and is not the one to be killed; resolves when it has it. */
async function holdMemory(t: ExecutionContext, { prefix: [command, ...rest] }: MemoryCgroup, mebibytes: number): Promise<void> {
  const program = `const held = Buffer.alloc(${mebibytes} << 20, 1); console.log(held.length); setInterval(() => held, 1e6)`;
  const spared = ['sh', '-c', 'echo -900 > /proc/self/oom_score_adj && exec "$@"', 'sh', process.execPath, '-e', program];
  const child = spawn(command!, [...rest, ...spared], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  await once(child.stdout!, 'data');
}

test.serial('process.exit(7) by the app', async (t) => {
  const d = await start(t, args()).ready();
  await t.throwsAsync(get(await d.address(), '/exit'));
  const died = await d.event('worker.died');
  t.is(died['kind'], 'exit');
  t.is(died['code'], 7);
  t.regex(died.msg, /\b7\b/);
  await d.count(2, 'worker.ready');
  t.is(d.events('worker.died').length, 1);
});

test.serial('an exception nobody caught: with its stack', async (t) => {
  const d = await start(t, args()).ready();
  await t.throwsAsync(get(await d.address(), '/throw'));
  const died = await d.event('worker.died');
  t.is(died['kind'], 'uncaught');
  t.regex(String(died['stack']), /TypeError: thrown by the test/);
  t.regex(String(died['stack']), /throwLater .*deaths\.cjs:5/);
  t.deepEqual(died['requests'], ['GET /throw']);
  t.is(d.events('worker.died').length, 1);
});

test.serial('a rejection nobody handled', async (t) => {
  const d = await start(t, args()).ready();
  await t.throwsAsync(get(await d.address(), '/reject'));
  const died = await d.event('worker.died');
  t.is(died['kind'], 'uncaught');
  t.regex(String(died['stack']), /RangeError: rejected by the test/);
});

test.serial('a SIGTERM listener of the app’s that throws: an uncaught exception, as under plain Node', async (t) => {
  const d = await start(t, [fixture('throws-as-it-ends.cjs'), '-w', '1']).ready();
  await d.stop();
  const [died] = d.events('worker.died');
  t.is(died?.['kind'], 'uncaught');
  t.regex(String(died?.['cause']), /^uncaught exception: .*thrown by the listener/);
});

test.serial('process.abort() by the app', async (t) => {
  const d = await start(t, args()).ready();
  await t.throwsAsync(get(await d.address(), '/abort'));
  const died = await d.event('worker.died');
  t.is(died['kind'], 'signal');
  t.is(died['signal'], 'SIGABRT');
});

test.serial('a signal from somebody else, and the requests that died with it', async (t) => {
  const d = await start(t, args()).ready();
  const address = await d.address();
  const [worker] = d.workers();
  const hanging = ['/hang/1', '/hang/2?q=a', '/hang/3'].map((path) => get(address, path).catch((error: Error) => error.message));
  // Asked after the three: when it is answered by the only worker, they have begun.
  await get(address, '/');
  process.kill(worker!, 'SIGKILL');
  const died = await d.event('worker.died', { worker });
  t.is(died['kind'], 'signal');
  t.is(died['signal'], 'SIGKILL');
  t.notRegex(died.msg, /perhaps|maybe|might|probably/i);
  t.notRegex(died.msg, /out of memory/i);
  await Promise.all(hanging);
  t.true(['GET /hang/1', 'GET /hang/2?q=a', 'GET /hang/3'].some((request) => (died['requests'] as string[]).includes(request)));
});

test.serial('more requests in flight than are named: the newest, so the one that it died of, and how many there were', async (t) => {
  const d = await start(t, args()).ready();
  const address = await d.address();
  for (let i = 1; i <= 20; i++) await stream(t, address, `/stream/${i}`);
  await t.throwsAsync(get(address, '/throw'));
  const died = await d.event('worker.died');
  t.deepEqual(died['requests'], ['GET /throw', ...Array.from({ length: 15 }, (_, i) => `GET /stream/${20 - i}`)]);
  t.is(died['inFlight'], 21);
});

test.serial('requests that the grace cuts off, more than are named', async (t) => {
  const d = await start(t, args('--graceful-timeout', '1')).ready();
  const address = await d.address();
  for (let i = 1; i <= 20; i++) await stream(t, address, `/stream/${i}`);
  d.signal('SIGTERM');
  const exceeded = await d.event('worker.grace-exceeded');
  const names = Array.from({ length: 16 }, (_, i) => `GET /stream/${20 - i}`);
  t.deepEqual(exceeded['requests'], names);
  t.like(exceeded, { older: 'GET /stream/1', inFlight: 20 });
  t.like(await d.event('worker.exited'), { requests: names, older: 'GET /stream/1', inFlight: 20 });
  await d.finished();
});

test.serial('a connection that owes its first request is not said to be one in flight', async (t) => {
  const d = await start(t, args('--worker-concurrency', '10')).ready();
  const address = await d.address();
  await stream(t, address, '/stream/1');
  const [worker] = d.workers();
  const silent = connect(address as { host: string; port: number });
  t.teardown(() => silent.destroy());
  silent.on('error', () => {});
  await once(silent, 'connect');
  // Accepted after it, so when this is answered the worker has it.
  await stream(t, address, '/stream/2');
  process.kill(worker!, 'SIGKILL');
  const died = await d.event('worker.died', { worker });
  t.deepEqual(died['requests'], ['GET /stream/2', 'GET /stream/1']);
  t.is(died['inFlight'], undefined);
});

test.serial('V8’s heap limit', async (t) => {
  const d = await start(t, args('--node-args', '--max-old-space-size=40')).ready();
  await t.throwsAsync(get(await d.address(), '/objects'));
  const died = await d.event('worker.died');
  t.is(died['kind'], 'heap-limit');
  t.regex(died.msg, /heap/i);
  t.deepEqual(died['requests'], ['GET /objects']);
  await d.count(2, 'worker.ready');
});

test.serial('V8’s heap limit, where no file can be written', async (t) => {
  const d = await start(t, args('--node-args', '--max-old-space-size=40'), { env: { TMPDIR: '/no/such/place' } }).ready();
  await t.throwsAsync(get(await d.address(), '/objects'));
  t.is((await d.event('worker.died'))['kind'], 'heap-limit');
});

test.serial('V8’s heap limit while the app loads: also --check-config says so', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, 'const held = [];\nfor (;;) held.push({ at: held.length, more: [1, 2, 3] });');
  const all = [app, '-w', '1', '-b', '127.0.0.1:0', '--node-args', '--max-old-space-size=40'];
  const d = start(t, all);
  t.is((await d.finished()).code, 3);
  const failed = d.events('master.failed')[0]!;
  t.regex(failed.msg, /could not boot: V8's heap limit of \d+ MiB was reached/);
  t.regex(String(failed['remedy']), /--node-args --max-old-space-size/);
  const check = start(t, [...all, '--check-config']);
  t.is((await check.finished()).code, 3);
  t.true(check.text.includes(`drover: ${failed.msg}\n  ${String(failed['remedy'])}\n`), check.text);
});

(IS_ROOT ? test.serial : test.serial.skip)('V8’s heap limit, without /proc', async (t) => {
  const dir = scratch(t);
  const withoutProc = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'];
  const d = await start(t, args('--node-args', '--max-old-space-size=40'), { env: { TMPDIR: dir }, prefix: withoutProc }).ready();
  await t.throwsAsync(get(await d.address(), '/objects'));
  t.is((await d.event('worker.died'))['kind'], 'heap-limit');
  await d.stop();
  t.deepEqual(readdirSync(dir), []);
});

test.serial('a report that the app asks for is written as without drover', async (t) => {
  const dir = scratch(t);
  const d = await start(t, args('--chdir', dir)).ready();
  const address = await d.address();
  for (const path of ['/report', '/report?named.json']) {
    const { body } = await get(address, path);
    t.true(existsSync(join(dir, body)), body);
  }
});

for (const version of ['v1', 'v2'] as const) {
  test.serial(`out of memory in a cgroup, ${version}: the log says so, with the limit`, async (t) => {
    const cgroup = IS_ROOT ? memoryCgroup(t, version, 160 << 20) : undefined;
    if (cgroup === undefined) {
      t.log(`no cgroup ${version} with a memory controller that we may make a group in: not run`);
      t.pass();
      return;
    }
    const d = await start(t, args(), { prefix: cgroup.prefix }).ready();
    await t.throwsAsync(get(await d.address(), '/buffers'));
    const died = await d.event('worker.died');
    t.is(died['kind'], 'out-of-memory');
    t.regex(died.msg, /out of memory/i);
    t.regex(died.msg, /160 ?Mi?B/i);
    t.deepEqual(died['requests'], ['GET /buffers']);
    await d.count(2, 'worker.ready');
    // A SIGKILL after that is not blamed on memory.
    const [worker] = d.workers();
    process.kill(worker!, 'SIGKILL');
    t.is((await d.event('worker.died', { worker }))['kind'], 'signal');
    await d.stop();
  });
}

for (const version of ['v1', 'v2'] as const) {
  test.serial(`out of memory in a cgroup while the app loads, ${version}: also --check-config says so, with the limit`, async (t) => {
    const cgroup = IS_ROOT ? memoryCgroup(t, version, 200 << 20) : undefined;
    if (cgroup === undefined) {
      t.log(`no cgroup ${version} with a memory controller that we may make a group in: not run`);
      t.pass();
      return;
    }
    const app = join(scratch(t), 'app.cjs');
    writeFileSync(app, 'const held = [];\nfor (;;) held.push(Buffer.alloc(8 << 20, 1));');
    const all = [app, '-w', '1', '-b', '127.0.0.1:0'];
    const d = start(t, all, { prefix: cgroup.prefix });
    t.is((await d.finished()).code, 3);
    const failed = d.events('master.failed')[0]!;
    t.true(failed.msg.endsWith(`could not boot: out of memory: the kernel killed it (limit 200 MiB of cgroup ${cgroup.path})`), failed.msg);
    const check = start(t, [...all, '--check-config'], { prefix: cgroup.prefix });
    t.is((await check.finished()).code, 3);
    t.regex(String(failed['remedy']), /more memory.*--workers/);
    t.true(check.text.includes(`drover: ${failed.msg}\n  ${String(failed['remedy'])}\n`), check.text);
  });
}

// v1 does not count whose limit was met: there it is the tightest that is named.
for (const [its, limits, named] of [
  ['its own, the tighter', [320, 160], 160],
  ['that of the cgroup above, the tighter', [160, 320], 160],
  ['that of the cgroup above, which others have filled', [400, 320], 400],
] as const) {
  test.serial(`out of memory in a cgroup below another, v2: the limit is ${its}`, async (t) => {
    const cgroup = IS_ROOT ? memoryCgroup(t, 'v2', limits[0] << 20) : undefined;
    if (cgroup === undefined) {
      t.log('no cgroup v2 with a memory controller that we may make a group in: not run');
      t.pass();
      return;
    }
    const below = cgroup.below(limits[1] << 20);
    if (named > limits[1]) await holdMemory(t, cgroup.below(named << 20), 200);
    const d = await start(t, args(), { prefix: below.prefix }).ready();
    await t.throwsAsync(get(await d.address(), '/buffers'));
    const died = await d.event('worker.died');
    t.is(died['kind'], 'out-of-memory');
    t.true(died.msg.includes(`(limit ${named} MiB of cgroup ${named === limits[0] ? cgroup.path : below.path})`), died.msg);
    await d.stop();
  });
}
