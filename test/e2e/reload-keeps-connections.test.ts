/** HUP under load: nobody loses a request, whatever the new generation is like. */
import test from 'ava';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fixture, scratch, start, type LogRecord } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { Load } from '../helpers/load.js';

const STRATEGIES = ['shared', 'reuseport'];

/** An app that answers with a word. */
function writeApp(path: string, word: string): void {
  writeFileSync(path, `module.exports = (req, res) => res.end(${JSON.stringify(word)});\n`);
}

for (const strategy of STRATEGIES) {
  test.serial(`20 reloads under 32 clients lose nothing: ${strategy}`, async (t) => {
    const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', strategy]);
    await d.ready();
    const load = Load.run(t, await d.address());
    await load.asked(100);
    const generations = new Set<unknown>();
    for (let n = 1; n <= 20; n += 1) {
      d.signal('SIGHUP');
      const finished = (await d.count(n, 'reload.finished'))[n - 1] as LogRecord;
      generations.add(finished['generation']);
      await load.asked(32);
    }
    await load.asked(100);
    const { ok, lost, bodies } = await load.stop();
    t.deepEqual(lost, []);
    t.is(generations.size, 20);
    t.true(ok > 20 * 32);
    t.true(bodies.size > 20, `answered by ${bodies.size} different workers`);
    t.deepEqual(d.events('worker.died'), []);
    t.deepEqual(d.events('worker.grace-exceeded'), []);
  });
}

test.serial('a reload serves the new code, and nobody is lost between the two', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeApp(app, 'old');
  const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0']);
  await d.ready();
  const address = await d.address();
  const load = Load.run(t, address);
  await load.asked(64);
  writeApp(app, 'new');
  d.signal('SIGHUP');
  await d.event('reload.finished');
  await d.count(2, 'worker.exited');
  t.is((await get(address)).body, 'new');
  const { lost, bodies } = await load.stop();
  t.deepEqual(lost, []);
  t.deepEqual([...bodies.keys()], ['old', 'new']);
});

test.serial('a reload onto an app with a syntax error loses nothing, and the old app goes on answering', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeApp(app, 'old');
  const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0']);
  await d.ready();
  const address = await d.address();
  const before = d.workers();
  const load = Load.run(t, address);
  await load.asked(64);
  writeFileSync(app, 'const a = 1;\nmodule.exports = = a;\n');
  d.signal('SIGHUP');
  const failed = await d.event('reload.failed');
  t.is(failed['stage'], 'boot');
  const boot = await d.event('worker.boot-failed');
  t.regex(`${String(boot['message'])} ${String(boot['stack'])}`, /SyntaxError/);
  t.regex(`${String(boot['message'])} ${String(boot['stack'])}`, /app\.cjs:2/);
  t.is((await d.event('reload.failed'))['stack'], undefined, 'told once');
  t.regex(String(failed['remedy']), /^Mend that, then send HUP again\. .*--check-config/);
  await load.asked(64);
  const { lost, bodies } = await load.stop();
  t.deepEqual(lost, []);
  t.deepEqual([...bodies.keys()], ['old']);
  t.deepEqual(d.workers(), before, 'the same workers serve on');

  // And the next reload, onto an app that is whole again, works.
  writeApp(app, 'mended');
  d.signal('SIGHUP');
  await d.event('reload.finished');
  t.is((await get(address)).body, 'mended');
});

test.serial('a HUP during a reload is done after it, and the log says that it will be', async (t) => {
  const d = await start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0']).ready();
  d.signal('SIGHUP');
  await d.event('reload.started', { generation: 2 });
  d.signal('SIGHUP');
  await d.event('reload.finished', { generation: 3 });
  t.deepEqual(d.events('master.signal').map(({ action }) => action), ['reload', 'reload, when the one under way is over']);
});

test.serial('a reload that fails halfway says who serves', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeApp(app, 'old');
  const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0']);
  await d.ready();
  const { worker: first } = await d.event('worker.ready', { slot: 0 });
  const { worker: second } = await d.event('worker.ready', { slot: 1 });
  writeFileSync(app, `if (process.env.NODE_APP_INSTANCE === '1') throw new Error('shard 1 is locked');\n${readFileSync(app, 'utf8')}`);
  d.signal('SIGHUP');
  const failed = await d.event('reload.failed');
  t.regex(failed.msg, /^reload failed, 1 worker already has the new code, 1 old one serves on: .*shard 1 is locked/);
  t.is(failed['replaced'], 1);
  const { worker: successor } = await d.event('worker.ready', { generation: 2 });
  await d.event('worker.exited', { worker: first });
  t.deepEqual(d.workers() as unknown[], [second, successor]);
});

test.serial('a reload onto an app that listens and then dies stops at its first successor', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeApp(app, 'old');
  const d = start(t, [app, '-w', '3', '-b', '127.0.0.1:0', '--reload-parallel', '1']);
  await d.ready();
  const address = await d.address();
  const { worker: first } = await d.event('worker.ready', { slot: 0 });
  const behind = d.workers().filter((pid) => pid !== first);
  // One dies: what is then started again in its slot shall not take the connection below.
  const broken = join(dirname(app), 'broken');
  writeFileSync(broken, '');
  writeFileSync(app, `const { existsSync, rmSync } = require('node:fs');
const dies = existsSync(${JSON.stringify(broken)});
rmSync(${JSON.stringify(broken)}, { force: true });
require('node:http').createServer((request, response) => response.end('old')).listen(0, () => dies && setImmediate(() => process.exit(7)));`);
  d.signal('SIGHUP');
  const failed = await d.event('reload.failed');
  t.is(failed['stage'], 'serve');
  t.is(failed['replaced'], 1);
  t.regex(failed.msg, /^reload failed, 1 old worker was replaced, 2 old ones serve: worker 0 died \d+ ms after it was ready, it exited by itself with code 7$/);
  t.is(failed['remedy'], 'Mend that, then send HUP again.');
  // Until its slot is served again the others serve for it, and they were not touched.
  t.deepEqual(behind.filter((pid) => !d.workers().includes(pid)), [], 'the workers behind it');
  t.is((await get(address)).body, 'old');

  writeApp(app, 'mended');
  d.signal('SIGHUP');
  await d.event('reload.finished');
  t.deepEqual([(await get(address)).body, d.workers().length], ['mended', 3]);
});

