import test from 'ava';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Trust } from '../../src/http/trust.js';

const SCHEMES = { 'x-forwarded-protocol': 'ssl', 'x-forwarded-proto': 'https', 'x-forwarded-ssl': 'on' };
const trust = new Trust(['127.0.0.1', '10.0.0.0/8'], SCHEMES);

function told(...rawHeaders: string[]): unknown {
  const said = trust.told({ rawHeaders } as unknown as IncomingMessage);
  return typeof said === 'string' ? said : { scheme: said.scheme, client: said.client?.address, host: said.host };
}

const socket = (fields: object): Socket => fields as Socket;

test('a peer is trusted by its address; at a unix socket always; gone, never', (t) => {
  t.true(trust.trusts(socket({ remoteAddress: '10.1.2.3' })));
  t.true(trust.trusts(socket({ remoteAddress: '::ffff:127.0.0.1' })));
  t.false(trust.trusts(socket({ remoteAddress: '11.1.2.3' })));
  t.true(trust.trusts(socket({ destroyed: false })));
  t.false(trust.trusts(socket({ destroyed: false, localAddress: '127.0.0.1' })));
  t.false(trust.trusts(socket({ destroyed: true })));
});

test('the scheme: the value that means https, exactly; any other is http', (t) => {
  t.like(told('X-Forwarded-Proto', 'https'), { scheme: 'https' });
  t.like(told('X-Forwarded-Proto', 'HTTPS'), { scheme: 'http' });
  t.like(told('X-Forwarded-Proto', 'wss', 'X-Forwarded-Ssl', 'on'), { scheme: 'https' });
  t.like(told('X-Forwarded-Proto', 'ws'), { scheme: 'http' });
  t.like(told('X-Forwarded-Protocol', 'wss'), { scheme: 'http' });
  t.like(told('Forwarded', 'proto=wss', 'X-Forwarded-Proto', 'https'), { scheme: 'https' });
  t.like(told('X-Forwarded-Ssl', 'on', 'x-forwarded-protocol', 'ssl'), { scheme: 'https' });
  t.like(told('X-Forwarded-For', '1.1.1.1'), { scheme: undefined });
  t.is(told('X-Forwarded-Proto', 'https', 'X-Forwarded-Ssl', 'off'), 'the headers that tell the scheme contradict each other');
});

test('the client alone, of one request after another', (t) => {
  for (const [text, client] of [['1.1.1.1', '1.1.1.1'], ['1.1.1.1', '1.1.1.1'], ['1.1.1.2', '1.1.1.2'], ['2.2.2.2, 10.0.0.2', '2.2.2.2'], ['', undefined], ['1.1.1.1', '1.1.1.1'], ['evil, x y', undefined], ['2.2.2.2, 10.0.0.2', '2.2.2.2'], ['', undefined]] as const) t.is(trust.clientIn(text), client);
});

test('lists of the same length are read at the same place', (t) => {
  t.deepEqual(told('X-Forwarded-For', '6.6.6.6, 1.1.1.1, 10.0.0.2', 'X-Forwarded-Proto', 'http, https, http', 'X-Forwarded-Host', 'evil, shop, inner'), { scheme: 'https', client: '1.1.1.1', host: 'shop' });
  t.deepEqual(told('X-Forwarded-For', '6.6.6.6', 'X-Forwarded-For', '1.1.1.1, 10.0.0.2', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'shop'), { scheme: 'https', client: '1.1.1.1', host: 'shop' });
});

test('Forwarded tells the same, and may not contradict', (t) => {
  t.deepEqual(told('Forwarded', 'for=6.6.6.6;proto=http;host=evil, for="[2001:db8::1]:80";proto=https;host="shop:8443", for=10.0.0.2;proto=http'), { scheme: 'https', client: '2001:db8::1', host: 'shop:8443' });
  t.like(told('Forwarded', 'for=1.1.1.1', 'X-Forwarded-For', '1.1.1.1', 'X-Forwarded-Proto', 'https'), { client: '1.1.1.1', scheme: 'https' });
  t.is(told('Forwarded', 'for=6.6.6.6', 'X-Forwarded-For', '1.1.1.1'), 'Forwarded and X-Forwarded-For tell two clients');
  t.is(told('Forwarded', 'proto=https', 'X-Forwarded-Proto', 'http'), 'Forwarded and another header tell two schemes');
  t.is(told('Forwarded', 'host=a', 'X-Forwarded-Host', 'b'), 'Forwarded and X-Forwarded-Host tell two hosts');
  t.is(told('Forwarded', 'for="x'), 'Forwarded is malformed');
});
