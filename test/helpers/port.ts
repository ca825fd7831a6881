/** A port for who has to name one. */
import { once } from 'node:events';
import net from 'node:net';
import type { ExecutionContext } from 'ava';

/**
 * A port of 127.0.0.1 at which nobody listens, and which the kernel gives to nobody until the test ends: a connection of ours is bound to it. Who names it may
 * listen there all the same, for both have SO_REUSEADDR, as libuv and drover set it. One that was only free a moment ago another process may have got by now.
 */
export async function reservePort(t: ExecutionContext<any>): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1', localAddress: '127.0.0.1' });
  t.teardown(() => {
    socket.destroy();
    server.close();
  });
  await once(socket, 'connect');
  return socket.localPort!;
}
