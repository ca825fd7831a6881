import test from 'ava';
import { hasLarger, HeaderScan, isForwardingName, isNamed } from '../../src/http/header-scan.js';

function scan(...fields: string[]): HeaderScan {
  const scan = new HeaderScan(['x-forwarded-proto', 'front-end-https', 'x-request-id'], 'x-request-id');
  scan.run(['left', 'over', 'Host', 'x', 'X_Y', 'z']);
  scan.run(fields);
  return scan;
}

test('finds the fields it knows, in any case, and forgets those of the request before', (t) => {
  const found = scan('hOST', 'a', 'CONTENT-LENGTH', '3', 'Transfer-encoding', 'chunked', 'X-Request-ID', 'i');
  t.is(found.hosts, 1);
  t.is(found.host, 1);
  t.is(found.contentLength, 3);
  t.is(found.transferEncoding, 5);
  t.is(found.requestId, 7);
  t.is(found.underscores, 0);
  const none = scan('Hos', 'a', 'Hosts', 'b', 'xost', 'c', 'Content-Lengtg', '1');
  t.deepEqual([none.hosts, none.contentLength, none.forwarding], [0, -1, 0]);
});

test('counts what proxies send, and what tells the scheme', (t) => {
  const found = scan('X-Forwarded-For', 'a', 'x-forwarded-proto', 'https', 'X-FORWARDED-ANYTHING', 'b', 'Forwarded', 'for=a', 'X-Real-IP', 'c', 'Front-End-Https', 'on', 'X-Forwarde', 'd', 'X-Foxwarded-For', 'e');
  t.is(found.forwarding, 6);
  t.is(found.schemes, 2);
  t.is(found.rfc7239, 1);
});

test('counts repeated fields, and names with an underscore', (t) => {
  const found = scan('Host', 'a', 'host', 'b', 'Transfer-Encoding', 'x', 'Transfer-Encoding', 'y', 'SCRIPT_NAME', '/a', 'x_forwarded_for', 'b', 'X-Forwarded-For_', 'c');
  t.is(found.hosts, 2);
  t.is(found.codings, 2);
  t.is(found.underscores, 3);
  t.is(found.forwarding, 1);
});

test('the largest field, and all of them, are counted as on the wire', (t) => {
  const fields = ['A', 'bc', 'Host', 'xyz', 'B', ''];
  t.is(scan(...fields).bytes, 'A: bc\r\nHost: xyz\r\nB: \r\n'.length);
  t.is(scan().bytes, 0);
  t.true(hasLarger(fields, 'Host: xyz\r\n'.length - 1));
  t.false(hasLarger(fields, 'Host: xyz\r\n'.length));
});

test('a name is known in any case, and no other is taken for it', (t) => {
  for (const name of ['x-forwarded-ssl', 'X-FORWARDED-SSL', 'X-Forwarded-SSL']) t.true(isNamed(name, 'x-forwarded-ssl'));
  for (const name of ['x-forwarded-for', 'x-forwarded-ss', 'x-forwarded-ssl-', 'y-forwarded-ssl', '']) t.false(isNamed(name, 'x-forwarded-ssl'));
  for (const name of ['X_Y', '_X']) t.true(isNamed(name, name.toLowerCase()));
  t.false(isNamed('x^s', 'x~s'));
  t.true(isNamed('X~S', 'x~s'));
});

test('names that only proxies should send', (t) => {
  for (const name of ['Forwarded', 'X-Real-IP', 'X-Forwarded-Anything', 'x-forwarded-']) t.true(isForwardingName(name), name);
  for (const name of ['Forwarder', 'X-Real-I', 'X-Forwarded', 'Y-Forwarded-For', 'Host', '']) t.false(isForwardingName(name), name);
});

test('what a name is does not hang on the names that came before it', (t) => {
  const scan = new HeaderScan(['x-forwarded-proto', 'front-end-https'], 'x-request-id');
  // More than it keeps, of all lengths, many with the place of another.
  const others = Array.from({ length: 5000 }, (_, i) => `${'abchtfx'[i % 7]!}-${i.toString(36)}${'z'.repeat(i % 80)}${i % 11 === 0 ? '_' : ''}${'rto'[i % 3]!}st`);
  const known = ['Host', 'a', 'hOsT', 'b', 'x-forwarded-for', 'c', 'X-Forwarded-Proto', 'd', 'X-FORWARDED-PROTO', 'e', `X-Forwarded-${'y'.repeat(100)}`, 'f', 'Content-Length', '1', 'X-Request-Id', 'g', 'S_N', 'h'];
  for (let at = 0; at < others.length; at += 50) {
    const some = others.slice(at, at + 50);
    for (let times = 0; times < 2; times++) {
      scan.run([...some.flatMap((name) => [name, '']), ...known]);
      t.deepEqual(
        [scan.hosts, scan.forwarding, scan.schemes, scan.forwardedFors, scan.requestIds, scan.codings, scan.rfc7239, scan.underscores],
        [2, 4, 2, 1, 1, 0, 0, 1 + some.filter((name) => name.includes('_')).length],
      );
      t.deepEqual([scan.host, scan.forwardedFor, scan.contentLength, scan.requestId, scan.authority], [103, 105, 113, 115, -1]);
    }
  }
});

test('a name is not taken for the one that came in its place before, nor for one that is too long to be kept', (t) => {
  const scan = new HeaderScan([], 'x-request-id');
  const long = `X-Forwarded-${'y'.repeat(100)}`;
  for (const name of ['X-Forwarded-For', 'X-Forwarded_For', 'Accept', long, 'X-Forwarded-For', 'Accept', long, 'Y', long.replace('F', 'G'), long]) {
    scan.run(['Host', 'a', name, 'b', 'Host', 'c']);
    t.deepEqual([scan.hosts, scan.forwarding, scan.underscores], [2, name.startsWith('X-Forwarded-') ? 1 : 0, name.includes('_') ? 1 : 0], name);
  }
});

test('a name is what each option says of it', (t) => {
  const scan = new HeaderScan(['x-forwarded-id', 'x-id'], 'x-forwarded-id');
  scan.run(['X-Forwarded-Id', 'a', 'X-Id', 'b', ':authority', 'c', '', 'd']);
  t.deepEqual([scan.forwarding, scan.schemes, scan.requestIds, scan.requestId, scan.authority], [2, 2, 1, 1, 5]);
});
