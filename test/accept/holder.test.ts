import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { decodeAddress, findHolder, listenersAt, parseTcpTable } from '../../src/accept/holder.js';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 28271 1 0000000000000000 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 28300 1 0000000000000000 20 4 30 10 -1
`;

test('of a table, the listening sockets', (t) => {
  t.deepEqual(parseTcpTable(TABLE), [
    { address: '0100007F', port: 8080, inode: 28271 },
    { address: '00000000', port: 80, inode: 101 },
  ]);
  t.deepEqual(parseTcpTable(''), []);
});

test('addresses as net writes them', (t) => {
  t.is(decodeAddress('0100007F'), '127.0.0.1');
  t.is(decodeAddress('00000000'), '0.0.0.0');
  t.is(decodeAddress('00000000000000000000000000000000'), '::');
  t.is(decodeAddress('00000000000000000000000001000000'), '::1');
  t.is(decodeAddress('B80D0120000000000000000001000000'), '2001:db8::1');
  t.is(decodeAddress('0000000000000000FFFF00000100007F'), '127.0.0.1');
});

const LISTENS = `
  const server = require('node:net').createServer().listen(process.argv[1] === '0' ? 0 : process.argv[1], process.argv[2], () => {
    const address = server.address();
    process.stdout.write(String(address.port ?? address));
  });`;

test('a process that listens is found by its address, and by one that overlaps', async (t) => {
  for (const host of ['127.0.0.1', '::', '0.0.0.0']) {
    const child = spawn(process.execPath, ['-e', LISTENS, '0', host], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    const [output] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(output);
    const family = host === '::' ? 'IPv6' : 'IPv4';
    t.like(findHolder({ family, address: host, port }), { pid: child.pid });
    t.like(findHolder({ family: 'IPv4', address: '0.0.0.0', port }), { pid: child.pid });
    t.regex(findHolder({ family, address: host, port })!.name, /^node$|^MainThread$/, 'and nothing of its code');
    t.is(listenersAt({ address: host, port }).length, 1);
    t.is(listenersAt({ address: '127.0.0.2', port }).length, 0);
    child.kill('SIGKILL');
    await once(child, 'exit');
    t.is(findHolder({ family, address: host, port }), undefined);
  }
});

test('the name of a script and the path of a socket may have anything in them; what is no text is left out', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'drover holder é-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const script = join(dir, 'a.cjs');
  writeFileSync(script, "require('node:net').createServer().listen(process.argv[3], () => process.stdout.write('listens'));");
  const path = join(dir, 'a b.sock');
  const child = spawn(process.execPath, [script, 'x', path], { stdio: ['ignore', 'pipe', 'inherit'], argv0: '\u001b[31m\nü' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const found = findHolder({ family: 'unix', path })!;
  t.is(found.pid, child.pid!);
  t.true(found.name.startsWith(` [31m ü ${dir}`.slice(0, 60)), found.name);
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('our own sockets are nobody else\'s', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  t.is(findHolder({ family: 'IPv4', address: '127.0.0.1', port }), undefined);
  t.is(listenersAt({ address: '127.0.0.1', port }).length, 1);
  server.close();
});

test('a path nobody has', (t) => {
  t.is(findHolder({ family: 'unix', path: '/nonexistent/drover.sock' }), undefined);
});
