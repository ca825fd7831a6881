/** Without any privilege drover serves, reloads and explains just the same. */
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, IS_ROOT, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { Load } from '../helpers/load.js';

const asRoot = IS_ROOT ? test.serial : test.serial.skip;

for (const strategy of ['shared', 'reuseport']) {
  asRoot(`nobody's user serves, reloads and finds a stuck worker: ${strategy}`, async (t) => {
    const dir = scratch(t);
    chmodSync(dir, 0o755);
    const app = join(dir, 'stuck.cjs');
    copyFileSync(fixture('stuck.cjs'), app);
    const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0', '--timeout', '1', '--accept-strategy', strategy], {
      prefix: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'],
      cwd: dir,
    });
    await d.ready();
    const address = await d.address();
    const load = Load.run(t, address);
    await load.asked(64);
    for (let n = 1; n <= 3; n += 1) {
      d.signal('SIGHUP');
      await d.count(n, 'reload.finished');
      await load.asked(64);
    }
    t.deepEqual((await load.stop()).lost, []);
    await t.throwsAsync(get(address, '/spin'));
    t.regex(String((await d.event('worker.timeout'))['stack']), /stuck\.cjs:3/);
  });
}

asRoot('a limit of processes that keeps workers from being started is named, with what to raise', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o755);
  const app = join(dir, 'whoami.cjs');
  copyFileSync(fixture('whoami.cjs'), app);
  const user = ['setpriv', '--reuid=65533', '--regid=65533', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];
  const d = await start(t, [app, '-w', '2', '-b', '127.0.0.1:0'], { prefix: user, cwd: dir }).ready();
  const allow = (processes: number): void => void execFileSync(user[0]!, [...user.slice(1), 'prlimit', '--pid', String(d.pid), `--nproc=${processes}:`]);
  allow(1);
  process.kill(d.workers()[0]!, 'SIGKILL');
  const failed = await d.event('worker.boot-failed');
  t.regex(failed.msg, /its process could not be started: the system allows no more processes \(EAGAIN\): raise .*ulimit -u.*TasksMax=/);
  t.regex((await d.event('worker.respawn-delayed')).msg, /^worker \d cannot be started: next try in \d+ ms$/);
  d.signal('SIGHUP');
  t.regex((await d.event('reload.failed')).msg, /the old workers serve on: its process could not be started: the system allows no more processes \(EAGAIN\)$/);
  allow(1000);
  const mark = d.mark();
  await d.event('worker.ready', {}, mark);
});
