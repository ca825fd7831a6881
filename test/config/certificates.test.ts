/** Whatever can be wrong with certificates is told with option, file and remedy, before any worker is replaced. */
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { LoadedCertificates } from '../../src/config/certificates.js';
import { loadConfig } from '../../src/config/load.js';
import { DroverError } from '../../src/errors.js';
import { makeCertificate, type MadeCertificate } from '../helpers/certificates.js';

const directory = mkdtempSync(join(tmpdir(), 'drover-certificates-'));
test.after.always(() => rmSync(directory, { recursive: true, force: true }));

let a: MadeCertificate;
let b: MadeCertificate;
let locked: MadeCertificate;
let weak: MadeCertificate;
test.before(() => {
  a = makeCertificate(directory, 'a.example');
  b = makeCertificate(directory, 'b.example');
  locked = makeCertificate(directory, 'locked.example', { password: 'sesame' });
  weak = makeCertificate(directory, 'weak.example', { rsaBits: 512 });
});

const load = async (argv: string[], env: Record<string, string> = {}): Promise<LoadedCertificates | null> => (await loadConfig({ argv: [...argv, 'app.js'], env, cwd: directory })).certificates;

async function errorOf(argv: string[], env?: Record<string, string>): Promise<DroverError> {
  try {
    await load(argv, env);
  } catch (error) {
    if (error instanceof DroverError) return error;
    throw error;
  }
  throw new Error('accepted');
}

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return name;
}

test('without --certfile and --cert-dir there are none', async (t) => {
  t.is(await load([]), null);
});

test('certificate and key in two files, in one, and with the chain after it', async (t) => {
  const two = await load(['--certfile', a.cert, '--keyfile', a.key]);
  const one = await load(['--certfile', file('one.pem', `some text\n${a.keyText}${a.certText}`)]);
  t.is(two!.certificates.default!.cert, one!.certificates.default!.cert);
  t.true(new X509Certificate(two!.certificates.default!.cert).checkPrivateKey(createPrivateKey(two!.certificates.default!.key)));
  const chain = await load(['--certfile', file('chain.pem', a.certText + b.certText), '--keyfile', a.key]);
  t.is(chain!.certificates.default!.cert.match(/BEGIN CERTIFICATE/g)!.length, 2);
  t.deepEqual(chain!.expiries.map(({ subject }) => subject), ['a.example']);
});

test('an encrypted key is decrypted, with the password from the environment or the config file', async (t) => {
  for (const loaded of [
    await load(['--certfile', locked.cert, '--keyfile', locked.key], { DROVER_KEYFILE_PASSWORD: 'sesame' }),
    await load(['-c', file('c.json', JSON.stringify({ certfile: locked.cert, keyfile: locked.key, keyfilePassword: 'sesame' }))]),
  ]) {
    t.regex(loaded!.certificates.default!.key, /^-----BEGIN PRIVATE KEY-----/);
    t.notThrows(() => createPrivateKey(loaded!.certificates.default!.key));
  }
});

interface Case {
  argv: () => string[];
  env?: Record<string, string>;
  /** First line and second. */
  says: [RegExp, RegExp];
  skip?: boolean;
}

