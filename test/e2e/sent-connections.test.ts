/** Connections that an app sends to a child process of its own are open there, and no longer in the worker: they fill no place. A drain waits for them, and not for their answers to come back. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { makeCertificate } from '../helpers/certificates.js';
import { fixture, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { askTls } from '../helpers/tls.js';

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

for (const [by, ends] of [['connection'], ['request'], ['cluster'], ['connection', '1']] as const) {
  test.serial(`sent to a child by ${by}: a reload lets the child finish, which ends with the worker${ends === undefined ? '' : ', also where the app ends itself at SIGTERM'}`, async (t) => {
    const d = await start(t, [fixture('sends-connections.cjs'), '-w', '1'], { env: { BY: by, DELAY: '1000', ENDS: ends } }).ready();
    const answer = get(await d.address());
    answer.catch(() => {});
    await d.until('the child to have the connection', () => (d.text.includes('child has it') ? true : undefined));
    d.signal('SIGHUP');
    t.is((await answer).body, 'child');
    t.like(await d.event('worker.exited', { generation: 1 }), { kind: 'exit', code: 0 });
    t.is((await d.stop('SIGTERM')).code, 0);
    t.deepEqual(d.events('worker.grace-exceeded'), []);
  });
}

test.serial('idle connections are closed in a drain also where Node cannot: after one was sent in the middle of a request', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, `
    const child = require('child_process').fork(${JSON.stringify(fixture('sends-connections.cjs'))}, ['child']);
    require('http').createServer((req, res) => {
      if (req.url === '/send') child.send('take', req.socket);
      else if (req.url === '/slow') console.error('slow begun'), setTimeout(() => res.end('slow'), 2100);
      else res.end('quick');
    }).listen(0, '127.0.0.1');
  `);
  const d = await start(t, [app, '-w', '1', '--graceful-timeout', '2.5']).ready();
  const address = await d.address();
  t.is((await get(address, '/send')).body, 'child');
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  t.is((await get(address, '/', { agent })).body, 'quick');
  const slow = get(address, '/slow');
  await d.until('the slow request to begin', () => (d.text.includes('slow begun') ? true : undefined));
  d.signal('SIGTERM');
  t.is((await slow).body, 'slow');
  t.deepEqual(await d.finished(), { code: 0, signal: null });
  t.deepEqual(d.events('worker.died'), []);
});

test.serial('a request that comes while its connection waits to be sent is no longer in flight when it has gone', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  // The first handle is acknowledged late: the child blocks. The second connection, kept alive, is sent after its first answer and waits.
  writeFileSync(app, `
    if (process.argv[2] === 'child') {
      process.on('message', (what, socket) => { socket.destroy(); });
      for (const end = Date.now() + 700; Date.now() < end; );
    } else {
      const child = require('child_process').fork(__filename, ['child']);
      require('http').createServer((req, res) => {
        if (req.url === '/first') child.send('take', req.socket);
        else if (req.url === '/second') res.end('sent', () => child.send('take', req.socket));
        else if (req.url === '/next') console.error('next begun');
        else res.end('served');
      }).listen(0, '127.0.0.1');
    }
  `);
  const d = await start(t, [app, '-w', '1', '--worker-concurrency', '1']).ready();
  const { port } = (await d.address()) as { port: number };
  const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const first = net.connect(port, '127.0.0.1').on('error', () => {});
  const second = net.connect(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => [first, second].forEach((socket) => socket.destroy()));
  first.write(ask('/first'));
  second.write(ask('/second'));
  await once(second, 'data');
  second.write(ask('/next'));
  await d.until('the next request to begin', () => (d.text.includes('next begun') ? true : undefined));
  t.is((await get({ host: '127.0.0.1', port })).body, 'served', 'there is room for one');
  t.is((await d.stop()).code, 0);
});

test.serial('a TLS connection cannot be sent, which is said at the call', async (t) => {
  const dir = scratch(t);
  const { cert, key } = makeCertificate(dir, 'one');
  const app = join(dir, 'app.cjs');
  writeFileSync(app, `
    const child = require('child_process').fork(${JSON.stringify(fixture('sends-connections.cjs'))}, ['child']);
    module.exports = (req, res) => {
      try {
        child.send('take', req.socket);
      } catch ({ code }) {
        res.end(code);
      }
    };
  `);
  const d = await start(t, [app, '-w', '1', '-b', '127.0.0.1:0', '--certfile', cert, '--keyfile', key]).ready();
  const { port } = (await d.address()) as { port: number };
  t.regex((await askTls({ port })).text, /\r\n\r\nERR_INVALID_HANDLE_TYPE$/);
  t.is((await d.stop()).code, 0);
});

test.serial('an app that lets processes of node:cluster serve is refused, and these end without a word', async (t) => {
  const app = join(scratch(t), 'app.cjs');
  writeFileSync(app, "const cluster = require('cluster');\nif (cluster.isPrimary) for (let i = 0; i < 3; i++) cluster.fork();\nelse require('http').createServer().listen(0, '127.0.0.1');\n");
  const d = start(t, [app, '-w', '2', '-b', '127.0.0.1:0']);
  t.deepEqual(await d.finished(), { code: 4, signal: null });
  t.regex(String(d.events('master.failed')[0]!['message']), /forks processes of its own with node:cluster/);
  t.is(d.text, '');
});
