import test from 'ava';
import { listenOverflows, Overflows, TELL_EVERY_MS, type Seen } from '../../src/master/overflow.js';

const socket = (slot: number, drops: number, address = '127.0.0.1:80'): Seen => ({ address, slot, drops, length: 3, limit: 8 });

test('a socket that dropped while the namespace overflowed: told once, with all slots counted and the worst named', (t) => {
  const policy = new Overflows(5);
  t.deepEqual(policy.look(0, [socket(0, 0), socket(1, 0)], () => t.fail()), []);
  t.deepEqual(policy.look(1, [socket(0, 2), socket(1, 7)], () => 14), [{ address: '127.0.0.1:80', slot: 1, length: 3, limit: 8, dropped: 9 }]);
  t.deepEqual(policy.look(2, [socket(0, 2), socket(1, 7)], () => t.fail()), []);
});

test('drops for other reasons are not told', (t) => {
  t.deepEqual(new Overflows(5).look(1, [socket(0, 2)], () => 5), []);
});

test('once a minute per address; what happened meanwhile is counted then', (t) => {
  const policy = new Overflows(0);
  let overflows = 0;
  const read = (): number => ++overflows;
  t.is(policy.look(0, [socket(0, 1)], read).length, 1);
  t.deepEqual(policy.look(1000, [socket(0, 4)], read), []);
  t.is(policy.look(2000, [socket(0, 4), socket(0, 1, '[::]:81')], read)[0]!.address, '[::]:81');
  t.is(policy.look(TELL_EVERY_MS, [socket(0, 6)], read)[0]!.dropped, 5);
});

test('the counter wraps', (t) => {
  const policy = new Overflows(0);
  policy.look(0, [socket(0, 2 ** 32 - 1)], () => 0);
  t.is(policy.look(1, [socket(0, 2)], () => 1)[0]!.dropped, 3);
});

test('a socket that was closed is forgotten: the next one of its address begins anew', (t) => {
  const policy = new Overflows(0);
  let overflows = 0;
  const read = (): number => ++overflows;
  t.is(policy.look(0, [socket(0, 5)], read).length, 1);
  t.deepEqual(policy.look(1, [socket(0, 7)], read), []);
  t.deepEqual(policy.look(2, [], read), []);
  t.deepEqual(policy.look(TELL_EVERY_MS, [socket(0, 0)], read), []);
  t.is(policy.look(TELL_EVERY_MS + 1, [socket(0, 3)], read)[0]!.dropped, 3);
});

test('/proc/net/netstat', (t) => {
  t.is(listenOverflows('TcpExt: A ListenOverflows B\nTcpExt: 1 22 3\nIpExt: A\nIpExt: 0'), 22);
  t.is(listenOverflows(''), 0);
});
