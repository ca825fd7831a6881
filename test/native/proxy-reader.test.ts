/** The reader of PROXY headers on real connections: fragmented in every way, late, half, too many; and not one byte of what follows is lost. */
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { rowOffset } from '../../src/ipc/board.js';
import { check, closeFd, native, PROXY_VERSIONS, type NativeProxyReader, type ProxyHeader, type ProxyReaderOptions, type ProxyRefusal } from '../../src/native.js';
import { openDescriptors } from '../helpers/drover.js';
import { collected, createBoard, listen, startChild, temporaryFolder, until } from './support.js';

const V1 = Buffer.from('PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n');
const START_V2 = '0d0a0d0a000d0a515549540a';
const V2 = Buffer.from(`${START_V2}2111000ccb007107c6336401126701bb`, 'hex');
const WITH_TLVS = Buffer.concat([Buffer.from(`${START_V2}21110ff0cb007107c6336401126701bb`, 'hex'), Buffer.alloc(4096 - 28, 0x04)]);
const CLIENT: ProxyHeader = { family: 'IPv4', address: '203.0.113.7', port: 4711, localAddress: '198.51.100.1', localPort: 443 };
/** What follows may look like a header. */
const AFTER = Buffer.concat([Buffer.from('GET / HTTP/1.1\r\n\r\n'), V1, V2]);

interface Setup {
  reader: NativeProxyReader;
  /**
   * Connects, and takes the connection as it is accepted: what take() has answered, its descriptor, whether the process still has the connection, and the client. The
   * number of a descriptor that has been closed may be another's by the time that one looks.
   */
  open(first?: Buffer): Promise<{ client: net.Socket; fd: number; isOpen: () => boolean; taken: ProxyHeader | ProxyRefusal | null }>;
  headers: Map<number, ProxyHeader>;
  refusals: Map<number, ProxyRefusal>;
  onRefused: () => void;
}

function setUp(t: ExecutionContext, options: Partial<ProxyReaderOptions> = {}, at: 'tcp' | 'unix' = 'tcp'): Setup {
  const headers = new Map<number, ProxyHeader>();
  const refusals = new Map<number, ProxyRefusal>();
  const onRefused = (fd: number, refusal: ProxyRefusal): void => {
    refusals.set(fd, refusal);
    setup.onRefused();
  };
  const reader = new native.ProxyReader({ version: PROXY_VERSIONS.auto, timeoutMs: 60_000, waiting: 10_000, ...options }, (fd, header) => headers.set(fd, header), onRefused);
  const path = join(temporaryFolder(t), 'socket');
  const { fd: listener, port } = at === 'tcp' ? listen() : { fd: check('listen', native.listenUnix(path, 128)), port: -1 };
  const { board } = createBoard(t);
  const accepted: ((fd: number) => void)[] = [];
  const acceptor = new native.Acceptor(board.buffer, rowOffset(0), (fd) => accepted.shift()!(fd), () => t.fail());
  check('arm', acceptor.arm(listener, { exclusive: false, slot: -1, rotate: false }));
  t.teardown(() => {
    acceptor.close(false);
    reader.close();
  });
  const setup: Setup = {
    reader,
    headers,
    refusals,
    onRefused() {},
    async open(first) {
      const client = at === 'tcp' ? net.connect({ port, host: '127.0.0.1', noDelay: true }) : net.connect(path);
      client.on('error', () => {});
      t.teardown(() => client.destroy());
      if (first !== undefined) client.write(first);
      const fd = await new Promise<number>((resolve) => accepted.push(resolve));
      // Until what was sent with the connection has come.
      if (first !== undefined) await until(() => client.bytesWritten === first.length && client.writableLength === 0);
      const { ino } = fstatSync(fd);
      return { client, fd, isOpen: () => openDescriptors('self', `socket:[${ino}]`) > 0, taken: reader.take(fd) };
    },
  };
  return setup;
}

/** All that comes on a connection that is ours again. */
async function readAll(t: ExecutionContext, fd: number, length: number): Promise<Buffer> {
  const socket = new net.Socket({ fd });
  t.teardown(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  while (Buffer.concat(chunks).length < length) await once(socket, 'data');
  return Buffer.concat(chunks);
}

async function send(client: net.Socket, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve) => client.write(bytes, () => resolve()));
  // Let the reader see this piece before the next one comes.
  await turn();
  await turn();
}

