/**
 * The certificates and private keys of --certfile, --keyfile, --cert-dir and --ca-certs: read, checked, and made into plain texts for the workers.
 *
 * Read once per start or reload, in the master: all workers of a generation, also those that are started after a crash, have what was read then,
 * whatever has become of the files. All that can be wrong is found here, before any worker is replaced. Keys are decrypted here too.
 *
 * Rank 1. Loaded only where TLS is on.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { describeErrno, DroverError } from '../errors.js';
import { kebab, type Config, type OptionName } from './options.js';

/** PEM texts. The key is not encrypted. */
export interface CertificatePair {
  cert: string;
  key: string;
}

/** What a worker needs of it. */
export interface Certificates {
  /** For names that have none of their own. */
  default: CertificatePair | null;
  /** By host name in lower case; `*.example.com` for all names one level below. */
  names: Readonly<Record<string, CertificatePair>>;
  /** Authorities that client certificates are checked against. */
  ca: string | null;
}

/** When a certificate stops to be good. */
export interface Expiry {
  file: string;
  /** The common name or the first alternative name. */
  subject: string;
  validTo: string;
  at: number;
}

export interface LoadedCertificates {
  certificates: Certificates;
  expiries: readonly Expiry[];
}

interface Source {
  config: Config;
  /** Where each option's value came from. */
  sources: Readonly<Record<OptionName, { where: string }>>;
}

interface Origin {
  option: OptionName;
  file: string;
  where: string;
}

const CERTIFICATE = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[\s\S]+?-----END \1-----/g;
const PRIVATE_KEY = /-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----[\s\S]+?-----END \1-----/;
const HOST_NAME = /^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** Throws ERR_DROVER_TLS. */
export function loadCertificates(source: Source): LoadedCertificates {
  const { config, sources } = source;
  const expiries: Expiry[] = [];
  const origin = (option: OptionName, file: string): Origin => ({ option, file, where: sources[option].where });
  const ca = config.caCerts === null ? null : readAuthorities(origin('caCerts', config.caCerts));
  const pair = (cert: Origin, key: Origin): CertificatePair => {
    const found = readPair(cert, key, config.keyfilePassword, expiries);
    checkUsable(cert, found, ca, source);
    return found;
  };
  const certOrigin = config.certfile === null ? undefined : origin('certfile', config.certfile);
  const certificates: Certificates = {
    default: certOrigin === undefined ? null : pair(certOrigin, config.keyfile === null ? certOrigin : origin('keyfile', config.keyfile)),
    names: config.certDir === null ? {} : readDirectory(origin('certDir', config.certDir), pair),
    ca,
  };
  return { certificates, expiries };
}

function refuse({ option, where }: Pick<Origin, 'option' | 'where'>, what: string, remedy: string): never {
  throw new DroverError('ERR_DROVER_TLS', `--${kebab(option)}: ${what} (${where})`, remedy);
}

function read(origin: Origin): string {
  const { file } = origin;
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') refuse(origin, `${file} does not exist`, 'Give the path of a PEM file, relative to the working directory (--chdir).');
    if (code === 'EACCES') refuse(origin, `${file} cannot be read: permission denied`, 'Let the user that drover runs as read it.');
    return refuse(origin, `${file} cannot be read: ${code === 'EISDIR' ? 'it is a directory' : describeErrno(code)}`, 'Give the path of a PEM file.');
  }
}

/** The certificates of a PEM text, in order. */
function parseCertificates(origin: Origin, text: string): { pem: string; parsed: X509Certificate }[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) refuse(origin, `there is no certificate in ${origin.file}`, 'It has to be PEM, which begins with -----BEGIN CERTIFICATE-----.');
  return blocks.map((pem, i) => {
    try {
      return { pem, parsed: new X509Certificate(pem) };
    } catch (error) {
      return refuse(origin, `certificate ${i + 1} in ${origin.file} cannot be read: ${reason(error)}`, 'Is the file complete?');
    }
  });
}

function readAuthorities(origin: Origin): string {
  return parseCertificates(origin, read(origin)).map(({ pem }) => pem).join('\n');
}

