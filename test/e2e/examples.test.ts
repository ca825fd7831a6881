/** Every example, through the CLI, over the wire: two workers, both strategies. */
import test from 'ava';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { ROOT, start, type Address, type Drover } from '../helpers/drover.js';
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

test.serial('every example is run here', (t) => {
  t.deepEqual(readdirSync(EXAMPLES).sort(), [...HTTP, 'https', 'net', 'worker-class', 'ws'].sort());
});

test.serial('worker-class: every response names its worker', async (t) => {
  const d = start(t, [join(EXAMPLES, 'hello/app.js'), '-k', join(EXAMPLES, 'worker-class/worker.mjs'), '-w', '1', '-b', '127.0.0.1:0']);
  await d.ready();
  const answer = await get(await d.address());
  t.is(answer.headers['x-worker'], '0');
  t.is((await d.stop('SIGTERM')).code, 0);
  t.regex(d.stdout, /worker 0 goes after 1 requests/);
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

  test.serial(`net: ${strategy}`, async (t) => {
    const { d, address } = await startExample(t, 'net', strategy);
    const shout = async (text: string): Promise<net.Socket> => {
      const socket = net.connect(address as net.TcpNetConnectOpts).setEncoding('utf8');
      t.teardown(() => socket.destroy());
      socket.write(text);
      const [answer] = (await once(socket, 'data')) as [string];
      t.is(answer, text.toUpperCase());
      return socket;
    };
    const socket = await shout('before the reload\n');
    d.signal('SIGHUP');
    await d.event('reload.finished');
    // A worker that drains leaves a connection that is no HTTP to its client, for the grace.
    socket.write('still there\n');
    t.deepEqual(await once(socket, 'data'), ['STILL THERE\n']);
    socket.end();
    (await shout('after the reload\n')).end();
    await d.count(2, 'worker.exited');
  });

  test.serial(`ws: ${strategy}`, async (t) => {
    const { d, address } = await startExample(t, 'ws', strategy);
    const echo = async (text: string): Promise<WebSocket> => {
      const { host, port } = address as { host: string; port: number };
      const socket = new WebSocket(`ws://${host}:${port}`);
      t.teardown(() => socket.terminate());
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      const answer = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))));
      socket.send(text);
      t.is(await answer, text);
      return socket;
    };
    const socket = await echo('before the reload');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    d.signal('SIGHUP');
    await d.event('reload.finished');
    // The example says goodbye when its worker drains.
    t.is(await closed, 1001);
    await d.count(2, 'worker.exited');
    (await echo('after the reload')).terminate();
    t.deepEqual(d.events('worker.died'), []);
  });
}