test.serial('a successor that somebody kills does not end its reload', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeApp(app, 'old');
  const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0', '--reload-parallel', '1']);
  await d.ready();
  writeApp(app, 'new');
  d.signal('SIGHUP');
  process.kill((await d.event('worker.ready', { slot: 0, generation: 2 }))['worker'] as number, 'SIGKILL');
  await d.event('reload.finished');
  t.is(d.events('reload.failed').length, 0);
  t.is((await get(await d.address())).body, 'new');
});

test.serial('a reload onto a config that is wrong changes nothing', async (t) => {
  const dir = scratch(t);
  const config = join(dir, 'drover.config.mjs');
  writeFileSync(config, 'export default { workers: 2 };\n');
  const d = start(t, [fixture('whoami.cjs'), '-c', config, '-b', '127.0.0.1:0']);
  await d.ready();
  const before = d.workers();
  for (const [n, text] of ['export default { workers: ', 'export default { worksers: 3 };', 'export default { workers: -1 };'].entries()) {
    writeFileSync(config, text);
    d.signal('SIGHUP');
    const failed = (await d.count(n + 1, 'reload.failed'))[n]!;
    t.is(failed['stage'], 'config');
    t.regex(failed.msg, /drover\.config\.mjs/);
    t.notRegex(failed.msg, /\n/);
    t.regex(String(failed['remedy']), /\S[.?] Then send HUP again\.$/);
  }
  t.deepEqual(d.workers(), before);
  t.true(before.map(String).includes((await get(await d.address())).body));

  writeFileSync(config, 'export default { workers: 3 };\n');
  d.signal('SIGHUP');
  const finished = await d.event('reload.finished');
  t.is(finished['workers'], 3);
});

test.serial('a reload to fewer workers boots no more than those', async (t) => {
  const config = join(scratch(t), 'drover.config.json');
  writeFileSync(config, '{ "workers": 3, "reloadParallel": 3 }');
  const d = start(t, [fixture('whoami.cjs'), '-c', config, '-b', '127.0.0.1:0']);
  await d.ready();
  writeFileSync(config, '{ "workers": 1, "reloadParallel": 3 }');
  d.signal('SIGHUP');
  await d.event('reload.finished', { workers: 1 });
  await d.count(3, 'worker.exited');
  t.deepEqual(d.events('worker.spawned', { generation: 2 }).map(({ slot }) => slot), [0]);
  t.is(d.workers().length, 1);
});

test.serial('a reload after the config file has gone changes nothing, whoever has named the file', async (t) => {
  for (const flags of [[], ['-c', 'drover.config.json']]) {
    const dir = scratch(t);
    const file = join(dir, 'drover.config.json');
    const text = JSON.stringify({ app: fixture('whoami.cjs'), bind: '127.0.0.1:0' });
    writeFileSync(file, text);
    const d = await start(t, flags, { cwd: dir }).ready();
    const workers = d.workers();
    rmSync(file);
    d.signal('SIGHUP');
    const failed = await d.event('reload.failed');
    t.like(failed, { stage: 'config', code: 'ERR_DROVER_CONFIG_FILE' });
    t.true(failed.msg.includes(`the old workers serve on: config file ${file}`), failed.msg);
    t.regex(String(failed['remedy']), /^(Put it back and send HUP again, or start drover anew .*\.|Give the path .*\. Then send HUP again\.)$/);
    t.is((await get(await d.address())).body, String(workers[0]));
    writeFileSync(file, text);
    d.signal('SIGHUP');
    await d.event('reload.finished');
    t.notDeepEqual(d.workers(), workers);
    await d.stop();
  }
});

test.serial('a request that runs while drover reloads is answered by the worker that began it', async (t) => {
  const d = start(t, [fixture('slow.cjs'), '-w', '2', '-b', '127.0.0.1:0']);
  await d.ready();
  const address = await d.address();
  const slow = get(address, '/1500');
  const begun = await d.until('the request to begin', () => /begun \/1500 (\d+)/.exec(d.text)?.[1]);
  d.signal('SIGHUP');
  await d.event('reload.finished');
  await d.event('worker.draining', { worker: Number(begun) });
  const answer = await slow;
  t.is(answer.body, `done /1500 ${begun}`);
  t.is(answer.headers.connection, 'close');
  const exited = await d.event('worker.exited', { worker: Number(begun) });
  t.is(exited['code'], 0);
});

test.serial('at most --reload-parallel successors boot at a time', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '3', '-b', '127.0.0.1:0']);
  await d.ready();
  const mark = d.mark();
  d.signal('SIGHUP');
  await d.event('reload.finished');
  let booting = 0;
  for (const record of d.records.slice(mark)) {
    if (record.event === 'worker.spawned') booting += 1;
    if (record.event === 'worker.ready') booting -= 1;
    t.true(booting <= 1);
  }
});
