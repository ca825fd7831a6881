/** In the child of intercept.test.ts: which server is given the sockets of --bind. */
import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { native } from '../../../src/native.js';
import type { Intercept } from '../../../src/accept/intercept.js';

const ask = (where: net.NetConnectOpts): Promise<string> => text(net.connect(where));

export async function binds(intercept: Intercept): Promise<unknown> {
  // As get-port and its like do it: listen to see whether a port is free.
  const probe = net.createServer().listen(0);
  const probed = probe.address();
  probe.close();
  await once(probe, 'close');

  /** Whether setNoDelay() of a connection's handle is the handle's own as the server gets it, and once it has it. */
  const spared: Record<string, [boolean, boolean]> = {};
  const first = net.createServer((socket) => {
    const { _handle: handle } = socket as unknown as { _handle: { setNoDelay?: unknown } };
    const isOther = (): boolean => handle.setNoDelay !== (Object.getPrototypeOf(handle) as typeof handle).setNoDelay;
    const before = isOther();
    setImmediate(() => (spared[socket.remoteFamily ?? 'unix'] = [before, isOther()]));
    socket.end('first');
  });
  first.listen(3000);
  const firstAddress = first.address();
  const second = net.createServer((socket) => socket.end('second')).listen(0, '127.0.0.1');
  await once(second, 'listening');
  const { port } = second.address() as net.AddressInfo;
  const path = process.env['BIND_PATH']!;
  const answers = await Promise.all([ask({ port: (firstAddress as net.AddressInfo).port, host: '127.0.0.1' }), ask({ path }), ask({ port, host: '127.0.0.1' })]);
  const servers = intercept.servers().map((server) => (server === first ? 'first' : server === second ? 'second' : 'other'));

  // Sockets for a listener that is not there are closed.
  const fd = native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 1, reusePort: false, ipv6Only: false });
  intercept.siblings([{ grant: { key: 'tcp:gone', bind: 0, slot: 1, address: { family: 'IPv4', address: '127.0.0.1', port: 1 }, strategy: 'reuseport' }, fd }]);
  const listeners = intercept.listeners;
  second.close();
  return { probed, firstAddress, answers, spared, servers, listeners, afterClose: intercept.listeners, stray: native.isListening(fd), own: port !== (firstAddress as net.AddressInfo).port };
}
