/** Without any privilege drover serves, reloads and explains just the same. */
import test from 'ava';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { copyFileSync } from 'node:fs';
import { fixture, IS_ROOT, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { Load } from '../helpers/load.js';

for (const strategy of ['shared', 'reuseport']) {
  test.serial(`nobody's user serves, reloads and finds a stuck worker: ${strategy}`, async (t) => {
    if (!IS_ROOT) {
      t.log('every other test runs without privileges then: not run');
      t.pass();
      return;
    }
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