function readPair(cert: Origin, key: Origin, password: string, expiries: Expiry[]): CertificatePair {
  const chain = parseCertificates(cert, read(cert));
  const [leaf] = chain as [(typeof chain)[number]];
  const privateKey = readKey(key, password);
  if (!leaf.parsed.checkPrivateKey(privateKey)) {
    const at = chain.findIndex(({ parsed }) => parsed.checkPrivateKey(privateKey));
    if (at > 0) refuse(cert, `the private key in ${key.file} belongs to certificate ${at + 1} in ${cert.file}, not to the first`, "The server's own certificate comes first, then the intermediate ones.");
    refuse(key, `the private key in ${key.file} does not belong to the certificate in ${cert.file}`, 'Give the key that the certificate was made with.');
  }
  const { parsed } = leaf;
  expiries.push({ file: cert.file, subject: subjectOf(parsed), validTo: parsed.validTo, at: Date.parse(parsed.validTo) });
  return { cert: chain.map(({ pem }) => pem).join('\n') + '\n', key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

function readKey(origin: Origin, password: string): KeyObject {
  const { file } = origin;
  const pem = PRIVATE_KEY.exec(read(origin))?.[0];
  if (pem === undefined) {
    refuse(origin, `there is no private key in ${file}`, origin.option === 'certfile' ? 'Give --keyfile, or put the key, PEM, into the same file.' : 'It has to be PEM, which begins with -----BEGIN PRIVATE KEY-----.');
  }
  const isEncrypted = /BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(pem);
  if (isEncrypted && password === '') refuse(origin, `the private key in ${file} is encrypted`, 'Give its password: environment variable DROVER_KEYFILE_PASSWORD, or keyfilePassword in the config file.');
  try {
    return createPrivateKey({ key: pem, ...(isEncrypted ? { passphrase: password } : {}) });
  } catch (error) {
    // OpenSSL tells a wrong password from a broken file only by what comes out.
    if (isEncrypted) refuse(origin, `the private key in ${file} cannot be decrypted: the password is wrong`, 'Correct --keyfile-password (environment variable DROVER_KEYFILE_PASSWORD).');
    return refuse(origin, `the private key in ${file} cannot be read: ${reason(error)}`, 'Is the file complete?');
  }
}

/** What OpenSSL has to say to it: key too small for its security level, ciphers it does not know. */
function checkUsable(origin: Origin, { cert, key }: CertificatePair, ca: string | null, { config, sources }: Source): void {
  const versions = { minVersion: config.tlsMinVersion, maxVersion: config.tlsMaxVersion };
  try {
    createSecureContext({ cert, key, ...versions, ...(ca === null ? {} : { ca }) });
  } catch (error) {
    refuse(origin, `${origin.file} cannot be used: ${reason(error)}`, 'Give another certificate.');
  }
  if (config.ciphers === '') return;
  try {
    createSecureContext({ ciphers: config.ciphers, ...versions });
  } catch (error) {
    refuse({ option: 'ciphers', where: sources.ciphers.where }, `${JSON.stringify(config.ciphers)}: ${reason(error)}`, "Write names of OpenSSL's with colons between; `openssl ciphers -v` lists them.");
  }
}

/** By host name. */
function readDirectory(directory: Origin, pair: (cert: Origin, key: Origin) => CertificatePair): Record<string, CertificatePair> {
  const { file: path } = directory;
  let entries: string[];
  try {
    entries = readdirSync(path).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return refuse(directory, `${path} ${code === 'ENOENT' ? 'does not exist' : code === 'ENOTDIR' ? 'is no directory' : `cannot be read (${code})`}`, 'Give a directory of certificates, relative to the working directory (--chdir).');
  }
  const at = (name: string): Origin => ({ ...directory, file: join(path, name) });
  const names: Record<string, CertificatePair> = {};
  const from: Record<string, string> = {};
  const add = (base: string, cert: string, key: string): void => {
    const name = base.toLowerCase().replace(/^_\./, '*.');
    if (!HOST_NAME.test(name)) refuse(directory, `${join(path, cert)}: ${JSON.stringify(base)} is no host name`, 'Name it after the host: a.example.com.pem, or _.example.com.pem for all names below example.com.');
    if (from[name] !== undefined) refuse(directory, `${from[name]} and ${cert} are both for ${name}`, 'Leave one.');
    from[name] = cert;
    names[name] = pair(at(cert), at(key));
  };
  for (const entry of entries) {
    // ..data of a secret that Kubernetes mounts, and the like.
    if (entry.startsWith('.')) continue;
    if (statSync(join(path, entry), { throwIfNoEntry: false })?.isDirectory() === true) {
      add(entry, join(entry, 'fullchain.pem'), join(entry, 'privkey.pem'));
      continue;
    }
    const [, base = '', extension = ''] = /^(.+)\.(pem|crt|key)$/.exec(entry) ?? [];
    const keyName = entries.includes(`${base}.key`) ? `${base}.key` : undefined;
    if (extension === 'pem') add(base, entry, keyName ?? entry);
    else if (extension === 'crt') add(base, entry, keyName ?? refuse(directory, `there is no ${base}.key beside ${join(path, entry)}`, 'Put the private key there, or both into one file with the ending .pem.'));
    else if (extension === 'key' && !entries.includes(`${base}.crt`) && !entries.includes(`${base}.pem`)) refuse(directory, `there is no ${base}.crt beside ${join(path, entry)}`, 'Put the certificate there.');
  }
  if (Object.keys(names).length === 0) refuse(directory, `there is no certificate in ${path}`, 'Name them NAME.pem, or NAME.crt and NAME.key, or NAME/fullchain.pem and NAME/privkey.pem.');
  return names;
}

function subjectOf(certificate: X509Certificate): string {
  return /^CN=(.+)$/m.exec(certificate.subject)?.[1] ?? /DNS:([^,]+)/.exec(certificate.subjectAltName ?? '')?.[1] ?? certificate.subject.replaceAll('\n', ' ');
}

/** OpenSSL's reason, without its codes. */
function reason(error: unknown): string {
  const { reason, message } = error as { reason?: string; message: string };
  return reason ?? message.replace(/^error:[0-9A-F]+:[^:]*:[^:]*:/i, '');
}
