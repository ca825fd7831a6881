/** A real HAProxy in front, that passes TCP on with PROXY headers of either version. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { cert, key } from '../accept/fidelity/certificate.js';
import { fixture, scratch, start, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { openInherited, proxyFolder, proxyProgram, startHaproxy } from '../helpers/proxies.js';

/** A front per upstream (the rest of a `server` line), each listening at a port of its own; stopped when the test ends. */
async function haproxy(t: ExecutionContext, upstreams: readonly string[]): Promise<Address[]> {
  const inherited = upstreams.map(openInherited);
  const fronts = upstreams.map((upstream, at) => `listen front${at}\n  mode tcp\n  bind fd@${at + 3}\n  server drover ${upstream}\n`);
  await startHaproxy(t, proxyFolder(t), fronts.join(''), inherited);
  return inherited.map(({ address }) => address);
}

const itself = proxyProgram('haproxy') === undefined ? test.skip : test.serial;

itself('HAProxy: send-proxy and send-proxy-v2, over TCP and to a unix socket', async (t) => {
  const path = join(scratch(t), 'socket');
  const d = await start(t, [fixture('peer.cjs'), '-w', '2', '-b', '127.0.0.1:0', '-b', `unix:${path}`, '--proxy-protocol', '--proxy-timeout', '60s', '--', 'http']).ready();
  const { port } = (await d.address()) as { port: number };
  const upstreams = [`127.0.0.1:${port}`, `unix@${path}`].flatMap((upstream) => ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c,authority,ssl,cert-cn'].map((how) => `${upstream} ${how}`));
  for (const [at, front] of (await haproxy(t, upstreams)).entries()) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    for (let n = 0; n < 3; n += 1) {
      const { body, localPort } = await get(front, '/', { agent, localAddress: '127.0.0.9' });
      t.like(JSON.parse(body), { remoteAddress: '127.0.0.9', remotePort: localPort, remoteFamily: 'IPv4', localPort: (front as { port: number }).port }, upstreams[at]);
    }
  }
  t.deepEqual(d.events('proxy.refused'), []);
});

itself('HAProxy: TLS passed through, with health checks', async (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'key.pem'), key);
  writeFileSync(join(directory, 'cert.pem'), cert);
  const d = await start(t, [fixture('peer.cjs'), '-w', '1', '--proxy-protocol', 'v2', '--proxy-timeout', '60s', '--', 'https', directory]).ready();
  const { port } = (await d.address()) as { port: number };
  // The checked one apart, and asked nothing: the first check that is late, as on a busy machine, takes a server out of service.
  const [front] = await haproxy(t, [`127.0.0.1:${port} send-proxy-v2`, `127.0.0.1:${port} send-proxy-v2 check check-send-proxy inter 50ms`]);
  for (let n = 0; n < 10; n += 1) {
    const { body, localPort } = await get(front!, '/', { tls: true, localAddress: '127.0.0.9' });
    t.like(JSON.parse(body), { remoteAddress: '127.0.0.9', remotePort: localPort });
  }
  t.deepEqual(d.events('proxy.refused'), []);
});
