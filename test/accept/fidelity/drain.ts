/** In the child of intercept.test.ts: what drain() leaves of the servers. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import type { Intercept } from '../../../src/accept/intercept.js';

async function code(where: net.NetConnectOpts): Promise<string> {
  const [error] = (await once(net.connect(where), 'error')) as [NodeJS.ErrnoException];
  return error.code!;
}

export async function drain(intercept: Intercept): Promise<unknown> {
  const storage = new AsyncLocalStorage<string>();
  const stores = { atConnection: new Set<string | undefined>(), atClose: new Set<string | undefined>() };
  const server = net.createServer((socket) => {
    stores.atConnection.add(storage.getStore());
    socket.on('close', () => stores.atClose.add(storage.getStore()));
    socket.resume().end('served');
  });
  storage.run('around listen', () => server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const own = net.createServer((socket) => socket.end('own')).listen({ port: 0, host: '127.0.0.1', exclusive: true });
  await once(own, 'listening');
  const ownPort = (own.address() as net.AddressInfo).port;
  const lender = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true });
  await once(lender, 'listening');
  const lentPort = (lender.address() as net.AddressInfo).port;
  const lent = net.createServer().listen(lender);

  // Queued: connected, and our loop has not turned since.
  const queued = Array.from({ length: 20 }, () => net.connect({ port, host: '127.0.0.1' }));
  await Promise.all(queued.map((socket) => once(socket, 'connect')));
  storage.run('around drain', () => intercept.drain('all'));
  const answers = await Promise.all(queued.map(text));

  const late = net.connect({ port, host: '127.0.0.1' });
  await once(late, 'connect');
  let accepted = 0;
  server.on('connection', () => accepted++);
  const byHandle = await code({ port: lentPort, host: '127.0.0.1' });
  const asked = await text(net.connect({ port: ownPort, host: '127.0.0.1' }));
  intercept.closeOwn();
  const refused = await code({ port: ownPort, host: '127.0.0.1' });
  const listening = [server.listening, own.listening];
  const after = net.createServer().listen(0);
  const listensOn = after.listening && (after.address() as net.AddressInfo).port > 0;
  for (const closing of [server, own, lender, lent, after]) {
    closing.close();
    await once(closing, 'close');
  }
  late.destroy();
  const contexts = [...stores.atConnection, ...stores.atClose].map((store) => store ?? 'none');
  return { contexts, answers: answers.filter((answer) => answer === 'served').length, accepted, byHandle, asked, refused, listening, listensOn, listeners: intercept.listeners };
}
