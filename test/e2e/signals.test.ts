/** What each signal does to the running CLI. */
import test from 'ava';
import http from 'node:http';
import net from 'node:net';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, ON_TERMINAL, parseAddress, poll, scratch, start, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

/** slow.cjs with one request running in it: the request's promise, and the worker's pid. */
async function withSlowRequest(d: Drover, ms: number): Promise<{ answer: ReturnType<typeof get>; worker: number }> {
  await d.ready();
  const answer = get(await d.address(), `/${ms}`);
  answer.catch(() => {});
  const worker = await d.until('the request to begin', () => new RegExp(`begun /${ms} (\\d+)`).exec(d.text)?.[1]);
  return { answer, worker: Number(worker) };
}

for (const strategy of ['shared', 'reuseport']) {
  test.serial(`TERM finishes a running request, says Connection: close, and exits 0: ${strategy}`, async (t) => {
    const d = start(t, [fixture('slow.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', strategy]);
    const { answer, worker } = await withSlowRequest(d, 1000);
    d.signal('SIGTERM');
    await d.event('worker.draining', { worker });
    const { body, headers } = await answer;
    t.is(body, `done /1000 ${worker}`);
    t.is(headers.connection, 'close');
    t.deepEqual(await d.finished(), { code: 0, signal: null });
    t.is(d.events('worker.exited').length, 2);
    t.is((await d.event('master.stopping'))['mode'], 'graceful');
    t.is(d.records.at(-1)!.event, 'master.stopped');
    t.is(d.records.at(-1)!['code'], 0);
  });
}

for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
  test.serial(`${signal} stops quickly`, async (t) => {
    const d = start(t, [fixture('slow.cjs'), '-w', '2', '-b', '127.0.0.1:0']);
    const { answer } = await withSlowRequest(d, 600_000);
    d.signal(signal);
    await t.throwsAsync(answer);
    t.deepEqual(await d.finished(), { code: 0, signal: null });
    t.is((await d.event('master.stopping'))['mode'], 'quick');
  });
}

test.serial('a signal to stop does nothing to a quick stop, and says so', async (t) => {
  const d = await start(t, [fixture('slow.cjs'), '-w', '1', '-b', '127.0.0.1:0']).ready();
  process.kill(d.workers()[0]!, 'SIGSTOP');
  d.signal('SIGINT');
  await d.event('master.stopping', { mode: 'quick' });
  d.signal('SIGINT');
  await d.event('master.signal', { action: 'ignored: the stop is a quick one already' });
  t.deepEqual(await d.finished(), { code: 0, signal: null });
  t.is(d.events('master.stopping').length, 1);
});

