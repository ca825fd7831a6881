import { once } from 'node:events';
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { sendFile } from '../../../src/http/files/send-file.js';
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
