import { isIPv4 } from 'node:net';
import test from 'ava';
import { AddressSet, parseAddressSet, ipv4Of } from '../../src/config/address-set.js';
import type { Option } from '../../src/config/options.js';
import { formatValue } from '../../src/config/format-value.js';
import { parseValue, Unfit } from '../../src/config/parse-value.js';

const VALID: [string, string[]][] = [
  ['', []],
  ['*', ['*']],
  ['127.0.0.1,::1', ['127.0.0.1', '::1']],
  [' 10.0.0.1 , 10.0.0.1 ', ['10.0.0.1']],
  ['10.0.0.0/8', ['10.0.0.0/8']],
  ['0.0.0.0/0', ['0.0.0.0/0']],
  ['192.0.2.255/32', ['192.0.2.255']],
  ['192.0.2.254/31', ['192.0.2.254/31']],
  ['2001:0DB8:0:0:0::1', ['2001:db8::1']],
  ['2001:db8::/32', ['2001:db8::/32']],
  ['2001:db8::1/128', ['2001:db8::1']],
  ['fe80::/10', ['fe80::/10']],
  ['::/0', ['::/0']],
  ['::', ['::']],
  ['::ffff:10.0.0.1', ['10.0.0.1']],
  ['::ffff:a00:1', ['10.0.0.1']],
  ['::ffff:10.0.0.0/104', ['10.0.0.0/8']],
  ['::ffff:0:0/96', ['0.0.0.0/0']],
  ['64:ff9b::192.0.2.1', ['64:ff9b::c000:201']],
];

for (const [text, entries] of VALID) {
  test(`${JSON.stringify(text)} is ${entries.join(' and ') || 'nobody'}`, (t) => {
    t.deepEqual(parseAddressSet([text]), entries);
    t.deepEqual(parseAddressSet([entries.join(',')]), entries);
    t.deepEqual(parseAddressSet(entries), entries);
  });
}

const INVALID: [string, string, RegExp][] = [
  ['localhost', 'localhost', /not an address/],
  ['10.0.0', '10.0.0', /not an address/],
  ['10.0.0.01', '10.0.0.01', /not an address/],
  ['10.0.0.1:80', '10.0.0.1:80', /not an address/],
  ['[::1]', '[::1]', /not an address/],
  ['10.0.0.*', '10.0.0.*', /not an address/],
  ['/8', '/8', /not an address/],
  ['fe80::1%eth0', 'fe80::1%eth0', /zone/],
  ['10.0.0.1,,::1', '10.0.0.1,,::1', /nothing between two commas/],
  ['10.0.0.1,', '10.0.0.1,', /nothing between two commas/],
  ['::1,10.0.0.1/8', '10.0.0.1/8', /host bits are set: the network is 10\.0\.0\.0\/8$/],
  ['2001:db8::1/32', '2001:db8::1/32', /host bits are set: the network is 2001:db8::\/32$/],
  ['::ffff:10.0.0.1/104', '::ffff:10.0.0.1/104', /host bits are set: the network is 10\.0\.0\.0\/8$/],
  ['::ffff:0:0/90', '::ffff:0:0/90', /host bits are set$/],
  ['10.0.0.0/33', '10.0.0.0/33', /from 0 to 32/],
  ['::/129', '::/129', /from 0 to 128/],
  ['10.0.0.0/', '10.0.0.0/', /from 0 to 32/],
  ['10.0.0.0/08', '10.0.0.0/08', /from 0 to 32/],
  ['10.0.0.0/-1', '10.0.0.0/-1', /from 0 to 32/],
  ['10.0.0.0/8/8', '10.0.0.0/8/8', /from 0 to 32/],
  ['10.0.0.0/255.0.0.0', '10.0.0.0/255.0.0.0', /from 0 to 32/],
];

for (const [text, piece, what] of INVALID) {
  test(`${text} is refused`, (t) => {
    const parsed = parseAddressSet([text]);
    if (!('piece' in parsed)) return t.fail(parsed.join());
    t.is(parsed.piece, piece);
    return t.regex(parsed.what, what);
  });
}