for (const second of ['SIGTERM', 'SIGINT'] as const) {
  test.serial(`${second} after a TERM makes the stop quick`, async (t) => {
    const d = start(t, [fixture('slow.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--graceful-timeout', '600']);
    const { answer, worker } = await withSlowRequest(d, 600_000);
    d.signal('SIGTERM');
    await d.event('worker.draining', { worker });
    // A TERM that comes at once is the first, sent on by a wrapper.
    const quick = `signal ${second}: quick stop in place of the graceful one: requests that still run are cut off`;
    const signals = (): string[] => d.events('master.signal').map(({ msg }) => msg);
    for (let sent = 1; !signals().includes(quick); sent++) {
      d.signal(second);
      await d.count(sent + 1, 'master.signal');
    }
    await t.throwsAsync(answer);
    t.deepEqual(await d.finished(), { code: 0, signal: null });
    t.is(signals()[0], 'signal SIGTERM: graceful stop');
    t.is(signals().at(-1), quick);
    const between = new Set(signals().slice(1, -1));
    t.deepEqual([...between], second === 'SIGINT' ? [] : ['signal SIGTERM: ignored: it comes with the one before; a later one makes the stop quick']);
    t.deepEqual(d.events('master.stopping').map(({ msg }) => msg), ['stopping (graceful): SIGTERM', `stopping (quick): ${second} during the graceful stop`]);
  });
}

test.serial('a TERM that comes twice at once, as through npm, is one graceful stop', async (t) => {
  const d = start(t, [fixture('slow.cjs'), '-w', '1', '-b', '127.0.0.1:0']);
  const { answer } = await withSlowRequest(d, 1_000);
  d.signal('SIGTERM');
  await d.event('master.stopping');
  d.signal('SIGTERM');
  t.is((await answer).status, 200);
  t.deepEqual(await d.finished(), { code: 0, signal: null });
  t.deepEqual(d.events('master.stopping').map(({ mode }) => mode), ['graceful']);
});

test.serial('the graceful timeout is enforced, and the log says what was cut off', async (t) => {
  const d = start(t, [fixture('slow.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--graceful-timeout', '1']);
  const { answer, worker } = await withSlowRequest(d, 600_000);
  d.signal('SIGTERM');
  const exceeded = await d.event('worker.grace-exceeded', { worker });
  t.is(exceeded['graceMs'], 1000);
  t.is(exceeded['connections'], 1);
  t.deepEqual(exceeded['requests'], ['GET /600000']);
  await t.throwsAsync(answer);
  t.deepEqual(await d.finished(), { code: 0, signal: null });
});

test.serial('an app that does not end when it is told to, after a request that took its time, is not killed for it', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, `process.on('SIGTERM', () => setInterval(() => {}, 1000));\nmodule.exports = require(${JSON.stringify(fixture('slow.cjs'))});\n`);
  const d = start(t, [app, '-w', '1', '-b', '127.0.0.1:0', '--graceful-timeout', '3']);
  const { answer } = await withSlowRequest(d, 1500);
  d.signal('SIGTERM');
  await answer;
  t.deepEqual(await d.finished(), { code: 0, signal: null });
  t.deepEqual(d.events('worker.grace-exceeded'), []);
  t.like(d.events('worker.exited')[0], { kind: 'exit', code: 0 });
});

test.serial('TERM: connections that wait in the queue are served, new ones are refused once all is over', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--timeout', '0']);
  await d.ready();
  const address = await d.address();
  const [worker] = d.workers();
  process.kill(worker!, 'SIGSTOP');
  let connected = 0;
  const queued = Array.from({ length: 5 }, () => get(address, '/', { onConnected: () => (connected += 1) }));
  await poll('five connections', () => (connected === 5 ? true : undefined));
  d.signal('SIGTERM');
  await d.event('master.stopping');
  process.kill(worker!, 'SIGCONT');
  for (const { body } of await Promise.all(queued)) t.is(body, String(worker));
  t.is((await d.finished()).code, 0);
  await t.throwsAsync(get(address), { code: 'ECONNREFUSED' });
});

test.serial('TERM: an idle keep-alive connection is answered once more, then closed', async (t) => {
  const d = start(t, [fixture('slow.cjs'), '-w', '1', '-b', '127.0.0.1:0']);
  const { answer } = await withSlowRequest(d, 1500);
  const address = await d.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const first = await get(address, '/0', { agent });
  t.not(first.headers.connection, 'close');
  d.signal('SIGTERM');
  await d.event('worker.draining');
  const second = await get(address, '/0', { agent });
  t.is(second.localPort, first.localPort, 'on the same connection');
  t.is(second.headers.connection, 'close');
  await answer;
  t.is((await d.finished()).code, 0);
});

test.serial('TERM after a reload: idle connections of the old workers do not hold up the stop', async (t) => {
  const d = await start(t, [fixture('keeps-connections.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--graceful-timeout', '3600']).ready();
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  await get(await d.address(), '/', { agent });
  d.signal('SIGHUP');
  await d.event('reload.finished');
  d.signal('SIGTERM');
  t.deepEqual(await d.finished(), { code: 0, signal: null });
  t.deepEqual(d.events('worker.grace-exceeded'), []);
});

test.serial('WINCH retires all workers and keeps the sockets; HUP brings new ones that serve what has queued', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0']);
  await d.ready();
  const address = (await d.address()) as { host: string; port: number };
  d.signal('SIGWINCH');
  await d.count(2, 'worker.exited');
  t.deepEqual(d.processes(), [d.pid]);
  const socket = net.connect(address);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.destroy();
  let connected = false;
  const waiting = get(address, '/', { onConnected: () => (connected = true) });
  await poll('the connection', () => connected || undefined);
  d.signal('SIGHUP');
  await d.count(4, 'worker.ready');
  t.true(d.workers().map(String).includes((await waiting).body));
  t.is(d.workers().length, 2);
});

