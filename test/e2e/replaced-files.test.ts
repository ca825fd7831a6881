/** drover's own files are replaced under a running master, as `npm ci` does it: nobody is lost, and the log says why no worker comes. */
import test from 'ava';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, install, scratch, start, type LogRecord } from '../helpers/drover.js';
import { EXIT_CODES } from '../../src/errors.js';
import { ADDON } from '../../src/native.js';
import { get } from '../helpers/http.js';

test.serial('replaced by another version, by none, and by the same', async (t) => {
  const dir = scratch(t);
  install(dir);
  const worker = join(dir, 'dist/worker');
  const { version } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { version: string };
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0'], { cli: join(dir, 'dist/cli/main.cjs') });
  await d.ready();
  const address = await d.address();

  renameSync(worker, `${worker}.old`);
  d.signal('SIGHUP');
  t.regex((await d.event('reload.failed')).msg, /the old workers serve on: .*drover's own files cannot be read \(ENOENT, .*\/dist\/worker\/main\.cjs\): is it being installed\? If its folder is gone for good .*start the new one$/);
  mkdirSync(worker);
  for (const file of ['main.cjs', 'build']) writeFileSync(join(worker, file), '9.9.9 0123');
  d.signal('SIGHUP');
  const refused = `drover's own files have been replaced since this master started (by 9.9.9, and this is ${version}): it can start no more workers. Stop it and start it again`;
  t.true((await d.count(2, 'reload.failed'))[1]!.msg.endsWith(refused));

  // Who dies meanwhile is tried again until the files are there.
  const since = d.records.length;
  const [{ worker: pid, slot }] = d.events('worker.ready') as [LogRecord];
  process.kill(pid as number, 'SIGKILL');
  await d.event('worker.boot-failed', (record) => record['slot'] === slot && record.msg.endsWith(refused), since);
  t.is((await get(address)).status, 200);
  cpSync(`${worker}.old`, worker, { recursive: true });
  await d.count(3, 'worker.ready');
  d.signal('SIGHUP');
  await d.event('reload.finished');
  t.is((await get(address)).status, 200);
});

test.serial('files that are not all there at the start: it is not the app that is to blame', async (t) => {
  const dir = scratch(t);
  install(dir);
  rmSync(join(dir, 'dist/worker/build'));
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { cli: join(dir, 'dist/cli/main.cjs') });
  t.deepEqual(await d.exited, { code: 3, signal: null });
  const { message, remedy } = d.events('master.failed')[0]!;
  t.regex(String(message), /no worker can be started: .*drover's own files cannot be read \(ENOENT, .*\/dist\/worker\/build\)/);
  t.regex(String(remedy), /Install drover again/);
});

test.serial('an addon that is missing or damaged: what to do, installed and in a clone', async (t) => {
  const dir = scratch(t);
  install(dir);
  const addon = join(dir, 'build/Release/drover.node');
  const complaint = async (env: Record<string, string> = {}): Promise<string> => {
    const d = start(t, [fixture('whoami.cjs'), '-b', '127.0.0.1:0'], { cli: join(dir, 'dist/cli/main.cjs'), env: { DROVER_ADDON: undefined, ...env } });
    t.is((await d.finished()).code, EXIT_CODES.unfit.code);
    return d.text;
  };
  writeFileSync(addon, 'no library');
  t.regex(await complaint(), /^drover: the native addon cannot be loaded from \S+: file too short\n {2}It is damaged, or was compiled for another processor or C library than those here \(\w+, glibc [\d.]+\): install /);
  rmSync(addon);
  t.regex(await complaint(), /: there is no such file\n {2}It comes with the package: install drover again\./);
  t.regex(await complaint({ DROVER_ADDON: '/none' }), /from \/none: there is no such file\n {2}.*DROVER_ADDON/);
  t.regex(await complaint({ DROVER_ADDON: 'none.node' }), /from \/\S+\/none\.node: there is no such file\n/, 'of the working directory, as any path is');
  const named = join(dir, 'named.node');
  symlinkSync(ADDON, named);
  await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--chdir', '/'], { cwd: dir, env: { DROVER_ADDON: './named.node' } }).ready();
  t.regex(await complaint({ DROVER_ADDON: '' }), /: there is no such file\n {2}It comes with the package/, 'an empty one is none');
  mkdirSync(join(dir, '.ci'));
  writeFileSync(join(dir, '.ci/ready.mjs'), '');
  t.regex(await complaint(), /: there is no such file\n {2}Build it with `npm run build`/);
});

test.serial('an addon that is gone when a worker is to be started', async (t) => {
  const dir = scratch(t);
  install(dir);
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { cli: join(dir, 'dist/cli/main.cjs'), env: { DROVER_ADDON: undefined } }).ready();
  rmSync(join(dir, 'build/Release/drover.node'));
  d.signal('SIGHUP');
  t.regex((await d.event('reload.failed')).msg, /the old workers serve on: .*drover's own files cannot be read \(ENOENT, .*\/drover\.node\): is it being installed\? If its folder is gone for good .*start the new one$/);
});

test.serial('what only a worker cannot load is told by the master, with what to do, and is nothing of the app or of Node', async (t) => {
  const dir = scratch(t);
  install(dir);
  const env = { DROVER_ADDON: undefined };
  const cli = join(dir, 'dist/cli/main.cjs');
  const [addon, worker] = [join(dir, 'build/Release/drover.node'), join(dir, 'dist/worker/worker.cjs')];
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { cli, env }).ready();
  // Another file: the master has mapped the one that is there.
  rmSync(addon);
  writeFileSync(addon, 'no library');
  d.signal('SIGHUP');
  t.regex((await d.event('reload.failed', { code: 'ERR_DROVER_ADDON' })).msg, /the old workers serve on: the native addon cannot be loaded from \S+: file too short$/);
  t.regex(String(d.events('worker.boot-failed', { code: 'ERR_DROVER_ADDON' })[0]!['remedy']), /^It is damaged, or was compiled for /);
  t.is(d.text, '');
  await d.stop();

  rmSync(addon);
  symlinkSync(ADDON, addon);
  // Both ways of loading it.
  for (const more of [[], ['--node-args=--no-deprecation']]) {
    const args = [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', ...more];
    rmSync(worker, { force: true });
    const missing = start(t, args, { cli, env });
    t.deepEqual(await missing.finished(), { code: EXIT_CODES.unfit.code, signal: null });
    t.like(missing.events('master.failed')[0], { code: 'ERR_DROVER_SYSTEM', message: "drover cannot be started in the worker: Cannot find module './worker.cjs'" });
    t.regex(String(missing.events('master.failed')[0]!['remedy']), /^The app has not run\. Install drover again/);
    t.is(missing.text, '');
    writeFileSync(worker, 'throw new RangeError("here");');
    const broken = start(t, args, { cli, env });
    t.deepEqual(await broken.finished(), { code: EXIT_CODES.unfit.code, signal: null });
    t.is(broken.events('master.failed')[0]!['message'], 'drover cannot be started in the worker: here');
    t.regex(String(broken.events('master.failed')[0]!['stack']), /RangeError: here\n {4}at .*worker\.cjs:1:/);
    t.is(broken.text, '');
  }
});

test.serial('workers run what the master has compiled, not the file', async (t) => {
  const dir = scratch(t);
  install(dir);
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { cli: join(dir, 'dist/cli/main.cjs'), env: { DROVER_ADDON: undefined } });
  await d.ready();
  writeFileSync(join(dir, 'dist/worker/worker.cjs'), "throw new Error('the file');");
  d.signal('SIGHUP');
  await d.event('reload.finished');
  t.is((await get(await d.address())).status, 200);
});
