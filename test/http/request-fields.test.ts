import { once } from 'node:events';
import { createServer, get, IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { removeFields, setField } from '../../src/http/request-fields.js';

/** A request as a server of node:http has it. */
async function requested(headers: Record<string, string | string[]>, look: (request: IncomingMessage) => void): Promise<void> {
  const server = createServer((request, response) => {
    try {
      look(request);
    } finally {
      response.end();
      server.close();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', headers, agent: false }, (response) => response.resume());
  await once(client, 'close');
}

const GIVEN = { Host: 'h', 'X-Gone': ['1', '2'], Also_Gone: '3', Kept: ['4', '5'] };
const gone = (name: string): boolean => name === 'X-Gone' || name === 'Also_Gone';
const LEFT = { raw: ['Host', 'h', 'Kept', '4', 'Kept', '5', 'Connection', 'close'], headers: { host: 'h', kept: '4, 5', connection: 'close' } };

for (const [when, before] of [
  ['before anybody has looked', () => {}],
  ['after headers were read', (request: IncomingMessage) => void request.headers],
  ['after headersDistinct was read', (request: IncomingMessage) => void request.headersDistinct],
] as const) {
  test(`fields are taken out of every view: ${when}`, async (t) => {
    await requested(GIVEN, (request) => {
      before(request);
      const prototype = Object.getPrototypeOf(new IncomingMessage(request.socket).headers) as unknown;
      t.deepEqual(removeFields(request, gone), ['x-gone', 'also_gone']);
      t.deepEqual(request.rawHeaders, LEFT.raw);
      t.deepEqual({ ...request.headers }, LEFT.headers);
      t.is(Object.getPrototypeOf(request.headers), prototype);
      t.deepEqual({ ...request.headersDistinct }, { host: ['h'], kept: ['4', '5'], connection: ['close'] });
    });
  });
}

test('a field is set in every view, and may be taken out again', async (t) => {
  await requested(GIVEN, (request) => {
    removeFields(request, gone);
    setField(request, 'Kept', '6');
    t.deepEqual(request.rawHeaders, ['Host', 'h', 'Connection', 'close', 'Kept', '6']);
    t.deepEqual({ ...request.headers }, { host: 'h', connection: 'close', kept: '6' });
    t.deepEqual(request.headersDistinct['kept'], ['6']);
    t.deepEqual(removeFields(request, (name) => name === 'Kept'), ['kept']);
    t.is(request.headers['kept'], undefined);
    t.is(request.headersDistinct['kept'], undefined);
    t.false(request.rawHeaders.includes('Kept'));
  });
});
