// The load generator itself, against servers whose behaviour is known.
import { once } from 'node:events';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createNet, type AddressInfo, type Server, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { countOf, quantile } from '../../bench/histogram.js';
import { attempt, load, lost } from '../../bench/load.js';

async function listening(t: ExecutionContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const http = (t: ExecutionContext, listener: RequestListener): Promise<string> => listening(t, createHttp(listener));

test('closed loop: as many requests as asked for, one connection each', async (t) => {
  const sockets = new Set<Socket>();
  const address = await http(t, (req, res) => {
    sockets.add(req.socket);
    res.end('hello');
  });
  const result = await load({ mode: 'closed', address, connections: 4, requests: 60 });
  t.is(result.ok, 60);
  t.is(lost(result), 0);
  t.is(sockets.size, 60);
  t.is(countOf(result.histogram), 60);
});

test('keep-alive: no more connections than the pool has', async (t) => {
  const sockets = new Set<Socket>();
  const address = await http(t, (req, res) => {
    sockets.add(req.socket);
    res.end('hello');
  });
  const closed = await load({ mode: 'closed', address, connections: 3, requests: 60, keepalive: 1 });
  t.is(closed.ok, 60);
  t.is(sockets.size, 3);
  sockets.clear();
  const open = await load({ mode: 'open', address, rate: 500, seconds: 0.2, keepalive: 5 });
  t.is(open.ok, open.planned);
  t.true(open.planned > 0 && sockets.size <= 5);
});

test('open loop: a server that stands still is charged for every arrival of that time', async (t) => {
  let first = true;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const address = await http(t, (_req, res) => {
    if (first) {
      first = false;
      Atomics.wait(pause, 0, 0, 300);
    }
    res.end('hello');
  });
  const result = await load({ mode: 'open', address, rate: 500, seconds: 0.3, seed: 7 });
  t.is(result.ok, result.planned);
  // Arrivals go on while the server sleeps, so the half of them that came early waited longest.
  t.true(result.stuck > result.planned / 2, `${result.stuck} of ${result.planned}`);
  t.true(quantile(result.histogram, 0.5) > 50_000);
});

test('errors are told apart: refused, closed without an answer, reset, timed out, not 2xx', async (t) => {
  const closed = createNet();
  const address = await listening(t, closed);
  closed.close();
  await once(closed, 'close');
  t.like((await attempt({ mode: 'closed', address, requests: 3 })).errors, { refused: 3 });

  const ends = await listening(t, createNet((socket) => socket.on('error', () => {}).once('data', () => socket.end())));
  t.like((await attempt({ mode: 'closed', address: ends, requests: 3 })).errors, { eof: 3, reset: 0 });

  const resets = await listening(t, createNet((socket) => socket.on('error', () => {}).once('data', () => socket.resetAndDestroy())));
  t.like((await attempt({ mode: 'closed', address: resets, requests: 3 })).errors, { reset: 3, eof: 0 });

  const silent = await listening(t, createNet((socket) => socket.on('error', () => {}).resume()));
  t.like((await attempt({ mode: 'closed', address: silent, requests: 2, connections: 2, timeoutMs: 60 })).errors, { timeout: 2 });

  const fails = await http(t, (_req, res) => res.writeHead(503).end());
  t.like((await attempt({ mode: 'closed', address: fails, requests: 3 })).errors, { status: 3 });
});

test('a measurement that nobody answered is an error', async (t) => {
  const address = await listening(t, createNet((socket) => socket.on('error', () => {}).once('data', () => socket.end())));
  await t.throwsAsync(load({ mode: 'closed', address, requests: 3 }), { message: /no request was answered.*"eof":3/ });
});

test('a keep-alive connection closed when it is used again is counted apart', async (t) => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const address = await listening(t, createNet((socket) => {
    let seen = 0;
    socket.on('error', () => {}).on('data', () => (seen++ === 0 ? socket.write(answer) : socket.destroy()));
  }));
  const result = await load({ mode: 'closed', address, requests: 4, keepalive: 1 });
  t.is(result.ok, 2);
  t.like(result.errors, { stale: 2, eof: 0, reset: 0 });
});

for (const pattern of ['paced', 'burst', 'churn'] as const) {
  test(`hold, ${pattern}: answers are counted by body for the connections held at the end`, async (t) => {
    const open = new Set<Socket>();
    let most = 0;
    const server = createHttp((_req, res) => res.end('me'));
    server.on('connection', (socket) => {
      open.add(socket);
      most = Math.max(most, open.size);
      socket.on('close', () => open.delete(socket));
    });
    const result = await load({ mode: 'hold', address: await listening(t, server), connections: 20, pattern, turns: 10 });
    t.deepEqual(result.bodies, { me: 20 });
    t.is(result.ok, pattern === 'churn' ? 30 : 20);
    t.true(most >= 20);
  });
}
