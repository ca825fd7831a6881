import test from 'ava';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Connections } from '../../src/http/connections.js';
import { Board, BOARD_BYTES } from '../../src/ipc/board.js';
import { collected } from '../native/support.js';

function setup() {
  const board = new Board(new ArrayBuffer(BOARD_BYTES));
  const connections = new Connections(board, 2);
  let closes = 0;
  connections.onClose = () => closes++;
  return { connections, onBoard: (): number => board.get(2, 'connections'), closes: (): number => closes };
}

function socketOf(server: net.Server): net.Socket {
  const socket = new net.Socket();
  server.emit('connection', socket);
  return socket;
}

async function close(socket: net.Socket): Promise<void> {
  socket.destroy();
  await once(socket, 'close');
}

test('every connection is counted in and out once, whatever the order they close in', async (t) => {
  const { connections, onBoard, closes } = setup();
  const server = net.createServer();
  connections.watch(server);
  const sockets = Array.from({ length: 5 }, () => socketOf(server));
  t.is(onBoard(), 5);
  // The first, the last, one in the middle, and one more that has come meanwhile.
  for (const at of [0, 4, 2]) await close(sockets[at]!);
  t.is(onBoard(), 2);
  const late = socketOf(server);
  t.is(connections.open, 3);
  for (const socket of [late, sockets[1]!, sockets[3]!]) await close(socket);
  t.is(connections.open, 0);
  t.is(onBoard(), 0);
  t.is(closes(), 6);
});

test('the drain finds those that are open, and not those that have closed', async (t) => {
  const { connections } = setup();
  const server = net.createServer();
  connections.watch(server);
  const sockets = Array.from({ length: 4 }, () => socketOf(server));
  await close(sockets[1]!);
  t.is(connections.foreign, 3);
  const responses = sockets.map((socket) => Object.assign(socket, { _httpMessage: { headersSent: false, shouldKeepAlive: true } })._httpMessage);
  connections.close();
  t.deepEqual(responses.map(({ shouldKeepAlive }) => shouldKeepAlive), [false, true, false, false]);
  for (const at of [0, 2, 3]) await close(sockets[at]!);
});

test('a socket that the app hands from one of its servers to another is one connection', async (t) => {
  const { connections, onBoard, closes } = setup();
  const [front, behind] = [net.createServer(), http.createServer()];
  connections.watch(front);
  connections.watch(behind);
  const socket = socketOf(front);
  t.is(connections.foreign, 1);
  behind.emit('connection', socket);
  t.is(onBoard(), 1);
  t.is(connections.foreign, 0, 'it speaks HTTP now');
  await close(socket);
  t.is(onBoard(), 0);
  t.is(closes(), 1);
});

test('a server that the app has done with is not kept', async (t) => {
  const { connections } = setup();
  await collected(() => {
    const server = net.createServer();
    connections.watch(server);
    return server;
  });
  t.is(connections.open, 0);
});
