/** A worker thread that is ended within a callback, when the connection that it was handed over there is polled already. */
import net from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { BOARD_BYTES, rowOffset } from '../../../src/ipc/board.js';
import { check, closeFd, native, PROXY_VERSIONS } from '../../../src/native.js';

const { within, ended } = workerData as { within: 'onConnection' | 'onHeader' | 'onMessage'; ended: number };
const untilEnded = new native.Channel(ended);
const memory = check('memfd_create', native.createMemory('leaving', BOARD_BYTES));
const board = check('mmap', native.mapMemory(memory));
closeFd(memory);
const ignore = (): void => {};
const options = { version: PROXY_VERSIONS.auto, timeoutMs: 60_000, waiting: 10 };
// Polls a connection until its header comes.
const last = new native.ProxyReader(options, ignore, ignore);
const leave = (fd: number): void => {
  last.take(fd);
  parentPort!.postMessage('taken');
  // The thread has been ended when this returns, and no JavaScript runs any more that could notice.
  untilEnded.receiveSync(60_000);
};
const first = new native.ProxyReader(options, leave, ignore);
const [one, other] = check('socketpair', native.socketPair());
const sender = new native.Channel(one);
new native.Channel(other).start((_text, [fd]) => leave(fd!), ignore);

const onConnection = (fd: number): void => {
  if (within === 'onConnection') return leave(fd);
  if (within === 'onMessage') sender.send('take this', [fd]);
  first.take(fd);
  // The header comes late: the reader waits for it, and calls back.
  if (within === 'onHeader') client.write('PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n');
};
const listener = check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 16, reusePort: false, ipv6Only: false }));
const acceptor = new native.Acceptor(board, rowOffset(0), onConnection, ignore);
check('arm', acceptor.arm(listener, { exclusive: false, slot: -1, rotate: false }));
const address = check('getsockname', native.localAddress(listener));
// An open connection of Node's own makes it turn the loop while it ends.
const client = net.connect(address.family === 'unix' ? 0 : address.port, '127.0.0.1').on('error', ignore);
