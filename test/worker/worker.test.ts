import test, { type ExecutionContext } from 'ava';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { native } from '../../src/native.js';
import { monotonicMs } from '../../src/ipc/clock.js';
import { FakeMaster, type FakeMasterOptions } from '../helpers/fake-master.js';

const APPS = fileURLToPath(new URL('../../../test/fixtures/apps/', import.meta.url));

function start(t: ExecutionContext, options: Partial<FakeMasterOptions> & { app: string }): FakeMaster {
  const master = new FakeMaster({ cwd: APPS, ...options });
  t.teardown(async () => {
    master.kill();
    await master.exited;
  });
  return master;
}

async function ask(origin: string, path = '/'): Promise<string> {
  return (await fetch(origin + path, { headers: { connection: 'close' } })).text();
}

test('--max-requests: asks to be replaced once, and serves on', async (t) => {
  const master = start(t, { app: 'cjs-handler.cjs', config: { maxRequests: 3 } });
  const { origin } = await master.ready();
  await ask(origin);
  await ask(origin);
  t.false(master.messages.some(({ type }) => type === 'recycle'));
  await ask(origin);
  t.is((await master.message('recycle')).reason, '3 requests served');
  for (let i = 0; i < 4; i++) t.is(await ask(origin), 'cjs handler');
  t.is(master.messages.filter(({ type }) => type === 'recycle').length, 1);
  t.is(master.board.get(master.row, 'requests'), 7);
});

test('an exception nobody catches: its stack, then the death node gives it', async (t) => {
  const master = start(t, { app: 'crashes.cjs' });
  const { origin } = await master.ready();
  await t.throwsAsync(ask(origin, '/throw'));
  const { code } = await master.exited;
  t.is(code, 1);
  const fatal = await master.message('fatal');
  t.is(fatal.origin, 'uncaughtException');
  t.is(fatal.message, 'boom');
  t.regex(fatal.stack, /Error: boom\n.*crashes\.cjs:4/);
  t.deepEqual(master.inflight, ['GET /throw'], 'and what it died in');
  t.regex(master.stderr, /boom/, "the app's stderr is its own");
});

test('a rejection nobody handles', async (t) => {
  const master = start(t, { app: 'crashes.cjs' });
  const { origin } = await master.ready();
  await t.throwsAsync(ask(origin, '/reject'));
  t.is((await master.exited).code, 1);
  t.like(await master.message('fatal'), { origin: 'unhandledRejection', message: 'rejected' });
});

test("an exception the app's own handler survives is not fatal; one it exits for is", async (t) => {
  const master = start(t, { app: 'handles-its-exceptions.cjs' });
  const { origin } = await master.ready();
  await ask(origin, '/throw');
  await ask(origin);
  t.false(master.messages.some(({ type }) => type === 'fatal'));
  await ask(origin, '/die');
  t.is((await master.exited).code, 7);
  t.like(await master.message('fatal'), { message: 'deadly', agoMs: 0 });
});

test("an exception the app's own handler exits for later is told with its stack, and how long ago it was", async (t) => {
  const master = start(t, { app: 'handles-its-exceptions.cjs' });
  const { origin } = await master.ready();
  await ask(origin, '/report');
  t.is((await master.exited).code, 8);
  const { message, stack, agoMs } = await master.message('fatal');
  t.is(message, 'reported');
  t.regex(stack, /handles-its-exceptions\.cjs/);
  t.true(agoMs > 0);
});

test('of two exceptions it is the one that nobody takes that ends the process', async (t) => {
  const master = start(t, { app: 'handles-its-exceptions.cjs' });
  const { origin } = await master.ready();
  await ask(origin, '/throw');
  await ask(origin, '/unheard');
  t.is((await master.exited).code, 1);
  t.deepEqual(master.messages.filter(({ type }) => type === 'fatal').map((fatal) => ({ ...fatal, stack: '' })), [{ type: 'fatal', origin: 'uncaughtException', agoMs: 0, message: 'unheard', stack: '' }]);
});

test('an exit while it boots is not put down to an exception that was survived before', async (t) => {
  const master = start(t, { app: 'survives-and-gives-up.cjs' });
  t.regex((await master.message('boot-failed')).message, /exited with code 9 before it listened/);
  t.is((await master.exited).code, 9);
});

test('an app that closes its last server is reported and replaced', async (t) => {
  const master = start(t, { app: 'closes-server.cjs' });
  const { origin } = await master.ready();
  await ask(origin);
  t.deepEqual((await master.message('closed')).key, 'listen 0');
  t.regex((await master.message('recycle')).reason, /closed its last server/);
  t.like(await master.message('log'), { event: 'worker.app-exit' });
});

test('a client that goes away ends its request', async (t) => {
  const master = start(t, { app: 'slow.cjs' });
  const { origin } = await master.ready();
  const abort = new AbortController();
  const asked = fetch(`${origin}/slow`, { signal: abort.signal });
  // It is counted last.
  while (master.board.get(master.row, 'requestsInFlight') !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
  t.deepEqual(master.inflight, ['GET /slow']);
  abort.abort();
  await t.throwsAsync(asked, { any: true });
  // The connection is counted out first.
  while (master.board.get(master.row, 'connections') !== 0 || master.inflight.length !== 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.is(master.board.get(master.row, 'requestsInFlight'), 0);
});

test('told to quit while it asks for its sockets: it takes no connection with it', async (t) => {
  let client: Socket | undefined;
  t.teardown(() => client?.destroy());
  const master = start(t, {
    app: 'listens-at-once.cjs',
    async beforeListening(self, { address }) {
      self.send({ type: 'quit', killAtMs: monotonicMs() + 2000, reason: 'test' });
      client = connect(address as { port: number; address: string });
      client.on('error', () => {});
      await once(client, 'connect');
    },
  });
  t.is((await master.exited).code, 0);
  t.like(native.queueLength(master.sockets.get(0)!.fd), { length: 1 });
});

test('is ready before it takes what has waited at its socket', async (t) => {
  let client: Socket | undefined;
  t.teardown(() => client?.destroy());
  const master = start(t, {
    app: 'tells-when-connected.cjs',
    async beforeListening(_, { address }) {
      client = connect(address as { port: number; address: string });
      await once(client, 'connect');
      await new Promise((resolve) => client!.write('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n', resolve));
    },
  });
  await master.ready();
  let answer = '';
  for await (const text of client!.setEncoding('utf8')) answer += text;
  const { bootMs } = await master.message('ready');
  const takenMs = Number(answer.split('\r\n\r\n')[1]);
  t.true(bootMs < takenMs, `ready at ${bootMs} ms, taken at ${takenMs} ms`);
});
