import { constants } from 'node:os';
import test from 'ava';
import { explain } from '../../src/accept/refusal.js';

const { EACCES, EPERM } = constants.errno;

test('a port that needs a privilege is told so; one that needs none is forbidden by something else', (t) => {
  for (const errno of [EACCES, EPERM]) {
    t.regex(explain(-errno, { family: 'IPv4', address: '0.0.0.0', port: 65_535 }).remedy!, /needs no privilege.*SocketBindDeny=/);
    t.regex(explain(-errno, { family: 'IPv6', address: '::', port: 0 }).remedy!, /needs no privilege/);
    t.regex(explain(-errno, { family: 'IPv4', address: '0.0.0.0', port: 1 }).remedy!, /CAP_NET_BIND_SERVICE/);
  }
});
