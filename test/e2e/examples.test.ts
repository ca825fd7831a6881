/** Every example, through the CLI, over the wire: two workers, both strategies. */
import test from 'ava';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { poll, ROOT, start, type Address, type Drover } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const EXAMPLES = join(ROOT, 'examples');

/** The program in a folder of examples/. */
function appOf(name: string): string {
  const file = readdirSync(join(EXAMPLES, name)).find((entry) => /^(app|server)\.[cm]?[jt]s$/.test(entry));
  if (file === undefined) throw new Error(`no app in examples/${name}`);
  return join(EXAMPLES, name, file);
}

const HTTP = ['hello', 'script', 'express', 'koa', 'fastify', 'hono'];

async function startExample(t: Parameters<typeof start>[0], name: string, strategy: string): Promise<{ d: Drover; address: Address }> {
  const d = start(t, [appOf(name), '-w', '2', '-b', '127.0.0.1:0', '--accept-strategy', strategy]);
  await d.ready();
  t.is(d.workers().length, 2);
  return { d, address: await d.address() };
}

test.serial('there are the examples that the issue asks for', (t) => {
  for (const name of [...HTTP, 'https', 'ws']) t.true(existsSync(join(EXAMPLES, name)), name);
});

for (const strategy of ['shared', 'reuseport']) {
  for (const name of HTTP) {
    test.serial(`${name}: ${strategy}`, async (t) => {
      const { d, address } = await startExample(t, name, strategy);
      for (let n = 0; n < 5; n += 1) {
        const answer = await get(address);
        t.is(answer.status, 200);
        t.true(answer.body.length > 0);
      }
      d.signal('SIGHUP');
      await d.event('reload.finished');
      t.is((await get(address)).status, 200);
    });
  }

  test.serial(`https: ${strategy}`, async (t) => {
    const { d, address } = await startExample(t, 'https', strategy);
    for (let n = 0; n < 5; n += 1) t.is((await get(address, '/', { tls: true })).status, 200);
    await t.throwsAsync(get(address), undefined, 'plain HTTP is not answered');
    d.signal('SIGHUP');
    await d.event('reload.finished');
    t.is((await get(address, '/', { tls: true })).status, 200);
  });

  test.serial(`ws: ${strategy}`, async (t) => {
    const { d, address } = await startExample(t, 'ws', strategy);
    const { host, port } = address as { host: string; port: number };
    const socket = new WebSocket(`ws://${host}:${port}`);
    t.teardown(() => socket.terminate());
    const messages: string[] = [];
    socket.on('message', (data) => messages.push(String(data)));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.send('ping from the test');
    await poll('an answer', () => (messages.some((text) => text.includes('ping from the test')) ? true : undefined));
    // A WebSocket lives on in a worker that drains, until it is closed.
    d.signal('SIGHUP');
    await d.event('reload.finished');
    socket.send('still there');
    await poll('an answer', () => (messages.some((text) => text.includes('still there')) ? true : undefined));
    socket.close();
    await d.count(2, 'worker.exited');
    t.deepEqual(d.events('worker.died'), []);
  });
}