for (const at of ['tcp', 'unix'] as const) {
  for (const [name, header] of Object.entries({ 'version 1': V1, 'version 2': V2 })) {
    test(`${name} at once, with what follows: ${at}`, async (t) => {
      const { open } = setUp(t, {}, at);
      const { fd, taken } = await open(Buffer.concat([header, AFTER]));
      t.deepEqual(taken, CLIENT);
      t.deepEqual(await readAll(t, fd, AFTER.length), AFTER);
    });

    test(`${name} in two pieces, cut at every byte: ${at}`, async (t) => {
      const { open, headers } = setUp(t, {}, at);
      const whole = Buffer.concat([header, AFTER]);
      for (let cut = 1; cut < header.length; cut += 1) {
        const { client, fd, taken } = await open(whole.subarray(0, cut));
        t.is(taken, null, `cut at ${cut}`);
        await send(client, whole.subarray(cut));
        await until(() => headers.has(fd));
        t.deepEqual(headers.get(fd), CLIENT);
        headers.delete(fd);
        t.deepEqual(await readAll(t, fd, AFTER.length), AFTER, `cut at ${cut}`);
      }
    });

    test(`${name} byte by byte, and nothing behind it is read: ${at}`, async (t) => {
      const { open, headers } = setUp(t, {}, at);
      const { client, fd, taken } = await open();
      t.is(taken, null);
      for (const byte of header.subarray(0, -1)) await send(client, Buffer.of(byte));
      t.false(headers.has(fd));
      await send(client, header.subarray(-1));
      await until(() => headers.has(fd));
      for (const byte of AFTER) await send(client, Buffer.of(byte));
      t.deepEqual(await readAll(t, fd, AFTER.length), AFTER);
    });
  }

  test(`4096 bytes, at once and in pieces: ${at}`, async (t) => {
    const { open, headers } = setUp(t, {}, at);
    const whole = Buffer.concat([WITH_TLVS, AFTER]);
    const { fd, taken } = await open(whole);
    t.deepEqual(taken, CLIENT);
    t.deepEqual(await readAll(t, fd, AFTER.length), AFTER);
    for (const size of [1, 511, 512, 513, 4095]) {
      const cut = await open(whole.subarray(0, size));
      t.is(cut.taken, null);
      for (let at = size; at < whole.length; at += size === 1 ? 4000 : size) await send(cut.client, whole.subarray(at, at + (size === 1 ? 4000 : size)));
      await until(() => headers.has(cut.fd));
      headers.delete(cut.fd);
      t.deepEqual(await readAll(t, cut.fd, AFTER.length), AFTER, `pieces of ${size}`);
    }
  });
}

test('64 KiB of TLVs are refused at once', async (t) => {
  const { open, headers } = setUp(t);
  const { isOpen, taken } = await open(Buffer.from(`${START_V2}2111ffff`, 'hex'));
  t.deepEqual(taken, { refusal: 'malformed', fault: 'it is longer than 4096 bytes' });
  t.false(isOpen());
  t.is(headers.size, 0);
});

test('what is none is refused, at once or when it shows, and closed', async (t) => {
  const { open, refusals } = setUp(t, { version: PROXY_VERSIONS.v2 });
  const cases: [Buffer, ProxyRefusal][] = [
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), { refusal: 'missing', fault: null }],
    [V1, { refusal: 'other-version', fault: null }],
    [Buffer.from(`${START_V2}2112000c`, 'hex'), { refusal: 'malformed', fault: 'its transport is no stream' }],
  ];
  for (const [bytes, refusal] of cases) {
    const { client, taken } = await open(bytes);
    t.deepEqual(taken, refusal);
    await until(() => client.closed);
    const slow = await open();
    t.is(slow.taken, null);
    for (const byte of bytes) await send(slow.client, Buffer.of(byte));
    await until(() => refusals.has(slow.fd));
    t.deepEqual(refusals.get(slow.fd), refusal);
    refusals.delete(slow.fd);
    await until(() => slow.client.closed);
  }
});

test('a peer that closes: before the first byte it is empty, within the header broken off', async (t) => {
  const { open, refusals } = setUp(t);
  for (const [first, refusal] of [
    [undefined, 'empty'],
    [V1.subarray(0, 10), 'broken-off'],
  ] as const) {
    for (const how of ['end', 'resetAndDestroy'] as const) {
      const { client, fd, taken } = await open(first);
      t.is(taken, null);
      client[how]();
      await until(() => refusals.has(fd));
      t.deepEqual(refusals.get(fd), { refusal, fault: null }, how);
      refusals.delete(fd);
    }
  }
});

