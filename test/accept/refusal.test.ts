import { constants } from 'node:os';
import test from 'ava';
import { explain } from '../../src/accept/refusal.js';

const { EACCES, EADDRNOTAVAIL, EINVAL, ENODEV, EPERM } = constants.errno;

test('a port that needs a privilege is told so; one that needs none is forbidden by something else', (t) => {
  for (const errno of [EACCES, EPERM]) {
    t.regex(explain(-errno, { family: 'IPv4', address: '0.0.0.0', port: 65_535 }).remedy!, /needs no privilege.*SocketBindDeny=/);
    t.regex(explain(-errno, { family: 'IPv6', address: '::', port: 0 }).remedy!, /needs no privilege/);
    t.regex(explain(-errno, { family: 'IPv4', address: '0.0.0.0', port: 1 }).remedy!, /CAP_NET_BIND_SERVICE/);
  }
});

test('an IPv6 address that means nothing here: its zone, or that it has none', (t) => {
  const reason = (address: string, errno = EINVAL): string => explain(-errno, { family: 'IPv6', address, port: 80 }).reason;
  t.regex(reason('fe80::1'), /needs the name of its interface/);
  t.regex(reason('fe80::1%nope'), /has no network interface nope/);
  t.regex(reason('FE80::1%99', ENODEV), /has no network interface 99/);
  t.regex(reason('::1%lo'), /only a link-local address .* and ::1 is none/);
  t.regex(reason('ff02::1%eth0'), /multicast/);
  t.is(reason('fe8::1'), 'EINVAL');
});

test('an IPv6 address that has taken its port for a part of itself', (t) => {
  const remedy = (address: string): string => explain(-EADDRNOTAVAIL, { family: 'IPv6', address, port: 8000 }).remedy!;
  t.regex(remedy('::1:3000'), / If 3000 is to be the port: \[::1\]:3000\.$/);
  for (const address of ['2001:db8::1', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1']) t.regex(remedy(address), /stand for all of them\.$/);
});
