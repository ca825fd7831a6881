import test from 'ava';
import { clientIn, clientOf, parseForwarded, parseNode } from '../../src/http/forwarded.js';

const parsed = (text: string): Record<string, string>[] | undefined => parseForwarded(text)?.map((element) => Object.fromEntries(element));

test('Forwarded: pairs, quoted strings, several elements', (t) => {
  t.deepEqual(parsed('for=192.0.2.43'), [{ for: '192.0.2.43' }]);
  t.deepEqual(parsed('For="[2001:db8:cafe::17]:4711";proto=https ; by=203.0.113.60'), [{ for: '[2001:db8:cafe::17]:4711', proto: 'https', by: '203.0.113.60' }]);
  t.deepEqual(parsed('for=a, for="b, c;d", for=_hidden'), [{ for: 'a' }, { for: 'b, c;d' }, { for: '_hidden' }]);
  t.deepEqual(parsed('for="a\\"b\\\\"'), [{ for: 'a"b\\' }]);
  t.deepEqual(parsed(' , for=a,, ;;for=b; '), [{ for: 'a' }, { for: 'b' }]);
  t.deepEqual(parsed(''), []);
});

test('Forwarded: what is malformed is nothing', (t) => {
  for (const text of ['for', 'for=', '=a', 'for=a b', 'for="a', 'for="a"b', 'for=a;for=b', 'for=[::1]', 'for = a', 'for=a\u0001', 'for="a\n"', 'for=a=b']) t.is(parsed(text), undefined, text);
});

test('nodes: addresses, ports, unknown and obfuscated', (t) => {
  const node = (address: string, port?: number): unknown => ({ address, port });
  t.deepEqual(parseNode('1.2.3.4'), node('1.2.3.4'));
  t.deepEqual(parseNode('1.2.3.4:80'), node('1.2.3.4', 80));
  t.deepEqual(parseNode('::1'), node('::1'));
  t.deepEqual(parseNode('[::1]'), node('::1'));
  t.deepEqual(parseNode('[::1]:8080'), node('::1', 8080));
  t.deepEqual(parseNode('unknown'), node('unknown'));
  t.deepEqual(parseNode('_hidden:_port'), node('_hidden'));
  t.deepEqual(parseNode('1.2.3.4:99999'), node('1.2.3.4'));
  for (const text of ['', 'a', 'a.b', '1.2.3', '1.2.3.4.5', '[1.2.3.4]', '::1:80:', '[::1', '1.2.3.4:', '1.2.3.4 ', '999.1.1.1', '<script>']) t.is(parseNode(text), undefined, text);
});

test('the client is the first from the right that is not trusted', (t) => {
  const trusts = (address: string): boolean => address.startsWith('10.');
  const client = (...nodes: (string | undefined)[]): string | undefined => clientOf(nodes, trusts)?.address;
  t.is(client('1.1.1.1'), '1.1.1.1');
  t.is(client('6.6.6.6', '1.1.1.1', '10.0.0.2', '10.0.0.1'), '1.1.1.1');
  t.is(client('10.0.0.3', '10.0.0.2'), '10.0.0.3');
  t.is(client('6.6.6.6', 'unknown', '10.0.0.1'), 'unknown');
  // Who wrote nonsense is not believed further than that.
  t.is(client('6.6.6.6', 'nonsense', '10.0.0.1'), '10.0.0.1');
  t.is(client('6.6.6.6', undefined), undefined);
  t.is(client(), undefined);
});

test('of the text of X-Forwarded-For the same client as of its nodes', (t) => {
  const trusts = (address: string): boolean => address.startsWith('10.') || address === '::1';
  const texts = ['', ',', ' , ', '1.1.1.1', '1.1.1.1:80', '[2001:db8::1]:80', '6.6.6.6, 1.1.1.1,10.0.0.2 , 10.0.0.1', '10.0.0.3, 10.0.0.2', '6.6.6.6,unknown,10.0.0.1', 'nonsense, 10.0.0.1', ',10.0.0.1', '10.0.0.1,', '6.6.6.6,,10.0.0.1', '_hidden:_port, ::1', '01.1.1.1', '1.1.1.256'];
  for (const text of texts) t.is(clientIn(text, trusts), clientOf(text.split(',').map((node) => node.trim()), trusts)?.address, JSON.stringify(text));
});
