/** What the peer of a connection has still to take. */
import { once } from 'node:events';
import { openSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { closeFd, native } from '../../src/native.js';
import { EBADF, EINVAL, listen, temporaryFolder, until } from './support.js';

const ENOTTY = -25;

type Handled = net.Socket & { _handle: { fd: number; writeQueueSize: number } };

async function pair(t: ExecutionContext, kind: 'tcp' | 'unix'): Promise<{ server: Handled; client: net.Socket }> {
  const listener = net.createServer({ pauseOnConnect: true });
  listener.listen(kind === 'tcp' ? { port: 0, host: '127.0.0.1' } : { path: join(temporaryFolder(t), 'socket') });
  await once(listener, 'listening');
  const address = listener.address() as net.AddressInfo | string;
  const accepted = once(listener, 'connection');
  const client = typeof address === 'string' ? net.connect(address) : net.connect(address.port, '127.0.0.1');
  client.pause();
  const [server] = (await accepted) as [Handled];
  t.teardown(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { server, client };
}

for (const kind of ['tcp', 'unix'] as const) {
  test(`nothing, something that stands still while nobody reads, and nothing again: ${kind}`, async (t) => {
    const { server, client } = await pair(t, kind);
    const { fd } = server._handle;
    t.is(native.queuedBytes(fd), 0);
    server.write(Buffer.alloc(32 << 20));
    // The socket takes no more.
    let before = -1;
    await until(() => {
      const left = server._handle.writeQueueSize;
      const still = left > 0 && left === before && native.queuedBytes(fd) > 0;
      before = left;
      return still;
    });
    let bytes = 0;
    client.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume();
    await until(() => bytes === 32 << 20);
    await until(() => native.queuedBytes(fd) === 0);
    t.pass();
  });
}

test('-errno for what is no connection', (t) => {
  const { fd } = listen();
  t.is(native.queuedBytes(fd), EINVAL);
  closeFd(fd);
  const file = openSync('/dev/null', 'r');
  t.is(native.queuedBytes(file), ENOTTY);
  closeFd(file);
  t.is(native.queuedBytes(-1), EBADF);
  t.is((native.queuedBytes as (fd: unknown) => number)('1'), EINVAL);
});
