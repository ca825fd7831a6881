/** Behind a real nginx, over TCP and over a unix socket: what it says is believed, what the client says is not. */
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fixture, start, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { proxyFolder, proxyProgram, startNginx } from '../helpers/proxies.js';

const behind = proxyProgram('nginx') === undefined ? test.skip : test.serial;
if (proxyProgram('nginx') === undefined) console.log('nginx is not installed: not run');

/** As docs/http-edge.md shows it. */
const FORWARDED = 'proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;';

interface Told {
  url: string;
  baseUrl?: string;
  originalUrl?: string;
  headers: Record<string, string>;
  drover: Record<string, unknown>;
  ip?: string;
}

/** drover at `bind` behind nginx; what the app is told through nginx. */
async function behindNginx(t: ExecutionContext, bind: string, location: string): Promise<(path: string, headers?: Record<string, string>) => Promise<{ status: number; told: Told; body: string }>> {
  const folder = proxyFolder(t);
  const d = start(t, [fixture('edge.cjs'), '-b', bind === 'unix' ? `unix:${folder}/app.sock` : '127.0.0.1:0', '-w', '2', '--limit-request-body', '1m'], { env: { SHAPE: 'express' } });
  await d.ready();
  const address = await d.address();
  const upstream = 'socketPath' in address ? `unix:${address.socketPath}` : `${address.host}:${address.port}`;
  const front: Address = { socketPath: join(folder, 'front.sock') };
  await startNginx(t, folder, `upstream app { server ${upstream}; keepalive 4; }\nserver { listen unix:${front.socketPath}; ${location.replaceAll('UPSTREAM', 'http://app')} }`);
  return async (path, headers = {}) => {
    const { status, body } = await get(front, path, { headers: { host: 'shop.example', ...headers } });
    return { status, body, told: status === 200 ? (JSON.parse(body) as Told) : ({} as Told) };
  };
}

for (const bind of ['tcp', 'unix']) {
  behind(`forwarded headers: ${bind}`, async (t) => {
    // nginx's own client is at a unix socket here, so it stands in for the client's address.
    const ask = await behindNginx(t, bind, `location / { proxy_pass UPSTREAM; proxy_http_version 1.1; proxy_set_header Connection ""; ${FORWARDED.replace('$proxy_add_x_forwarded_for', '"$http_x_forwarded_for, 203.0.113.7"')} }`);
    for (let i = 0; i < 3; i++) {
      const { told } = await ask('/x?y', { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil' });
      t.like(told.drover, { scheme: 'http', clientAddress: '203.0.113.7', host: 'shop.example', trusted: true });
    }
    // nginx passes on what it does not set: a Forwarded of the client's own is found out.
    const forged = await ask('/', { forwarded: 'for=6.6.6.6' });
    t.is(forged.status, 400);
    t.is(forged.body, 'Forwarded and X-Forwarded-For tell two clients\n');
  });

  behind(`SCRIPT_NAME from nginx mounts the app: ${bind}`, async (t) => {
    const ask = await behindNginx(t, bind, `location /shop { proxy_pass UPSTREAM; ${FORWARDED} proxy_set_header SCRIPT_NAME /shop; }\nlocation / { proxy_pass UPSTREAM; proxy_set_header SCRIPT_NAME ""; }`);
    const { told } = await ask('/shop/sub/x?y', { SCRIPT_NAME: '/evil' });
    t.like(told, { url: '/x?y', baseUrl: '/shop/sub', originalUrl: '/shop/sub/x?y' });
    t.is(told.drover['mount'], '/shop');
    t.like((await ask('/other')).told, { url: '/other', originalUrl: '/other' });
    // A location without a slash at its end also takes /shopping; drover does not.
    t.is((await ask('/shopping')).status, 404);
  });
}

behind('a refusal reaches the client through nginx', async (t) => {
  const ask = await behindNginx(t, 'tcp', `client_max_body_size 0; location / { proxy_pass UPSTREAM; proxy_request_buffering off; proxy_http_version 1.1; ${FORWARDED} }`);
  t.is((await ask('/', { 'content-length': '0', 'x-a': 'b'.repeat(3000) })).status, 200);
  t.is((await ask(`/${'a'.repeat(4200)}`)).status, 414);
});
