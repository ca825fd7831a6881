import test from 'ava';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { PolicyContext } from '../../src/http/policy.js';
import { Refusals } from '../../src/http/refusal.js';

test('an upgrade that is refused when its client has gone: the error of the write is nobody\'s', async (t) => {
  let refused = 0;
  const refusals = new Refusals({ log: () => {}, countRefused: () => refused++ } as unknown as PolicyContext);
  // As node:http leaves the socket of an upgrade: nobody listens to its errors.
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(new Error('write ECONNRESET')) });
  // events.once() would listen to them.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  refusals.refuseSocket(socket as Socket, 405, 'CONNECT is not served');
  await closed;
  t.is(refused, 1);
});

for (const way of ['refuse', 'refuseUnderWay'] as const) {
  test(`an upgrade behind a request that is refused takes Node's listener away; the client has gone: ${way}`, async (t) => {
    const refusals = new Refusals({ log: () => {}, countRefused: () => {} } as unknown as PolicyContext);
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(new Error('write ECONNRESET')) });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const request = new IncomingMessage(socket as Socket);
    const response = new ServerResponse(request);
    response.assignSocket(socket as Socket);
    refusals[way](request, response, 400, 'no Host header');
    await closed;
    t.pass();
  });
}