const wrong: Record<string, Case> = {
  'a file that is not there': { argv: () => ['--certfile', 'none.pem'], says: [/^--certfile: .*\/none\.pem does not exist \(flag --certfile\)$/, /relative to the working directory/] },
  'a key file that is not there': { argv: () => ['--certfile', a.cert, '--keyfile', 'none.pem'], says: [/^--keyfile: .*none\.pem does not exist/, /PEM/] },
  'a directory for a file': { argv: () => ['--certfile', '/'], says: [/^--certfile: \/ cannot be read: it is a directory/, /PEM file/] },
  'a file that may not be read': {
    argv: () => {
      chmodSync(join(directory, file('secret.pem', a.certText)), 0);
      return ['--certfile', 'secret.pem'];
    },
    says: [/secret\.pem cannot be read: permission denied/, /user that drover runs as/],
    skip: process.getuid?.() === 0,
  },
  'no PEM': { argv: () => ['--certfile', file('text.pem', 'hello\n')], says: [/^--certfile: there is no certificate in .*text\.pem/, /-----BEGIN CERTIFICATE-----/] },
  'a certificate cut short': {
    argv: () => ['--certfile', file('cut.pem', `-----BEGIN CERTIFICATE-----\n${a.certText.split('\n')[1]}\n-----END CERTIFICATE-----\n`)],
    says: [/certificate 1 in .*cut\.pem cannot be read/, /complete/],
  },
  'no key, and no --keyfile': { argv: () => ['--certfile', a.cert], says: [/^--certfile: there is no private key in /, /Give --keyfile/] },
  'a certificate for a key': { argv: () => ['--certfile', a.cert, '--keyfile', a.cert], says: [/^--keyfile: there is no private key in /, /-----BEGIN PRIVATE KEY-----/] },
  'a broken key': { argv: () => ['--certfile', a.cert, '--keyfile', file('broken.pem', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')], says: [/the private key in .*broken\.pem cannot be read/, /complete/] },
  "another's key": { argv: () => ['--certfile', a.cert, '--keyfile', b.key], says: [/^--keyfile: the private key in .*b\.example-key\.pem does not belong to the certificate in .*a\.example-cert\.pem/, /made with/] },
  'a chain in the wrong order': { argv: () => ['--certfile', file('reverse.pem', b.certText + a.certText), '--keyfile', a.key], says: [/belongs to certificate 2 in .*reverse\.pem, not to the first/, /comes first/] },
  'an encrypted key without a password': { argv: () => ['--certfile', locked.cert, '--keyfile', locked.key], says: [/^--keyfile: .* is encrypted/, /DROVER_KEYFILE_PASSWORD/] },
  'a wrong password': { argv: () => ['--certfile', locked.cert, '--keyfile', locked.key], env: { DROVER_KEYFILE_PASSWORD: 'mellon' }, says: [/cannot be decrypted: the password is wrong/, /--keyfile-password/] },
  'a key that OpenSSL finds too small': { argv: () => ['--certfile', weak.cert, '--keyfile', weak.key], says: [/^--certfile: .*weak\.example-cert\.pem cannot be used: .*too small/, /another certificate/] },
  'ciphers that nobody knows': { argv: () => ['--certfile', a.cert, '--keyfile', a.key, '--ciphers', 'ROT13'], says: [/^--ciphers: "ROT13": no cipher match/, /openssl ciphers -v/] },
  'authorities that are none': { argv: () => ['--certfile', a.cert, '--keyfile', a.key, '--cert-reqs', 'required', '--ca-certs', file('ca.pem', '')], says: [/^--ca-certs: there is no certificate in .*ca\.pem/, /PEM/] },
  'a key without a certificate': { argv: () => ['--keyfile', a.key], says: [/^--keyfile: TLS is not on/, /--certfile or --cert-dir/] },
  'client certificates without TLS': { argv: () => ['--cert-reqs', 'required'], says: [/^--cert-reqs: TLS is not on/, /--certfile/] },
  'client certificates without authorities': { argv: () => ['--certfile', a.cert, '--keyfile', a.key, '--cert-reqs', '2'], says: [/^--cert-reqs: required, but there is nothing to check/, /--ca-certs/] },
  'authorities for nobody': { argv: () => ['--certfile', a.cert, '--keyfile', a.key, '--ca-certs', a.cert], says: [/^--ca-certs: clients are not asked/, /--cert-reqs/] },
  'no version between oldest and newest': { argv: () => ['--certfile', a.cert, '--keyfile', a.key, '--tls-min-version', 'TLSv1.3', '--tls-max-version', 'TLSv1.2'], says: [/^--tls-min-version: TLSv1\.3 is newer than/, /Leave one/] },
  'settings of HTTP/2 without it': { argv: () => ['--http2-max-frame-size', '20000'], says: [/^--http2-max-frame-size: HTTP\/2 is not on/, /--http-protocols h1,h2/] },
  'HTTP/2 with one request at a time': { argv: () => ['--http-protocols', 'h2', '-k', 'sync'], says: [/^--http-protocols: the worker class sync/, /--worker-class http/] },
  'HTTP/3': { argv: () => ['--http-protocols', 'h1,h3'], says: [/^--http-protocols: HTTP\/3 is not to be had: Node has no QUIC: "h3"/, /h1,h2/] },
  'a directory that is not there': { argv: () => ['--cert-dir', 'nowhere'], says: [/^--cert-dir: .*\/nowhere does not exist/, /directory/] },
  'a directory with nothing in it': { argv: () => ['--cert-dir', dir('empty', { README: 'hello' })], says: [/^--cert-dir: there is no certificate in .*\/empty/, /NAME\.pem/] },
  'a certificate without its key': { argv: () => ['--cert-dir', dir('no-key', { 'a.example.crt': a.certText })], says: [/there is no a\.example\.key beside .*a\.example\.crt/, /\.pem/] },
  'a key without its certificate': { argv: () => ['--cert-dir', dir('no-crt', { 'a.example.key': a.keyText })], says: [/there is no a\.example\.crt beside/, /certificate/] },
  'two for one name': { argv: () => ['--cert-dir', dir('two', { 'A.example.pem': a.certText + a.keyText, 'a.example.pem': a.certText + a.keyText })], says: [/A\.example\.pem and a\.example\.pem are both for a\.example/, /Leave one/] },
  'a name that no host has': { argv: () => ['--cert-dir', dir('bad-name', { 'a b.pem': a.certText + a.keyText })], says: [/"a b" is no host name/, /_\.example\.com\.pem/] },
  'a folder of certbot without its files': { argv: () => ['--cert-dir', dir('half', { 'a.example/privkey.pem': a.keyText })], says: [/^--cert-dir: .*a\.example\/fullchain\.pem does not exist/, /PEM/] },
};

function dir(name: string, files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, path, '..'), { recursive: true });
    writeFileSync(join(directory, name, path), text);
  }
  return join(directory, name);
}