const MATCHES: [string, string[], string[]][] = [
  ['', [], ['127.0.0.1', '::1']],
  ['*', ['127.0.0.1', '::1', 'fe80::1%eth0', '::ffff:1.2.3.4'], ['', 'unknown', '*', '1.2.3']],
  ['127.0.0.1,::1', ['127.0.0.1', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:0:0:1'], ['127.0.0.2', '::2', '::127.0.0.1', 'localhost', '127.0.0.1:80', '2130706433', '']],
  ['10.0.0.0/8', ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'], ['9.255.255.255', '11.0.0.0', '::10.1.2.3', 'a00::']],
  ['128.0.0.0/1', ['128.0.0.0', '255.255.255.255'], ['127.255.255.255', '8000::']],
  ['192.0.2.254/31', ['192.0.2.254', '192.0.2.255'], ['192.0.2.253', '192.0.3.0']],
  ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255', '::ffff:1.2.3.4'], ['::1', '::']],
  ['::/0', ['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'], ['1.2.3.4', '::ffff:1.2.3.4']],
  ['2001:db8:8000::/33', ['2001:db8:8000::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'], ['2001:db8:7fff::', '2001:db9:8000::']],
  ['2001:db8::/64', ['2001:db8::1'], ['2001:db8:0:1::']],
  ['fe80::/10', ['fe80::1', 'fe80::1%eth0', 'febf::'], ['fec0::']],
  ['fe80::1', ['fe80::1', 'fe80::1%eth0'], ['fe80::2%eth0']],
];

for (const [text, members, others] of MATCHES) {
  test(`who is in ${JSON.stringify(text)}`, (t) => {
    const set = new AddressSet(parseAddressSet([text]) as string[]);
    t.is(set.holdsAll, text === '*');
    for (const address of members) t.true(set.matches(address), address);
    for (const address of others) t.false(set.matches(address), address);
    t.false(set.matches(undefined));
  });
}

test('as an option: one text, several, and what is none', (t) => {
  const option: Option = { name: 'trusted', type: 'addressSet', default: [], section: 'listening', reload: 'respawn', help: 'whom to trust.' };
  t.deepEqual(parseValue(option, '::1,10.0.0.0/8', '/'), ['::1', '10.0.0.0/8']);
  t.deepEqual(parseValue(option, ['::1', '10.0.0.0/8,*'], '/'), ['::1', '10.0.0.0/8', '*']);
  t.deepEqual(parseValue(option, [], '/'), []);
  t.is(formatValue(option, ['::1', '10.0.0.0/8']), '::1,10.0.0.0/8');
  t.is(formatValue(option, []), '(none)');
  const unfit = parseValue(option, ['::1', '10.1.0.0/8'], '/');
  if (!(unfit instanceof Unfit)) return t.fail();
  t.is(unfit.piece, '10.1.0.0/8');
  for (const nonsense of [5, true, null, {}, [5], [[]]]) t.true(parseValue(option, nonsense, '/') instanceof Unfit, JSON.stringify(nonsense));
  return undefined;
});

test('an IPv4 address is what node:net takes for one', (t) => {
  const texts = ['0.0.0.0', '255.255.255.255', '127.0.0.1', '10.20.30.40', '1.2.3', '1.2.3.4.5', '1.2.3.', '.1.2.3', '1..2.3', '', '.', '...', '01.2.3.4', '1.2.3.04', '00.0.0.0', '256.1.1.1', '1.1.1.999', '1.1.1.1 ', ' 1.1.1.1', '1.1.1.1a', '-1.1.1.1', '1.1.1.1:80', '::1', '1e1.1.1.1', '１.1.1.1', '1000.1.1.1', '1.1.1.1\0'];
  for (const text of texts) t.is(ipv4Of(text) !== undefined, isIPv4(text), JSON.stringify(text));
  t.is(ipv4Of('1.2.3.4'), 0x01020304);
  t.is(ipv4Of('255.0.0.1'), 0xff000001 | 0);
});
