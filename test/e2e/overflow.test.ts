/** A queue of drover's own that runs over is noticed while it serves, with the remedy. */
import test from 'ava';
import net from 'node:net';
import { fixture, start } from '../helpers/drover.js';

test('an accept queue that runs over is told of, once', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--backlog', '2', '--worker-connections', '1', '-t', '1']);
  await d.ready();
  const address = (await d.address()) as net.TcpNetConnectOpts;
  // The one place, three in the queue, and the rest is dropped.
  const sockets = Array.from({ length: 12 }, () => net.connect(address).on('error', () => {}));
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  const told = await d.event('listen.overflow');
  t.is(told['address'], `127.0.0.1:${address.port}`);
  t.is(told['limit'], 2);
  t.true((told['dropped'] as number) > 0);
  t.regex(told.msg, /raise --backlog/);
  t.is(d.events('listen.overflow').length, 1);
  sockets.forEach((socket) => socket.destroy());
});
