/** Behind a real HAProxy, over TCP and over a unix socket: X-Forwarded-*, Forwarded (RFC 7239) and SCRIPT_NAME. */
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fixture, start, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { proxyFolder, proxyProgram, startHaproxy } from '../helpers/proxies.js';

const behind = proxyProgram('haproxy') === undefined ? test.skip : test.serial;
if (proxyProgram('haproxy') === undefined) console.log('haproxy is not installed: not run');

interface Told {
  url: string;
  baseUrl?: string;
  originalUrl?: string;
  headers: Record<string, string>;
  drover: Record<string, unknown>;
}

async function behindHaproxy(t: ExecutionContext, bind: string, rules: readonly string[]): Promise<(path: string, headers?: Record<string, string>) => Promise<{ status: number; told: Told }>> {
  const folder = proxyFolder(t);
  const d = start(t, [fixture('edge.cjs'), '-b', bind === 'unix' ? `unix:${folder}/app.sock` : '127.0.0.1:0', '-w', '2'], { env: { SHAPE: 'handler' } });
  await d.ready();
  const address = await d.address();
  const server = 'socketPath' in address ? `unix@${address.socketPath}` : `${address.host}:${address.port}`;
  const front: Address = { socketPath: join(folder, 'front.sock') };
  await startHaproxy(t, folder, `listen front\n  bind unix@${front.socketPath}\n${rules.map((rule) => `  ${rule}\n`).join('')}  server app ${server}\n`);
  return async (path, headers = {}) => {
    const { status, body } = await get(front, path, { headers: { host: 'shop.example', ...headers } });
    return { status, told: status === 200 ? (JSON.parse(body) as Told) : ({} as Told) };
  };
}

for (const bind of ['tcp', 'unix']) {
  behind(`X-Forwarded-For and -Proto: ${bind}`, async (t) => {
    // HAProxy's own client is at a unix socket here, which has no address to tell.
    const ask = await behindHaproxy(t, bind, ['http-request set-header X-Forwarded-For "%[req.fhdr(X-Forwarded-For)], 203.0.113.7"', 'http-request set-header X-Forwarded-Proto https', 'http-request del-header X-Forwarded-Host', 'http-request del-header Forwarded']);
    const { told } = await ask('/x', { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-host': 'evil', forwarded: 'for=6.6.6.6' });
    t.like(told.drover, { scheme: 'https', clientAddress: '203.0.113.7', host: 'shop.example', trusted: true });
  });

  behind(`Forwarded: ${bind}`, async (t) => {
    const ask = await behindHaproxy(t, bind, ['http-request del-header X-Forwarded-For', 'http-request set-header Forwarded "for=\\"[2001:db8::7]:4711\\";proto=https;host=shop.example"']);
    t.like((await ask('/x', { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6' })).told.drover, { scheme: 'https', clientAddress: '2001:db8::7', host: 'shop.example' });
  });

  behind(`SCRIPT_NAME mounts the app: ${bind}`, async (t) => {
    const ask = await behindHaproxy(t, bind, ['http-request set-header SCRIPT_NAME /shop if { path_beg /shop/ } or { path /shop }', 'http-request del-header SCRIPT_NAME if !{ path_beg /shop/ } !{ path /shop }']);
    t.like((await ask('/shop/x?y', { SCRIPT_NAME: '/evil' })).told, { url: '/x?y', baseUrl: '/shop', originalUrl: '/shop/x?y' });
    t.like((await ask('/other', { SCRIPT_NAME: '/evil' })).told, { url: '/other' });
  });
}
