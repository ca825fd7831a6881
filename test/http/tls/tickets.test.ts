/** Servers of several processes, as it were: each with Tickets of its own, of the same keys. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { Tickets } from '../../../src/http/tls/tickets.js';
import { TicketKeys } from '../../../src/master/ticket-keys.js';
import { ROOT } from '../../helpers/drover.js';
import { askTls } from '../../helpers/tls.js';

const certificate = { cert: readFileSync(`${ROOT}examples/https/cert.pem`), key: readFileSync(`${ROOT}examples/https/key.pem`) };
const answer: http.RequestListener = (_request, response) => void response.end('x');

async function listen(t: ExecutionContext, server: TlsServer | https.Server, tickets: Tickets): Promise<number> {
  tickets.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  const versions = { minVersion: version, maxVersion: version };

  test(`${version}: a session resumes at another server, across changes of the keys, until its key is gone`, async (t) => {
    const ticketKeys = new TicketKeys();
    const all = [new Tickets(ticketKeys.keys), new Tickets(ticketKeys.keys)];
    const [a, b] = [await listen(t, https.createServer(certificate, answer), all[0]!), await listen(t, https.createServer(certificate, answer), all[1]!)];
    const rotate = (): void => {
      ticketKeys.rotate();
      for (const tickets of all) tickets.change(ticketKeys.keys);
    };
    const { session, reused } = await askTls({ port: a, ...versions });
    t.false(reused);
    t.true((await askTls({ port: b, session, ...versions })).reused);
    rotate();
    t.true((await askTls({ port: b, session, ...versions })).reused);
    rotate();
    t.false((await askTls({ port: b, session, ...versions })).reused);
  });

  test(`${version}: a worker that has the new keys first is understood by one that has them not yet`, async (t) => {
    const ticketKeys = new TicketKeys();
    const [quick, slow] = [new Tickets(ticketKeys.keys), new Tickets(ticketKeys.keys)];
    const [a, b] = [await listen(t, https.createServer(certificate, answer), quick), await listen(t, https.createServer(certificate, answer), slow)];
    ticketKeys.rotate();
    quick.change(ticketKeys.keys);
    const { session } = await askTls({ port: a, ...versions });
    t.true((await askTls({ port: b, session, ...versions })).reused);
  });
}

test('a server of http2 has them too', async (t) => {
  const { keys } = new TicketKeys();
  const make = (): TlsServer => http2.createSecureServer({ ...certificate, allowHTTP1: true }, (_request, response) => void response.end('x')) as unknown as TlsServer;
  const [a, b] = [await listen(t, make(), new Tickets(keys)), await listen(t, make(), new Tickets(keys))];
  const { session } = await askTls({ port: a });
  t.true((await askTls({ port: b, session })).reused);
});

test('an app that has keys of its own keeps them: by the option, and by setTicketKeys() once it listens', async (t) => {
  const ticketKeys = randomBytes(48);
  const tickets = new Tickets(new TicketKeys().keys);
  const byOption = https.createServer({ ...certificate, ticketKeys }, answer);
  const byCall = https.createServer(certificate, answer);
  const [a, b] = [await listen(t, byOption, tickets), await listen(t, byCall, tickets)];
  byCall.setTicketKeys(ticketKeys);
  tickets.change(new TicketKeys().keys);
  t.deepEqual(byOption.getTicketKeys(), ticketKeys);
  const { session } = await askTls({ port: a });
  t.true((await askTls({ port: b, session })).reused);
  const { session: other } = await askTls({ port: b });
  t.true((await askTls({ port: a, session: other })).reused);
});

test('a new certificate while it serves (setSecureContext) leaves the keys', async (t) => {
  const { keys } = new TicketKeys();
  const server = https.createServer(certificate, answer);
  const port = await listen(t, server, new Tickets(keys));
  const other = await listen(t, https.createServer(certificate, answer), new Tickets(keys));
  server.setSecureContext(certificate);
  const { session } = await askTls({ port: other });
  t.true((await askTls({ port, session })).reused);
});

test('where Node has no callback, the first key is set', (t) => {
  const calls: Buffer[] = [];
  class Plain extends http.Server {
    setTicketKeys(keys: Buffer): void {
      calls.push(keys);
    }
  }
  const ticketKeys = new TicketKeys();
  const tickets = new Tickets(ticketKeys.keys);
  tickets.watch(new Plain());
  ticketKeys.rotate();
  tickets.change(ticketKeys.keys);
  t.is(calls.length, 2);
  t.is(calls[1]!.toString('base64'), ticketKeys.keys[0]!);
});

test('a server without TLS is left alone', (t) => {
  const server = http.createServer();
  const before = Object.keys(server);
  new Tickets(new TicketKeys().keys).watch(server);
  t.deepEqual(Object.keys(server), before);
});
