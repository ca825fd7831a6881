/** --worker-connections and --worker-concurrency, with every strategy: never more than allowed, and everybody is served. */
import { once } from 'node:events';
import test from 'ava';
import net from 'node:net';
import { options } from '../../src/config/options.js';
import { fixture, poll, start, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const app = fixture('limited.cjs');
const strategies = options.flatMap((option) => (option.name === 'acceptStrategy' && option.type === 'enum' ? option.values : []));

/** Answers of the app: pid, most requests, most connections. */
async function ask(address: Address, path = '/'): Promise<number[]> {
  const { status, body } = await get(address, path);
  if (status !== 200) throw new Error(`status ${status}`);
  return body.split(' ').map(Number);
}

const together = (n: number, address: Address, path = '/'): Promise<number[][]> => Promise.all(Array.from({ length: n }, () => ask(address, path)));

function hold(address: Address): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(address as net.TcpNetConnectOpts, () => resolve(socket));
    socket.once('error', reject);
  });
}

for (const strategy of strategies) {
  // One after the other: a client of ours that is starved of CPU for a second owes its request no longer, and rightly so.
  test.serial(`concurrency 1: never two requests in one worker, and all are answered: ${strategy}`, async (t) => {
    const d = start(t, [app, '-w', '4', '--worker-concurrency', '1', '--accept-strategy', strategy]);
    await d.ready();
    const address = await d.address();
    for (const path of ['/', '/block']) {
      const answers = await together(40, address, path);
      t.deepEqual([...new Set(answers.map(([, requests]) => requests))], [1], path);
      // Forty requests of 20 ms: those that wait go to whoever is free.
      t.is(new Set(answers.map(([pid]) => pid)).size, 4, path);
    }
    // Waiting requests are served by a worker of the next generation as well.
    const waiting = together(40, address);
    d.signal('SIGHUP');
    for (const [, requests] of await waiting) t.is(requests, 1);
    await d.event('reload.finished');
  });

  test.serial(`connections: never more than allowed, the rest wait in the queue: ${strategy}`, async (t) => {
    const d = start(t, [app, '-w', '2', '--worker-connections', '3', '--accept-strategy', strategy]);
    await d.ready();
    const address = await d.address();
    const held = await Promise.all(Array.from({ length: 6 }, () => hold(address)));
    t.teardown(() => held.forEach((socket) => socket.destroy()));
    // Six places are taken by connections that say nothing; who comes now waits.
    const served: number[][] = [];
    const waiting = Promise.all(Array.from({ length: 8 }, () => ask(address).then((answer) => served.push(answer))));
    const late = await hold(address);
    t.teardown(() => late.destroy());
    late.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const answeredLate = new Promise<string>((resolve) => late.once('data', (data) => resolve(String(data))));
    t.deepEqual(served, []);
    held[0]!.destroy();
    await waiting;
    t.regex(await answeredLate, /^HTTP\/1\.1 200/);
    for (const [, , connections] of served) t.true(connections! <= 3);
  });
}

test('a connection that says nothing holds the one place for a moment only', async (t) => {
  const d = start(t, [app, '-w', '1', '--worker-concurrency', '1']);
  await d.ready();
  const address = await d.address();
  const silent = await hold(address);
  t.teardown(() => silent.destroy());
  t.is((await ask(address))[1], 1);
});

test('clients that have broken the protocol of HTTP/2 and stay hold no place', async (t) => {
  const d = start(t, [app, '-w', '1', '--worker-concurrency', '3', '--http-protocols', 'h1,h2']);
  await d.ready();
  const address = await d.address();
  for (let n = 0; n < 3; n += 1) {
    const client = await hold(address);
    t.teardown(() => client.destroy());
    // The greeting, empty SETTINGS, and a PING without its 8 bytes.
    client.resume().write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from('000000040000000000000000060000000000', 'hex')]));
    await once(client, 'close');
  }
  t.is((await ask(address))[1], 1);
});

test('an idle keep-alive connection does not count, and what it asks at the limit is served', async (t) => {
  const d = start(t, [app, '-w', '1', '--worker-concurrency', '1']);
  await d.ready();
  const address = await d.address();
  const socket = await hold(address);
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (data) => (text += String(data)));
  const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  socket.write(request);
  await poll('the first answer', () => (text.includes('200 OK') ? true : undefined));
  t.is((await ask(address))[1], 1);
  const other = ask(address);
  socket.write(request);
  await other;
  await poll('the second answer', () => (text.split('200 OK').length === 3 ? true : undefined));
  t.pass();
});

test('a queue that waits for a place is served when drover stops', async (t) => {
  const d = start(t, [app, '-w', '1', '--worker-concurrency', '1']);
  await d.ready();
  const address = await d.address();
  const waiting = together(10, address);
  await ask(address);
  d.signal('SIGTERM');
  t.is((await waiting).length, 10);
  await d.finished();
});