test.serial('WINCH and the TTIN that undoes it say what they do', async (t) => {
  const d = await start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0']).ready();
  d.signal('SIGWINCH');
  await d.count(2, 'worker.exited');
  t.deepEqual(d.events('worker.draining').map(({ reason }) => reason), ['all workers are retired', 'all workers are retired']);
  d.signal('SIGWINCH');
  await d.event('master.signal', { signal: 'SIGWINCH', action: 'ignored: the workers are retired already' });
  d.signal('SIGTTIN');
  await d.event('master.signal', { signal: 'SIGTTIN', action: 'bring all workers back' });
  await d.event('workers.changed', { from: 0, to: 2 });
  await d.count(4, 'worker.ready');
  d.signal('SIGTTIN');
  await d.event('master.signal', { signal: 'SIGTTIN', action: 'one worker more' });
  await d.event('workers.changed', { from: 2, to: 3 });
});

test.serial('TTOU leaves the last worker, and says so', async (t) => {
  const d = await start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0']).ready();
  d.signal('SIGTTOU');
  await d.event('workers.changed', { to: 1 });
  d.signal('SIGTTOU');
  t.like(await d.event('master.signal', { action: /^ignored/ }), { signal: 'SIGTTOU', action: 'ignored: the last worker stays' });
  await d.event('worker.exited');
  t.is(d.workers().length, 1);
});

test.serial('a terminal that is closed ends drover, gracefully', async (t) => {
  const log = join(scratch(t), 'log');
  const d = start(t, [fixture('talks.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--log-file', log], { plain: true, prefix: ON_TERMINAL });
  const address = await poll('drover to be ready', () => (existsSync(log) && readFileSync(log, 'utf8').includes('"master.ready"') ? /"address":"(.*?)"/.exec(readFileSync(log, 'utf8'))?.[1] : undefined));
  const answer = get(parseAddress(address), '/1000');
  await d.until('the request to begin', () => (d.stdout.includes('begun /1000') ? true : undefined));
  t.deepEqual(await d.stop(), { code: 0, signal: null });
  t.regex((await answer).body, /^done \/1000/, 'what the app writes to the terminal harms nobody');
  const text = readFileSync(log, 'utf8');
  t.regex(text, /"signal":"SIGHUP","action":"graceful stop: the terminal was closed"/);
  t.notRegex(text, /worker\.died/);
  t.regex(text, /"event":"master\.stopped","code":0/);
});

test.serial('a terminal that is closed while drover logs to it', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0'], { plain: true, prefix: ON_TERMINAL });
  await d.until('drover to be ready', () => (/ready: 2 workers serve/.test(d.stdout) ? true : undefined));
  t.deepEqual(await d.stop(), { code: 0, signal: null });
});

test.serial('a reader of the app’s words that ends harms nobody', async (t) => {
  const d = await start(t, [fixture('talks.cjs'), '-w', '1', '-b', '127.0.0.1:0']).ready();
  const address = await d.address();
  d.child.stdout!.destroy();
  const first = await get(address, '/0');
  t.regex(first.body, /^done/);
  t.is((await get(address, '/0')).body, first.body);
  t.deepEqual(d.events('worker.died'), []);
});

