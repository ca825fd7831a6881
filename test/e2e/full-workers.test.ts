/** A server that is healthy and answers nobody new, since its workers are at --worker-connections, says so; and when that is over. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fixture, start, type Address } from '../helpers/drover.js';

async function ask(t: ExecutionContext, address: Address, connection: 'keep-alive' | 'close'): Promise<{ socket: net.Socket; answered: Promise<unknown[]> }> {
  const socket = net.connect('socketPath' in address ? { path: address.socketPath } : address);
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  const answered = once(socket, 'data');
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n\r\n`);
  return { socket, answered };
}

for (const [kind, timeout] of [['TCP', '1'], ['unix', '1'], ['TCP', '0']] as const) {
  test(`all workers are at --worker-connections and a connection waits: told, and that it is over: ${kind}, --timeout ${timeout}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'drover-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const bind = kind === 'TCP' ? '127.0.0.1:0' : `unix:${join(folder, 'sock')}`;
    const d = start(t, [fixture('keeps-connections.cjs'), '-w', '2', '--worker-connections', '2', '-t', timeout, '-b', bind]);
    await d.ready();
    const address = await d.address();
    const held: net.Socket[] = [];
    for (let n = 0; n < 4; n += 1) {
      const { socket, answered } = await ask(t, address, 'keep-alive');
      // It has been accepted then: the fifth cannot be served before it, and leave.
      await answered;
      held.push(socket);
    }
    const { answered } = await ask(t, address, 'close');

    const told = await d.event('workers.full');
    t.like(told, { workers: 2, limit: 2, length: kind === 'TCP' ? 1 : undefined });
    t.regex(told.msg, kind === 'TCP' ? /2 workers are at the limit of 2 connections \(--worker-connections\), and 1 connection waits/ : /2 workers are at the limit of 2 connections \(--worker-connections\), and new ones wait/);
    t.deepEqual(d.events('workers.free'), []);

    held[0]!.destroy();
    t.regex(String((await answered)[0]), /^HTTP\/1\.1 200/);
    t.true(((await d.event('workers.free'))['fullMs'] as number) > 0);
    t.is(d.events('workers.full').length, 1);
    t.is(d.events('workers.free').length, 1);
  });
}
