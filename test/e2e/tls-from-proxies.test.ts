/** nginx and HAProxy in front of drover's own TLS: encrypted anew, passed through, with certificates that either side verifies, and with PROXY headers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeCertificate, type MadeCertificate } from '../helpers/certificates.js';
import { fixture, start, type Address, type Drover } from '../helpers/drover.js';
import { get, type GetOptions } from '../helpers/http.js';
import { nginxStreamModule, openInherited, proxyFolder, proxyProgram, startHaproxy, startNginx } from '../helpers/proxies.js';

const nginx = proxyProgram('nginx') === undefined ? test.skip : test.serial;
const nginxStream = nginxStreamModule() === undefined ? test.skip : test.serial;
const haproxy = proxyProgram('haproxy') === undefined ? test.skip : test.serial;
for (const [name, there] of [['nginx', proxyProgram('nginx')], ["nginx's stream module", nginxStreamModule()], ['haproxy', proxyProgram('haproxy')]]) if (there === undefined) console.log(`${name} is not installed: not run`);

interface Told {
  version: string;
  encrypted: boolean;
  reused?: boolean;
  client?: string;
  serverName?: string | false;
  remoteAddress: string;
  remotePort: number;
  scheme: string;
  clientAddress: string;
  trusted: boolean;
}

interface Behind {
  d: Drover;
  folder: string;
  /** host:port */
  upstream: string;
  ca: MadeCertificate;
  /** Of the proxy, for drover to verify; in one file for HAProxy. */
  proxy: MadeCertificate;
}