test('a header that does not come is late, and the others are not', async (t) => {
  const setup = setUp(t, { timeoutMs: 100 });
  const { open, refusals, headers } = setup;
  // By number one that comes late could get the descriptor of one that is late already.
  let refused = 0;
  setup.onRefused = () => (refused += 1);
  const late = await Promise.all([open(), open(V1.subarray(0, 20)), open()]);
  const good = await open();
  await send(good.client, V2);
  await until(() => refused === 3);
  for (const { fd, client } of late) {
    t.deepEqual(refusals.get(fd), { refusal: 'late', fault: null });
    await until(() => client.closed);
  }
  t.deepEqual([...headers], [[good.fd, CLIENT]]);
  closeFd(good.fd);
  // The timer starts anew.
  refusals.clear();
  const again = await open();
  await until(() => refusals.has(again.fd));
});

test('a header that came while the loop was busy is not late', async (t) => {
  const { open, refusals, headers } = setUp(t, { timeoutMs: 20 });
  const { client, fd, taken } = await open();
  t.is(taken, null);
  // Written to the kernel by this very call.
  client.write(V1);
  for (const end = performance.now() + 60; performance.now() < end; );
  await until(() => headers.size + refusals.size > 0);
  t.deepEqual([...headers], [[fd, CLIENT]]);
  closeFd(fd);
});

test('too many that wait: who has waited longest goes, and who sends a header gets in', async (t) => {
  const { open, refusals, headers } = setUp(t, { waiting: 3 });
  const waiting = [await open(), await open(V1.subarray(0, 5)), await open(), await open(), await open()];
  t.deepEqual([...refusals.values()], [{ refusal: 'crowded', fault: null }, { refusal: 'crowded', fault: null }]);
  t.deepEqual([...refusals.keys()], [waiting[0]!.fd, waiting[1]!.fd]);
  const prompt = await open(V1);
  t.deepEqual(prompt.taken, CLIENT);
  closeFd(prompt.fd);
  for (const { client, fd } of waiting.slice(2)) {
    await send(client, V2);
    await until(() => headers.has(fd));
    closeFd(fd);
  }
  t.is(refusals.size, 2);
});

test('half a header does not make the loop spin', async (t) => {
  const child = startChild(t, 'half-headers');
  child.send({ type: 'begin', halves: [V1.subarray(0, 20), V2.subarray(0, 20), WITH_TLVS.subarray(0, 2000)].map((half) => half.toString('hex')) });
  const turns = Number((await child.next('turns')).message['turns']);
  // A loop that spins makes tens of thousands.
  t.true(turns < 100, `${turns} turns`);
});

test('closed: what waits is closed without a word, and nothing more is taken', async (t) => {
  const { open, reader, headers, refusals } = setUp(t);
  const { client } = await open(V1.subarray(0, 5));
  reader.close();
  reader.close();
  await until(() => client.closed);
  const { taken, isOpen } = await open(V1);
  t.deepEqual(taken, { refusal: 'crowded', fault: null });
  t.false(isOpen());
  t.is(headers.size + refusals.size, 0);
});

test('closed, it lets go of its callbacks, and so of whoever holds it', async (t) => {
  await collected(() => {
    const holder = { reader: new native.ProxyReader({ version: PROXY_VERSIONS.auto, timeoutMs: 60_000, waiting: 10 }, () => void holder, () => void holder) };
    holder.reader.close();
    return holder;
  });
  t.pass();
});

test('closed from within a callback: nothing is told of those that waited with it', async (t) => {
  const setup = setUp(t, { timeoutMs: 20 });
  setup.onRefused = () => setup.reader.close();
  const [first, second] = [await setup.open(), await setup.open()];
  await until(() => first.client.closed && second.client.closed);
  t.deepEqual([...setup.refusals.keys()], [first.fd]);
});

test('wrong options make a reader that is closed', (t) => {
  const options = { version: PROXY_VERSIONS.auto, timeoutMs: 1, waiting: 1 };
  for (const wrong of [{ version: 0 }, { version: 4 }, { timeoutMs: 0 }, { waiting: 0 }]) {
    const reader = new native.ProxyReader({ ...options, ...wrong }, () => {}, () => {});
    const [one, other] = check('socketpair', native.socketPair());
    t.deepEqual(reader.take(one), { refusal: 'crowded', fault: null });
    closeFd(other);
  }
});

test('a worker thread may end while connections wait', async (t) => {
  const worker = new Worker(new URL('children/waiting-proxy.js', import.meta.url), { trackUnmanagedFds: false });
  await once(worker, 'message');
  t.is(await worker.terminate(), 1);
});
