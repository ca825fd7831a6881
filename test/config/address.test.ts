import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import { ADDRESS_FORMS, formatAddress, overlap, parseAddress, parsePort, type ListenAddress } from '../../src/config/address.js';

const VALID: [string, ListenAddress, string?][] = [
  ['127.0.0.1:8000', { kind: 'tcp', host: '127.0.0.1', port: 8000 }],
  ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
  ['app_1.example.org:65535', { kind: 'tcp', host: 'app_1.example.org', port: 65535 }],
  ['[::1]:8000', { kind: 'tcp', host: '::1', port: 8000 }],
  ['[::]:80', { kind: 'tcp', host: '::', port: 80 }],
  ['[fe80::1%eth0]:80', { kind: 'tcp', host: 'fe80::1%eth0', port: 80 }],
  ['[::1]', { kind: 'tcp', host: '::1', port: 8000 }, '[::1]:8000'],
  ['::1', { kind: 'tcp', host: '::1', port: 8000 }, '[::1]:8000'],
  ['::1:8000', { kind: 'tcp', host: '::1:8000', port: 8000 }, '[::1:8000]:8000'],
  [':8000', { kind: 'tcp', host: '0.0.0.0', port: 8000 }, '0.0.0.0:8000'],
  ['8001', { kind: 'tcp', host: '127.0.0.1', port: 8001 }, '127.0.0.1:8001'],
  ['localhost', { kind: 'tcp', host: 'localhost', port: 8000 }, 'localhost:8000'],
  ['0.0.0.0', { kind: 'tcp', host: '0.0.0.0', port: 8000 }, '0.0.0.0:8000'],
  ['tcp://0.0.0.0:81', { kind: 'tcp', host: '0.0.0.0', port: 81 }, '0.0.0.0:81'],
  ['tcp://[::1]:81', { kind: 'tcp', host: '::1', port: 81 }, '[::1]:81'],
  ['unix:run/app.sock', { kind: 'unix', path: 'run/app.sock' }],
  ['unix:/run/app:1.sock', { kind: 'unix', path: '/run/app:1.sock' }],
  ['unix:///run/app.sock', { kind: 'unix', path: '/run/app.sock' }, 'unix:/run/app.sock'],
  ['unix:@app', { kind: 'unix', path: '@app' }],
  [`unix:${'x'.repeat(107)}`, { kind: 'unix', path: 'x'.repeat(107) }],
  ['fd://3', { kind: 'fd', fd: 3 }],
];

for (const [text, address, formatted] of VALID) {
  test(`parses ${text}`, (t) => {
    t.deepEqual(parseAddress(text), address);
    t.is(formatAddress(address), formatted ?? text);
    t.deepEqual(parseAddress(formatAddress(address)), address);
  });
}

test('every form that errors and the manual tell of is one', (t) => {
  const forms = ADDRESS_FORMS.replace('(port 8000)', '').split(/, | or /).map((form) => form.trim());
  t.true(forms.includes('HOST') && forms.includes('[IPV6]'));
  for (const form of forms) t.not(typeof parseAddress(form.replace('IPV6', '::1').replace('PORT', '80').replace('fd://N', 'fd://3')), 'string', form);
});

test('two addresses overlap where the kernel lets nobody listen at both', async (t) => {
  const hosts = ['127.0.0.1', '127.0.0.2', '0.0.0.0', '::', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:2'];
  const listen = async (host: string, port: number): Promise<net.Server | undefined> => {
    const server = net.createServer();
    const listening = once(server, 'listening');
    server.listen({ host, port });
    try {
      await listening;
      return server;
    } catch (error) {
      t.is((error as NodeJS.ErrnoException).code, 'EADDRINUSE');
      return undefined;
    }
  };
  for (const host of hosts) {
    const first = (await listen(host, 0))!;
    const { port } = first.address() as net.AddressInfo;
    for (const other of hosts) {
      const second = await listen(other, port);
      t.is(overlap({ kind: 'tcp', host, port }, { kind: 'tcp', host: other, port }) === undefined, second !== undefined, `${host} and ${other}`);
      if (second !== undefined) await new Promise((resolve) => second.close(resolve));
    }
    await new Promise((resolve) => first.close(resolve));
  }
});

test('addresses that are no two, and such as are', (t) => {
  const of = (one: string, other: string): string | undefined => overlap(parseAddress(one) as ListenAddress, parseAddress(other) as ListenAddress);
  t.is(of('unix:run/a', 'unix:./run//a'), 'same');
  t.is(of('unix:@a', 'unix:./@a'), undefined);
  t.is(of('fd://3', 'fd://3'), 'same');
  t.is(of('Localhost:80', 'localhost:80'), 'same');
  t.is(of('[::]:80', 'localhost:80'), undefined, 'a name is known once it is resolved');
  for (const [one, other] of [[':0', ':0'], [':80', ':81'], ['fd://3', 'fd://4'], ['unix:a', '80'], ['unix:a', 'unix:b']] as const) t.is(of(one, other), undefined, one);
});

const INVALID: [string, RegExp][] = [
  ['', /empty/],
  ['localhost:', /not a port .*nothing/],
  ['localhost:http', /not a port .*http/],
  ['localhost:65536', /not a port .*65536/],
  ['localhost:-1', /not a port/],
  ['99999', /not a port/],
  ['1.2.3:80', /not an IPv4 address: 1\.2\.3/],
  ['256.0.0.1:80', /not an IPv4 address/],
  ['a:b:80', /more than one colon/],
  ['[::1:80', /brackets/],
  ['::1]:80', /brackets/],
  ['[localhost]:80', /not an IPv6 address: \[localhost\]/],
  ['[::1]80', /brackets/],
  ['host name:80', /not a host name/],
  ['-host:80', /not a host name/],
  ['/run/app.sock', /not a host name: \/run\/app\.sock \(a unix socket is unix:\/run\/app\.sock\)/],
  ['127.0.0.1:80,127.0.0.1:81', /several addresses: --bind is given once for each/],
  ['http://localhost:80', /no scheme drover knows: http:/],
  ['unix:', /path is missing/],
  ['unix:@', /path is missing/],
  [`unix:${'x'.repeat(108)}`, /at most 107 bytes, this one has 108/],
  ['unix:a\0b', /NUL/],
  ['fd://', /not the number of a descriptor/],
  ['fd://x', /not the number of a descriptor/],
  ['fd://2', /standard/],
];

for (const [text, wrong] of INVALID) {
  test(`refuses ${JSON.stringify(text)}`, (t) => {
    const address = parseAddress(text);
    t.is(typeof address, 'string');
    t.regex(address as string, wrong);
  });
}

test('the bytes of a path count, not its letters', (t) => {
  t.regex(parseAddress(`unix:${'é'.repeat(54)}`) as string, /has 108/);
});

test('parsePort', (t) => {
  t.is(parsePort('0'), 0);
  t.is(parsePort('65535'), 65535);
  for (const text of ['', '-1', '65536', '80 ', '0x50', '8e1']) t.is(typeof parsePort(text), 'string', text);
});
