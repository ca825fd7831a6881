/** A worker thread with a connection that waits for its PROXY header. */
import net from 'node:net';
import { parentPort } from 'node:worker_threads';
import { BOARD_BYTES, rowOffset } from '../../../src/ipc/board.js';
import { check, closeFd, native, PROXY_VERSIONS } from '../../../src/native.js';

const memory = check('memfd_create', native.createMemory('proxy', BOARD_BYTES));
const board = check('mmap', native.mapMemory(memory));
closeFd(memory);
const reader = new native.ProxyReader({ version: PROXY_VERSIONS.auto, timeoutMs: 60_000, waiting: 10 }, () => {}, () => {});
const listener = check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 16, reusePort: false, ipv6Only: false }));
const acceptor = new native.Acceptor(board, rowOffset(0), (fd) => parentPort!.postMessage(reader.take(fd)), () => {});
check('arm', acceptor.arm(listener, { exclusive: false, slot: -1, rotate: false }));
const address = check('getsockname', native.localAddress(listener));
if (address.family !== 'unix') net.connect(address.port, '127.0.0.1').on('error', () => {});
