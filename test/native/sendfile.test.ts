/** Bytes of files to sockets: as much as they take, and the rest as they take it. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { FILE_STAT, FILE_STAT_NUMBERS, native } from '../../src/native.js';
import { EAGAIN, EALREADY, EINVAL, EPIPE, collected, temporaryFolder, until } from './support.js';

const EXDEV = -18;
const ENOENT = -2;
const ELOOP = -40;
const ENODATA = -61;
const ECONNRESET = -104;
const MEGABYTE = 1 << 20;

const data = Buffer.alloc(4 * MEGABYTE);
for (let i = 0; i < data.length; i += 4) data.writeUInt32LE(i, i);

function file(t: ExecutionContext): { fd: number; path: string } {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, data);
  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  return { fd, path };
}

/** Both ends of a connection; the client's is paused. */
async function pair(t: ExecutionContext): Promise<{ server: net.Socket; client: net.Socket; fd: number }> {
  const listener = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = net.connect((listener.address() as net.AddressInfo).port, '127.0.0.1').pause();
  const [server] = (await once(listener, 'connection')) as [net.Socket];
  for (const socket of [server, client]) socket.on('error', () => {});
  t.teardown(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { server, client, fd: (server as unknown as { _handle: { fd: number } })._handle.fd };
}

function receive(client: net.Socket): Buffer[] {
  const chunks: Buffer[] = [];
  client.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  return chunks;
}

function transfer(socket: number, head: Uint8Array | undefined, fd: number, offset: number, length: number): { ended: Promise<[number, number]>; start: () => number; progress: number[]; native: InstanceType<typeof native.FileTransfer> } {
  let settle!: (result: [number, number]) => void;
  const ended = new Promise<[number, number]>((resolve) => (settle = resolve));
  const progress: number[] = [];
  const made = new native.FileTransfer((sent) => progress.push(sent), (errno, sent) => settle([errno, sent]));
  return { ended, progress, native: made, start: () => made.start(socket, head, fd, offset, length) };
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test.serial('a head and a range of a file are sent in one go when the socket has room', async (t) => {
  const { client, fd, server } = await pair(t);
  const { fd: from } = file(t);
  const chunks = receive(client);
  t.is(native.sendFile(fd, Buffer.from('head\n'), from, 8, 1000, false), 1005);
  t.is(native.sendFile(fd, Buffer.from('alone'), -1, 0, 0, false), 5);
  t.is(native.sendFile(fd, undefined, from, data.length - 1, 1, false), 1);
  server.end();
  await once(client, 'end');
  t.deepEqual(Buffer.concat(chunks), Buffer.concat([Buffer.from('head\n'), data.subarray(8, 1008), Buffer.from('alone'), data.subarray(-1)]));
});

test.serial('a socket that is full says so, and a transfer sends the rest as the client reads', async (t) => {
  const { client, fd, server } = await pair(t);
  const { fd: from } = file(t);
  let sent = 0;
  for (;;) {
    const taken = native.sendFile(fd, undefined, from, sent, data.length - sent, false);
    if (taken === EAGAIN || sent === data.length) break;
    t.true(taken > 0 && taken <= MEGABYTE, 'a bounded amount at a time');
    sent += taken;
  }
  const head = Buffer.from('between');
  const { ended, start, progress } = transfer(fd, head, from, 100, data.length - 100);
  t.is(start(), 0);
  t.is(start(), EALREADY, 'once');
  const chunks = receive(client);
  t.deepEqual(await ended, [0, head.length + data.length - 100]);
  t.is(start(), EALREADY, 'also when it has ended');
  t.deepEqual(progress, [...progress].sort((a, b) => a - b));
  server.end();
  await once(client, 'end');
  t.true(Buffer.concat(chunks).equals(Buffer.concat([data.subarray(0, sent), head, data.subarray(100)])));
});

test.serial('a file that has become shorter ends the transfer, and nothing is made up', async (t) => {
  const { client, fd, server } = await pair(t);
  const { fd: from, path } = file(t);
  truncateSync(path, 5000);
  t.is(native.sendFile(fd, undefined, from, 5000, 10, false), ENODATA);
  const { ended, start } = transfer(fd, undefined, from, 0, data.length);
  start();
  const chunks = receive(client);
  t.deepEqual(await ended, [ENODATA, 5000]);
  server.end();
  await once(client, 'end');
  t.true(Buffer.concat(chunks).equals(data.subarray(0, 5000)));
});

test.serial('a peer that resets ends it; one that is cancelled tells nothing; no descriptor is left', async (t) => {
  const { fd: from } = file(t);
  const before = descriptors();
  const one = await pair(t);
  const reset = transfer(one.fd, undefined, from, 0, data.length);
  reset.start();
  await until(() => reset.progress.length > 0);
  one.client.resetAndDestroy();
  const [errno] = await reset.ended;
  t.true(errno === EPIPE || errno === ECONNRESET, String(errno));
  one.server.destroy();

  const other = await pair(t);
  const cancelled = transfer(other.fd, undefined, from, 0, data.length);
  cancelled.start();
  await until(() => cancelled.progress.length > 0);
  cancelled.native.cancel();
  cancelled.native.cancel();
  other.server.destroy();
  other.client.resume();
  await once(other.client, 'close');
  t.is(cancelled.native.sent(), cancelled.progress.at(-1)!);
  t.is(cancelled.start(), EALREADY);
  void cancelled.ended.then(() => t.fail('told after it was cancelled'));
  await until(() => descriptors() <= before + 2);
  t.pass();
});

test.serial('at its end, cancelled or not begun it lets go of its callbacks, and so of whoever holds it', async (t) => {
  const { fd: from } = file(t);
  const hold = (socket: number): { transfer: InstanceType<typeof native.FileTransfer>; status: number } => {
    const holder = { transfer: new native.FileTransfer(() => void holder, () => void holder), status: 0 };
    holder.status = holder.transfer.start(socket, undefined, from, 0, data.length);
    return holder;
  };
  const read = await pair(t);
  read.client.resume();
  await collected(() => hold(read.fd));
  const full = await pair(t);
  await collected(() => {
    const holder = hold(full.fd);
    holder.transfer.cancel();
    return holder;
  });
  await collected(() => {
    const holder = hold(-1);
    t.true(holder.status < 0);
    return holder;
  });
});

test.serial('the caller may close file and connection as soon as the transfer has begun', async (t) => {
  const { client, server, fd } = await pair(t);
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, data);
  const from = openSync(path, 'r');
  const { ended, start } = transfer(fd, undefined, from, 0, data.length);
  start();
  closeSync(from);
  // Its number is another file's now.
  const other = openSync('/dev/null', 'r');
  server.destroy();
  const chunks = receive(client);
  t.deepEqual(await ended, [0, data.length]);
  await once(client, 'close');
  closeSync(other);
  t.true(Buffer.concat(chunks).equals(data), 'the duplicate kept the connection open');
});

/** A file is written back and dropped from memory: by dd, as node has no fadvise. Whether that can be had here. */
function leavesMemory(path: string): boolean {
  return spawnSync('sh', ['-c', 'sync "$0" && dd if="$0" iflag=nocache count=0 status=none', path]).status === 0;
}

test.serial('what is said to be in memory is not asked about', async (t) => {
  const { client, fd, server } = await pair(t);
  const { fd: from, path } = file(t);
  if (!leavesMemory(path)) return t.pass('no dd that drops pages here');
  const chunks = receive(client);
  t.is(native.sendFile(fd, undefined, from, 0, 4096, true), 4096);
  server.end();
  await once(client, 'end');
  t.true(Buffer.concat(chunks).equals(data.subarray(0, 4096)));
});

test.serial('what is not in memory is sent by a thread', async (t) => {
  const { client, fd, server } = await pair(t);
  const { fd: from, path } = file(t);
  if (!leavesMemory(path)) return t.pass('no dd that drops pages here');
  const taken = native.sendFile(fd, undefined, from, 0, 4096, false);
  if (taken >= 0) return t.pass('this filesystem is always in memory');
  t.is(taken, -16, 'EBUSY');
  const { ended, start } = transfer(fd, Buffer.from('cold'), from, 0, data.length);
  start();
  const chunks = receive(client);
  t.deepEqual(await ended, [0, 4 + data.length]);
  server.end();
  await once(client, 'end');
  t.true(Buffer.concat(chunks).equals(Buffer.concat([Buffer.from('cold'), data])));
});

test.serial('what cannot be sent so answers EINVAL, and wrong arguments do', async (t) => {
  const { fd } = await pair(t);
  const memory = openSync('/proc/self/mem', 'r');
  t.teardown(() => closeSync(memory));
  const mapped = parseInt(/^[0-9a-f]+/.exec(readFileSync('/proc/self/maps', 'latin1'))![0], 16);
  t.is(native.sendFile(fd, undefined, memory, mapped, 10, false), EINVAL);
  t.is(native.sendFile(fd, undefined, memory, -1, 10, false), EINVAL);
  t.is(native.sendFile(fd, undefined, memory, 0.5, 10, false), EINVAL);
  t.is(native.sendFile(fd, 'head' as never, -1, 0, 0, false), EINVAL);
  t.is(native.sendFile(-1, Buffer.from('x'), -1, 0, 0, false), -9);
  const cancelled = transfer(fd, Buffer.from('x'), -1, 0, 0);
  cancelled.native.cancel();
  t.is(cancelled.start(), EINVAL, 'cancelled before it began');
});

test.serial('threads that end with transfers open leave nothing behind', async (t) => {
  const before = descriptors();
  for (const how of ['exit', 'terminate', 'terminate']) {
    const worker = new Worker(new URL('children/transferring.js', import.meta.url), { workerData: { how } });
    const exit = once(worker, 'exit');
    await once(worker, 'message');
    if (how === 'exit') worker.postMessage('go');
    else await worker.terminate();
    await exit;
  }
  t.is(descriptors(), before);
});

test('a path below a directory stays there', (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'root/sub'), { recursive: true });
  writeFileSync(join(folder, 'secret'), 'secret');
  writeFileSync(join(folder, 'root/sub/file'), 'inside');
  symlinkSync('sub/file', join(folder, 'root/inner'));
  symlinkSync('../secret', join(folder, 'root/outer'));
  symlinkSync(join(folder, 'secret'), join(folder, 'root/absolute'));
  symlinkSync('..', join(folder, 'root/up'));
  symlinkSync('loop', join(folder, 'root/loop'));
  const root = openSync(join(folder, 'root'), 'r');
  t.teardown(() => closeSync(root));
  const stat = new Float64Array(FILE_STAT_NUMBERS);
  const open = (path: string, links: boolean): number | string => {
    const fd = native.openBeneath(root, path, links, stat);
    if (fd < 0) return fd;
    const text = stat[FILE_STAT.mode]! & 0o100000 ? readFileSync(fd, 'utf8') : 'directory';
    closeSync(fd);
    return text;
  };
  const cases: [string, number | string, number | string][] = [
    // path, without links, with links
    ['sub/file', 'inside', 'inside'],
    ['sub//./file', 'inside', 'inside'],
    ['', 'directory', 'directory'],
    ['sub', 'directory', 'directory'],
    ['missing', ENOENT, ENOENT],
    ['sub/file/x', -20, -20],
    ['../secret', EXDEV, EXDEV],
    ['sub/../../secret', EXDEV, EXDEV],
    ['/etc/passwd', EXDEV, EXDEV],
    ['inner', ELOOP, 'inside'],
    ['outer', ELOOP, EXDEV],
    ['absolute', ELOOP, EXDEV],
    ['up/secret', ELOOP, EXDEV],
    ['loop', ELOOP, ELOOP],
    ['sub/file\0', EINVAL, EINVAL],
  ];
  for (const [path, without, links] of cases) {
    t.is(open(path, false), without, path);
    t.is(open(path, true), links, `${path} with links`);
  }
  t.is(native.statBeneath(root, 'sub/file', stat), 0);
  t.is(stat[FILE_STAT.size], 6);
  t.is(native.statBeneath(root, 'missing', stat), ENOENT);
  t.is(native.statBeneath(root, '', stat), 0);
  t.is(native.openBeneath(root, 'sub/file', true, new Float64Array(2)), EINVAL);
});