for (const [title, { argv, env, says, skip }] of Object.entries(wrong)) {
  (skip === true ? test.skip : test)(`refused: ${title}`, async (t) => {
    const error = await errorOf(argv(), env);
    t.is(error.exitCode, 2);
    const lines = error.format().split('\n');
    t.is(lines.length, 2);
    t.regex(lines[0]!, says[0]);
    t.regex(lines[1]!, says[1]);
    t.false(error.format().includes('mellon') || error.format().includes(a.keyText.split('\n')[1]!));
  });
}

test('--cert-dir: every way to name a certificate, and what is passed over', async (t) => {
  const both = a.certText + a.keyText;
  const path = dir('all', {
    'A.example.pem': both,
    'b.example.crt': b.certText,
    'b.example.key': b.keyText,
    'c.example.pem': a.certText,
    'c.example.key': a.keyText,
    'd.example/fullchain.pem': a.certText,
    'd.example/privkey.pem': a.keyText,
    '_.e.example.pem': both,
    '*.f.example.pem': both,
    'README': 'what is here',
    '..data/x.pem': 'nothing',
  });
  const loaded = await load(['--cert-dir', path]);
  t.is(loaded!.certificates.default, null);
  t.deepEqual(Object.keys(loaded!.certificates.names).sort(), ['*.e.example', '*.f.example', 'a.example', 'b.example', 'c.example', 'd.example']);
  t.is(loaded!.certificates.names['b.example']!.cert.trim(), b.certText.trim());
});

test('a password in the environment is no option given without TLS', async (t) => {
  t.is(await load([], { DROVER_KEYFILE_PASSWORD: 'sesame' }), null);
});

test('PEM as other tools write it: traditional keys, encrypted in the old way', async (t) => {
  const traditional = execFileSync('openssl', ['ec', '-in', a.key], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  t.regex(traditional, /BEGIN EC PRIVATE KEY/);
  t.truthy(await load(['--certfile', file('traditional.pem', a.certText + traditional)]));
  const old = execFileSync('openssl', ['ec', '-in', a.key, '-aes128', '-passout', 'pass:sesame'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  t.regex(old, /Proc-Type: 4,ENCRYPTED/);
  t.truthy(await load(['--certfile', file('old.pem', a.certText + old)], { DROVER_KEYFILE_PASSWORD: 'sesame' }));
});
