/** Has connections that wait for the rest of their PROXY header, and nothing else to do: tells how often its loop has turned in a while. */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Board, BOARD_BYTES, rowOffset } from '../../../src/ipc/board.js';
import { check, native, PROXY_VERSIONS } from '../../../src/native.js';
import { listen, until } from '../support.js';
import { parentEnd } from './parent-end.js';

const parent = parentEnd();
const board = new Board(check('mmap', native.mapMemory(check('memfd_create', native.createMemory('half', BOARD_BYTES)))));
check('startLoopStamp', native.startLoopStamp(board.buffer, rowOffset(0)));
const reader = new native.ProxyReader({ version: PROXY_VERSIONS.auto, timeoutMs: 60_000, waiting: 10 }, () => {}, () => {});
const { fd, port } = listen();
let waiting = 0;
const acceptor = new native.Acceptor(board.buffer, rowOffset(0), (connection) => void (reader.take(connection) === null && (waiting += 1)), () => {});
check('arm', acceptor.arm(fd, { exclusive: false, slot: -1, rotate: false }));

const { message } = await parent.next('begin');
const halves = (message['halves'] as string[]).map((hex) => Buffer.from(hex, 'hex'));
for (const half of halves) net.connect(port, '127.0.0.1').write(half);
await until(() => waiting === halves.length);
await sleep(100);
const before = board.get(0, 'loopTurns');
await sleep(200);
parent.send({ type: 'turns', turns: board.get(0, 'loopTurns') - before });