/** drover with a certificate for app.internal of an authority of its own. */
async function serve(t: ExecutionContext, ...args: string[]): Promise<Behind> {
  const folder = proxyFolder(t);
  const ca = makeCertificate(folder, 'ca');
  const server = makeCertificate(folder, 'app.internal', { by: ca });
  const proxy = makeCertificate(folder, 'proxy.internal', { by: ca });
  const d = await start(t, [fixture('secured.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--certfile', server.cert, '--keyfile', server.key, ...args.map((arg) => (arg === 'CA' ? ca.cert : arg))]).ready();
  const { host, port } = (await d.address()) as { host: string; port: number };
  return { d, folder, upstream: `${host}:${port}`, ca, proxy };
}

async function ask(address: Address, options: GetOptions = {}): Promise<Told & { localPort: number | undefined }> {
  const { status, body, localPort } = await get(address, '/', { headers: { host: 'shop.example' }, ...options });
  if (status !== 200) throw new Error(`${status} ${body}`);
  return { ...(JSON.parse(body) as Told), localPort };
}

/** As docs/tls.md shows it. */
const VERIFIED = (ca: MadeCertificate): string => `proxy_ssl_verify on; proxy_ssl_trusted_certificate ${ca.cert}; proxy_ssl_server_name on; proxy_ssl_name app.internal;`;
const FORWARDED = 'proxy_set_header Host $host; proxy_set_header X-Forwarded-For "203.0.113.7"; proxy_set_header X-Forwarded-Proto https;';

nginx('nginx encrypts anew, verifies the certificate, shows its own, and resumes its session at any worker', async (t) => {
  const { d, folder, upstream, ca, proxy } = await serve(t, '--cert-reqs', 'required', '--ca-certs', 'CA');
  const front: Address = { socketPath: join(folder, 'front.sock') };
  const other: Address = { socketPath: join(folder, 'other.sock') };
  const bare: Address = { socketPath: join(folder, 'bare.sock') };
  const mine = `proxy_ssl_certificate ${proxy.cert}; proxy_ssl_certificate_key ${proxy.key};`;
  await startNginx(t, folder, [
    `server { listen unix:${front.socketPath}; location / { proxy_pass https://${upstream}; ${VERIFIED(ca)} ${mine} ${FORWARDED} } }`,
    // Another name than the certificate has, and no certificate of its own. (nginx has one session for the three, and the certificate is part of it.)
    `server { listen unix:${other.socketPath}; location / { proxy_pass https://${upstream}; ${VERIFIED(ca).replace('app.internal', 'other.internal')} ${mine} } }`,
    `server { listen unix:${bare.socketPath}; location / { proxy_pass https://${upstream}; proxy_ssl_session_reuse off; ${VERIFIED(ca)} } }`,
  ].join('\n'));
  const pids = new Set<unknown>();
  let reused = 0;
  for (let i = 0; i < 12; i++) {
    const told = await ask(front);
    t.like(told, { encrypted: true, client: 'proxy.internal', scheme: 'https', clientAddress: '203.0.113.7', trusted: true, remoteAddress: '127.0.0.1' });
    pids.add((told as unknown as { pid: number }).pid);
    // Node tells the name of a whole handshake only.
    if (told.reused === true) reused++;
    else t.is(told.serverName, 'app.internal');
  }
  t.is(reused, 11, `every connection but the first, at ${pids.size} workers`);
  t.is((await get(other, '/')).status, 502, 'nginx does not take this certificate for that of another name');
  // In TLS 1.3 a client hears of it with the answer that it does not get: nginx makes 400 or 502 of it.
  t.true((await get(bare, '/')).status >= 400, 'drover wants a certificate');
  await d.event('tls.handshake-failed');
  t.deepEqual(d.events('worker.died'), []);
});

for (const alpn of ['', ' alpn h2'] as const) {
  haproxy(`HAProxy verifies, shows its certificate and sends a PROXY v2 header before the handshake: ${alpn === '' ? 'HTTP/1.1' : 'HTTP/2'}`, async (t) => {
    const { d, folder, upstream, ca, proxy } = await serve(t, '--cert-reqs', 'required', '--ca-certs', 'CA', '--http-protocols', 'h2,h1', '--proxy-protocol', 'v2', '--proxy-timeout', '60s');
    const pem = join(folder, 'proxy.pem');
    writeFileSync(pem, proxy.certText + proxy.keyText);
    const inherited = [openInherited(), openInherited()];
    const verified = `ssl verify required ca-file ${ca.cert} crt ${pem}${alpn} send-proxy-v2`;
    await startHaproxy(t, folder, [
      `listen front\n  bind fd@3\n  option forwardfor\n  http-request set-header X-Forwarded-Proto https\n  server app ${upstream} ${verified} sni str(app.internal)`,
      // Apart, since the first check that is late, as on a busy machine, takes a server out of service.
      `backend checked\n  server app ${upstream} ${verified} sni str(app.internal) check check-send-proxy check-sni app.internal inter 50ms`,
      `listen other\n  bind fd@4\n  server app ${upstream} ${verified} sni str(other.internal)`,
    ].join('\n'), inherited);
    const [front, other] = inherited.map(({ address }) => address) as [Address, Address];
    for (let i = 0; i < 6; i++) {
      const told = await ask(front, { localAddress: '127.0.0.9' });
      // drover judges by the peer that the header names, which is nobody that it was told to believe.
      t.like(told, { version: alpn === '' ? '1.1' : '2.0', encrypted: true, client: 'proxy.internal', serverName: 'app.internal', remoteAddress: '127.0.0.9', remotePort: told.localPort, scheme: 'https', clientAddress: '127.0.0.9', trusted: false });
    }
    // With ALPN, HAProxy 2.6 takes its time over it: `timeout connect`, four times.
    if (alpn === '') t.is((await get(other, '/')).status, 503, 'HAProxy does not take this certificate for that of another name');
    t.deepEqual(d.events('proxy.refused'), []);
    t.deepEqual(d.events('worker.died'), []);
  });
}

nginxStream('nginx (stream) sends a PROXY v1 header: before clear text, before TLS of its own, before TLS that it passes through', async (t) => {
  const { d, folder, upstream, ca, proxy } = await serve(t, '--proxy-protocol', 'v1', '--proxy-timeout', '60s');
  const clear = await start(t, [fixture('secured.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--proxy-protocol', 'v1', '--proxy-timeout', '60s']).ready();
  const { port } = (await clear.address()) as { port: number };
  const inherited = [openInherited(), openInherited(), openInherited()];
  const [plain, anew, through] = inherited.map(({ address }) => address) as [Inherit, Inherit, Inherit];
  const server = ({ port: at }: Inherit, rest: string): string => `server { listen 127.0.0.1:${at}; proxy_protocol on; ${rest} }`;
  const mine = `proxy_ssl_certificate ${proxy.cert}; proxy_ssl_certificate_key ${proxy.key};`;
  const stream = [server(plain, `proxy_pass 127.0.0.1:${port};`), server(anew, `proxy_pass ${upstream}; proxy_ssl on; ${VERIFIED(ca)} ${mine}`), server(through, `proxy_pass ${upstream};`)].join('\n');
  await startNginx(t, folder, '', { stream, inherited });
  for (const [address, tls, encrypted] of [[plain, false, false], [anew, false, true], [through, true, true]] as const) {
    for (let i = 0; i < 4; i++) {
      const told = await ask(address, { tls, localAddress: '127.0.0.9' });
      t.like(told, { encrypted, remoteAddress: '127.0.0.9', remotePort: told.localPort, clientAddress: '127.0.0.9' });
    }
  }
  for (const each of [d, clear]) t.deepEqual(each.events('proxy.refused'), []);
});

type Inherit = { host: string; port: number };
