import test from 'ava';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Admission, full } from '../../src/http/admission.js';
import { Board, BOARD_BYTES, NO_LIMIT } from '../../src/ipc/board.js';

function setup(connections: number, requests: number) {
  const board = new Board(new ArrayBuffer(BOARD_BYTES));
  const calls: string[] = [];
  const admission = new Admission(board, 2, { connections, requests, hold: () => calls.push('hold'), release: () => calls.push('release') });
  const socket = (): Socket => new EventEmitter() as Socket;
  const inFlight = (): number => board.get(2, 'requestsInFlight');
  return { board, calls, admission, socket, inFlight };
}

test('the decision', (t) => {
  t.false(full({ connections: 1e6, requests: 1e6 }, { connections: 0, requests: 0 }));
  t.false(full({ connections: 4, requests: 9 }, { connections: 5, requests: 0 }));
  t.true(full({ connections: 5, requests: 0 }, { connections: 5, requests: 0 }));
  t.true(full({ connections: 9, requests: 2 }, { connections: 0, requests: 2 }));
});

test('the limits are on the board', (t) => {
  const none = setup(0, 0).board;
  t.is(none.get(2, 'connectionLimit'), NO_LIMIT);
  t.is(none.get(2, 'requestLimit'), NO_LIMIT);
  const both = setup(7, 8).board;
  t.is(both.get(2, 'connectionLimit'), 7);
  t.is(both.get(2, 'requestLimit'), 8);
});

test('connections: held at the limit, released below it, each once', (t) => {
  const { board, calls, admission, socket, inFlight } = setup(2, 0);
  const a = socket();
  board.set(2, 'connections', 1);
  admission.opened(a, true);
  t.deepEqual(calls, []);
  board.set(2, 'connections', 2);
  admission.opened(socket(), true);
  board.set(2, 'connections', 3);
  admission.opened(socket(), true);
  t.deepEqual(calls, ['hold']);
  board.set(2, 'connections', 2);
  admission.closed(a);
  t.deepEqual(calls, ['hold']);
  board.set(2, 'connections', 1);
  admission.closed(a);
  t.deepEqual(calls, ['hold', 'release']);
  t.is(inFlight(), 0, 'without a limit of requests no connection owes one');
});

test('requests: a new connection owes one, which its first request pays', (t) => {
  const { board, calls, admission, socket, inFlight } = setup(0, 1);
  const [raw, tls] = [socket(), socket()];
  admission.opened(raw, true);
  t.is(inFlight(), 1);
  t.deepEqual(calls, ['hold']);
  admission.speaksOver(tls, raw);
  board.set(2, 'requestsInFlight', 2); // as Requests counts it in
  admission.begun(tls);
  t.is(inFlight(), 1, 'no gap between owing and being in flight');
  t.deepEqual(calls, ['hold']);
  board.set(2, 'requestsInFlight', 0);
  admission.look();
  t.deepEqual(calls, ['hold', 'release']);
  admission.closed(raw);
  t.is(inFlight(), 0);
});

test('a connection that closes, or is silent for long, owes nothing any more', async (t) => {
  const { calls, admission, socket, inFlight } = setup(0, 1);
  const a = socket();
  admission.opened(a, true);
  admission.closed(a);
  admission.closed(a);
  t.is(inFlight(), 0);
  t.deepEqual(calls, ['hold', 'release']);
  admission.opened(socket(), true);
  const keepAlive = setInterval(() => {}, 1000);
  while (inFlight() !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
  clearInterval(keepAlive);
  t.deepEqual(calls, ['hold', 'release', 'hold', 'release']);
});

test('what is no HTTP owes no request', (t) => {
  const { calls, admission, socket } = setup(0, 1);
  admission.opened(socket(), false);
  t.deepEqual(calls, []);
});
