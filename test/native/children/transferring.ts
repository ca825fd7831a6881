/** A thread with transfers in every state: waiting for the socket, in a thread of the pool, and just begun. Says `running`, and ends as it is told. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { native } from '../../../src/native.js';

const { how } = workerData as { how: string };
const folder = mkdtempSync(join(tmpdir(), 'drover-transferring-'));
const path = join(folder, 'file');
writeFileSync(path, Buffer.alloc(8 << 20, 'x'));
const file = openSync(path, 'r');
rmSync(folder, { recursive: true });

const server = net.createServer((socket) => {
  socket.on('error', () => {});
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  let told = false;
  const transfer = new native.FileTransfer(
    () => {
      if (told) return;
      told = true;
      parentPort!.postMessage('running');
    },
    () => {},
  );
  transfer.start(fd, Buffer.from('head'), file, 0, 8 << 20);
  const begun = new native.FileTransfer(() => {}, () => {});
  begun.start(fd, undefined, file, 0, 1);
  closeSync(file);
});
server.listen(0, '127.0.0.1', () => {
  // Never reads: the transfer stands still soon.
  net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').pause();
});
parentPort!.once('message', () => {
  if (how === 'exit') process.exit(0);
});
