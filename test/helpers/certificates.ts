/** Certificates for tests, made on the spot by the openssl command. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface MadeCertificate {
  /** Paths. */
  cert: string;
  key: string;
  /** PEM texts. */
  certText: string;
  keyText: string;
}

export interface MakeOptions {
  /** Host names; the first is the common name. */
  names?: readonly string[];
  days?: number;
  /** Signed by this one; else by itself, and an authority. */
  by?: MadeCertificate;
  password?: string;
  /** RSA of so many bits; else an elliptic curve. */
  rsaBits?: number;
}

let serial = 1;

/** NAME-cert.pem and NAME-key.pem in the directory. */
export function makeCertificate(directory: string, name: string, { names = [name], days = 365, by, password, rsaBits }: MakeOptions = {}): MadeCertificate {
  const [cert, key] = [join(directory, `${name}-cert.pem`), join(directory, `${name}-key.pem`)];
  openssl([
    'req', '-x509', '-new', '-batch', '-subj', `/CN=${names[0]}`, '-days', String(days), '-keyout', key, '-out', cert,
    '-newkey', ...(rsaBits === undefined ? ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'] : [`rsa:${rsaBits}`]),
    ...(password === undefined ? ['-nodes'] : ['-passout', `pass:${password}`]),
    ...(by === undefined
      ? ['-addext', `subjectAltName=${names.map((host) => `DNS:${host}`).join(',')}`]
      : ['-CA', by.cert, '-CAkey', by.key, '-set_serial', String(serial++), '-addext', 'basicConstraints=critical,CA:FALSE', '-addext', `subjectAltName=${names.map((host) => `DNS:${host}`).join(',')}`]),
  ]);
  return { cert, key, certText: readFileSync(cert, 'utf8'), keyText: readFileSync(key, 'utf8') };
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
