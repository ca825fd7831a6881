import { once } from 'node:events';
import { mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { sendFile } from '../../../src/http/files/send-file.js';
import { sendFile as sendFileOfApi } from '../../../src/index.js';
import { scratch } from '../../helpers/drover.js';
import { get } from '../../helpers/http.js';

test('of many roots only some are kept open, and files of all are found', async (t) => {
  const folder = scratch(t);
  const server = http.createServer((request, response) => void sendFile(request, response, 'file', { root: join(folder, request.url!) })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const names = Array.from({ length: 200 }, (_, i) => String(i));
  for (const name of names) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'file'), name);
  }
  for (const name of [...names, ...names]) t.is((await get({ host: '127.0.0.1', port }, `/${name}`)).body, name);
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  t.is(links.filter((link) => link.startsWith(folder)).length, 64);
  server.close();
});

test('a path that is none: an error of Node\'s shape, and the response is untouched', async (t) => {
  const root = scratch(t);
  const server = http.createServer((request, response) => {
    const options = request.url === '/root' ? { root } : {};
    const answer = (error: unknown): void => void response.writeHead(400).end(`${(error as NodeJS.ErrnoException).code}`);
    sendFile(request, response, new URL(request.url!, 'http://x').searchParams.get('name')!, options).catch(answer);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  for (const path of ['/root', '/']) {
    const { status, body } = await get({ host: '127.0.0.1', port }, path);
    t.deepEqual([status, body], [400, 'ERR_INVALID_ARG_TYPE'], path);
  }
});

test('a file that cannot be sent: an error with the status that frameworks are to answer with', async (t) => {
  const folder = scratch(t);
  mkdirSync(join(folder, 'root/directory'), { recursive: true });
  writeFileSync(join(folder, 'outside'), '');
  symlinkSync('../outside', join(folder, 'root/link'));
  const server = http.createServer((request, response) => {
    const answer = ({ code, statusCode }: { code: string; statusCode?: number }): void => void response.end(`${code} ${statusCode}`);
    sendFileOfApi(request, response, decodeURIComponent(request.url!.slice(1)), { root: join(folder, 'root') }).catch(answer);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const ask = async (path: string): Promise<string> => (await get({ host: '127.0.0.1', port }, `/${encodeURIComponent(path)}`)).body;
  t.is(await ask('nothing'), 'ENOENT 404');
  t.is(await ask('x'.repeat(300)), 'ENAMETOOLONG 404');
  t.is(await ask('directory'), 'EISDIR 403');
  t.is(await ask('link'), 'ELOOP 403');
  t.is(await ask('../outside'), 'EXDEV 403');
  t.is(await ask('nul\0'), 'EINVAL 400');
});