test.serial('USR1 reopens the log file', async (t) => {
  const file = join(scratch(t), 'drover.log');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--log-file', file]);
  const events = (path: string): string[] =>
    readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => (JSON.parse(line) as { event: string }).event);
  await poll('drover to be ready', () => (existsSync(file) && events(file).includes('master.ready') ? true : undefined));
  renameSync(file, `${file}.1`);
  d.signal('SIGUSR1');
  await poll('the new file', () => (existsSync(file) && events(file).includes('log.reopened') ? true : undefined));
  t.is((await d.stop()).code, 0);
  t.true(events(file).includes('master.stopped'));
  t.false(events(`${file}.1`).includes('master.stopped'));
  t.is(d.records.length, 0, 'nothing of it on stderr');
});

test.serial('USR2 ends nobody: the log says what to do instead', async (t) => {
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0']).ready();
  d.signal('SIGUSR2');
  t.regex((await d.event('master.no-upgrade', { signal: 'SIGUSR2' })).msg, /send HUP.* start the new one/);
  t.is((await get(await d.address())).status, 200);
  t.deepEqual(await d.stop(), { code: 0, signal: null });
});

test.serial('SIGUSR1 opens no inspector in a worker, and workers outlive it', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0']);
  await d.ready();
  d.signal('SIGUSR1');
  await d.event('log.reopened');
  t.is((await get(await d.address())).status, 200);
  t.notRegex(d.text, /Debugger listening/);
});

test.serial('a signal to the whole group, as Ctrl-C sends it, is the master’s to decide', async (t) => {
  const d = start(t, [fixture('slow.cjs'), '-w', '2', '-b', '127.0.0.1:0']);
  const { answer, worker } = await withSlowRequest(d, 1000);
  for (const pid of d.workers()) {
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGHUP');
    process.kill(pid, 'SIGQUIT');
  }
  t.is((await answer).body, `done /1000 ${worker}`);
  t.deepEqual(d.events('worker.died'), []);
});

test.serial('SIGTERM to a worker from outside: it drains and says so, and is replaced', async (t) => {
  const d = start(t, [fixture('slow.cjs'), '-w', '1', '-b', '127.0.0.1:0']);
  const { answer, worker } = await withSlowRequest(d, 1000);
  process.kill(worker, 'SIGTERM');
  await d.event('worker.draining', { worker });
  const successor = (await d.count(2, 'worker.ready'))[1]!;
  t.is((await answer).body, `done /1000 ${worker}`);
  await d.until('the worker to end', () => [...d.events('worker.exited', { worker }), ...d.events('worker.died', { worker })][0]);
  t.deepEqual(d.workers(), [successor['worker']]);
});

test.serial('an app with a SIGTERM listener of its own is told, and may exit by itself', async (t) => {
  const d = start(t, [fixture('own-sigterm.cjs'), '-w', '2']);
  await d.ready();
  t.is((await get(await d.address())).status, 200);
  t.is((await d.stop()).code, 0);
  t.is(d.stdout.match(/app was told to stop/g)?.length, 2);
  t.is(d.stdout.match(/app closed/g)?.length, 2);
  t.deepEqual(d.events('worker.died'), []);
});

test.serial('the pid file holds the master’s pid while it runs, and is gone afterwards', async (t) => {
  const file = join(scratch(t), 'drover.pid');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--pidfile', file]);
  await d.ready();
  t.is(readFileSync(file, 'utf8').trim(), String(d.pid));
  await d.stop();
  t.false(existsSync(file));
});

test.serial('process titles name the app and the slot', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--name', 'shop']);
  await d.ready();
  const title = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  t.is(title(d.pid), 'drover: master [shop]');
  for (const record of d.events('worker.ready')) t.is(title(record['worker'] as number), `drover: worker [shop] #${String(record['slot'])}`);
});

test.serial('what the app writes passes through untouched', async (t) => {
  const d = start(t, [fixture('script.cjs'), '-w', '2']);
  await d.ready();
  await d.until('both workers’ words', () => (d.stdout.match(/script listens at \d+\n/g)?.length === 2 ? true : undefined));
  t.regex(d.stdout, /^(script listens at \d+\n){2}$/);
});
