/** Connections that an app sends to a child process of its own are open there, and no longer in the worker: they fill no place, and no drain waits for them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { fixture, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const LIMITS = { connection: ['--worker-connections', '2'], request: ['--worker-concurrency', '2'], cluster: ['--worker-connections', '2'] };

for (const [by, limit] of Object.entries(LIMITS)) {
  test.serial(`sent to a child by ${by}: one after the other, and many at once, come to more than ${limit.join(' ')} lets be open`, async (t) => {
    const d = await start(t, [fixture('sends-connections.cjs'), '-w', '1', ...limit], { env: { BY: by } }).ready();
    const address = await d.address();
    for (let i = 0; i < 5; i++) t.is((await get(address)).body, 'child');
    // The child takes one at a time: Node keeps the others, and their handles, until then.
    t.deepEqual(await Promise.all(Array.from({ length: 8 }, async () => (await get(address)).body)), Array<string>(8).fill('child'));
    t.is(d.events('worker.app-exit').filter(({ msg }) => /gives its connections to processes that it forks with node:cluster/.test(msg)).length, by === 'cluster' ? 1 : 0);
    d.signal('SIGHUP');
    await d.event('reload.finished');
    // Nothing is open, so nothing has to be killed for it.
    t.is((await d.event('worker.exited', { generation: 1 })).event, 'worker.exited');
    t.is((await d.stop('SIGTERM')).code, 0);
    t.deepEqual(d.events('worker.grace-exceeded'), []);
  });
}

test.serial('an app that lets processes of node:cluster serve is refused, and these end without a word', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, "const cluster = require('cluster');\nif (cluster.isPrimary) for (let i = 0; i < 3; i++) cluster.fork();\nelse require('http').createServer().listen(0, '127.0.0.1');\n");
  const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0']);
  t.deepEqual(await d.finished(), { code: 4, signal: null });
  t.regex(String(d.events('master.failed')[0]!['message']), /forks processes of its own with node:cluster/);
  t.is(d.text, '');
});
