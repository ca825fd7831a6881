import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { formatBound } from '../../src/accept/bound.js';
import { decodeAddress, findHolder, listenersAt, ownListeners, parentOf, parseTcpTable, parseUnixTable } from '../../src/accept/holder.js';

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

const UNIX_TABLE = `Num       RefCount Protocol Flags    Type St Inode Path
000000001466859b: 00000003 00000000 00000000 0005 03 18397098
000000003a5fc710: 00000002 00000000 00010000 0001 01 21980942 /run/a b.sock
00000000fb764ede: 00000003 00000000 00000000 0001 03   981001 /run/a b.sock
00000000554f3d10: 00000002 00000000 00010000 0001 01 21980952 @name@@@
00000000554f3d11: 00000002 00000000 00000000 0002 01 21980953 @
`;

test('of the table of unix sockets, those with a name', (t) => {
  t.deepEqual(parseUnixTable(UNIX_TABLE), [
    { path: '/run/a b.sock', inode: 21980942, listens: true },
    { path: '/run/a b.sock', inode: 981001, listens: false },
    { path: '@name', inode: 21980952, listens: true },
    { path: '@', inode: 21980953, listens: false },
  ]);
  t.deepEqual(parseUnixTable(''), []);
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

// Before those that run at once and listen in this process.
test.serial('what this process listens at, in whichever thread: not what it is connected by, nor what it no longer has', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'drover-own-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'a b.sock');
  const listeners = (): string[] => ownListeners().map(formatBound).sort();
  const before = listeners();
  const thread = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
    const net = require('node:net');
    const servers = [{ port: 0, host: '127.0.0.1' }, { port: 0, host: '::1' }, { path: workerData }].map((where) => net.createServer().listen(where));
    Promise.all(servers.map((server) => new Promise((listens) => server.on('listening', listens)))).then(() => {
      const client = net.connect(workerData, () => parentPort.postMessage(servers.map((server) => server.address())));
    });`,
    { eval: true, workerData: path },
  );
  t.teardown(() => thread.terminate());
  const [[ipv4, ipv6]] = (await once(thread, 'message')) as [net.AddressInfo[]];
  t.deepEqual(listeners(), [...before, `127.0.0.1:${ipv4!.port}`, `[::1]:${ipv6!.port}`, `unix:${path}`].sort());
  t.deepEqual(
    ownListeners().find((address) => address.family === 'IPv6' && address.port === ipv6!.port),
    { family: 'IPv6', address: '::1', port: ipv6!.port },
  );
  await thread.terminate();
  t.deepEqual(listeners(), before);
});

test('a socket that the parent has as well is not the process\'s own', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const fd = (server as unknown as { _handle: { fd: number } })._handle.fd;
  const child = spawn(process.execPath, ['--input-type=module', '-e', OWN_LISTENERS], { stdio: ['ignore', 'pipe', 'inherit', fd] });
  // It ends by itself, and may have before its output is read.
  const exited = once(child, 'exit');
  const [output] = (await once(child.stdout!, 'data')) as [Buffer];
  const { own, port: itsOwn, open } = JSON.parse(String(output)) as { own: unknown; port: number; open: boolean };
  t.not(itsOwn, port);
  t.deepEqual(own, [{ family: 'IPv4', address: '127.0.0.1', port: itsOwn }]);
  t.true(open, 'the inherited one is there');
  await exited;
  server.close();
});

const OWN_LISTENERS = `
import { createServer } from 'node:net';
import { readlinkSync } from 'node:fs';
import { ownListeners } from ${JSON.stringify(new URL('../../src/accept/holder.js', import.meta.url).href)};
const server = createServer().listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ own: ownListeners(), port: server.address().port, open: readlinkSync('/proc/self/fd/3').startsWith('socket:') }));
  server.close();
});`;

test('the parent of a process', async (t) => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'inherit'] });
  t.is(parentOf(child.pid!), process.pid);
  child.stdin.end();
  await once(child, 'exit');
  t.is(parentOf(child.pid!), undefined);
});
