/** drover as PID 1 of a container: it reaps what it inherits, and takes everything along when it stops. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { fixture, IS_ROOT, poll, processState, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const asRoot = IS_ROOT ? test.serial : test.serial.skip;

asRoot('as PID 1 it reaps orphans, reloads, and stops', async (t) => {
  const d = start(t, [fixture('starts-a-child.cjs'), '-w', '2', '-b', '127.0.0.1:0'], { prefix: ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] });
  await d.ready();
  t.is(d.events('master.starting')[0]!['pid'], 1);
  // The master as the machine sees it: the only child of unshare.
  const master = Number(readFileSync(`/proc/${d.pid}/task/${d.pid}/children`, 'utf8').trim());
  const address = await d.address();
  const orphan = Number((await get(address, '/orphan')).body);
  t.is((await d.event('child.reaped', { pid: orphan })).event, 'child.reaped');
  const zombies = (): number[] =>
    readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ').map(Number).filter((pid) => processState(pid) === 'Z');
  await poll('no zombies', () => (zombies().length === 0 ? true : undefined));

  process.kill(master, 'SIGHUP');
  await d.event('reload.finished');
  t.is((await get(address)).status, 200);
  process.kill(master, 'SIGTERM');
  t.is((await d.finished()).code, 0);
});
