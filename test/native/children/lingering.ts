/** Has nothing but an armed acceptor to live for; with `refused` one that could arm nothing. */
import net from 'node:net';
import { constants } from 'node:os';
import { rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';

const channel = new native.Channel(3);
const first = channel.receiveSync(60_000);
if (typeof first === 'number') process.exit(1);
const acceptor = new native.Acceptor(check('mmap', native.mapMemory(first.fds[0]!)), rowOffset(0), () => {}, () => {});
if (process.argv[2] === 'refused') {
  const server = net.createServer().listen({ port: 0, exclusive: true }).unref() as unknown as { _handle: { fd: number } };
  // The loop watches that one already.
  if (acceptor.arm(server._handle.fd, { exclusive: true, slot: 0, rotate: false }) !== -constants.errno.EEXIST) process.exit(1);
} else {
  check('arm', acceptor.arm(first.fds[1]!, { exclusive: true, slot: 0, rotate: false }));
}
if (process.argv[2] === 'unref') acceptor.unref();
if (process.argv[2] === 'paused') acceptor.pause();
// Unref'd, as channels are: it is the acceptor that keeps us.
channel.start(
  () => {
    process.exitCode = 5;
    acceptor.close(false);
  },
  () => process.exit(1),
);
channel.send(JSON.stringify({ type: 'armed' }));
