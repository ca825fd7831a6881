/** Options that contradict each other, or would do nothing. Rank 1. In the master. */
import { DroverError } from '../errors.js';
import { ANY_ADDRESS } from './address-set.js';
import { edgeConfig } from './edge-config.js';
import { hintForFlag } from './foreign-flags.js';
import { kebab, type Config, type OptionName } from './options.js';

/** Where the value of an option came from; `where` for people. */
type SourceOf = (name: OptionName) => { source: string; where: string };

export function servesTls({ certfile, certDir }: Config): boolean {
  return certfile !== null || certDir !== null;
}

/** Options that do nothing while others are as they are. */
interface Idle {
  names: readonly OptionName[];
  /** Whether that is so. A value that says what happens anyway is none to complain of. `given`: not a default, nor from the environment. */
  when: (config: Config, given: (name: OptionName) => boolean) => boolean;
  /** What another option is set to. */
  why: (config: Config) => string;
  remedy: string;
}

/** What acts on the app's own servers as well (--tls-ticket-rotate, --backlog, --umask) is never idle. */
const IDLE: readonly Idle[] = [
  {
    names: ['keyfile', 'keyfilePassword', 'caCerts', 'certReqs', 'ciphers', 'tlsMinVersion', 'tlsMaxVersion', 'tlsHandshakeTimeout'],
    when: (config) => !servesTls(config),
    why: () => 'TLS is not on',
    remedy: 'Give --certfile or --cert-dir, or leave it out.',
  },
  {
    names: ['http2MaxConcurrentStreams', 'http2InitialWindowSize', 'http2MaxFrameSize', 'http2MaxHeaderListSize'],
    when: ({ httpProtocols }) => !httpProtocols.includes('h2'),
    why: () => 'HTTP/2 is not on',
    remedy: 'Give --http-protocols h1,h2, or leave it out.',
  },
  {
    names: ['proxyAllowFrom', 'proxyTimeout'],
    when: ({ proxyProtocol }) => proxyProtocol === 'off',
    why: () => 'the PROXY protocol is not on',
    remedy: 'Give --proxy-protocol, or leave it out. For headers such as X-Forwarded-For there is --forwarded-allow-ips.',
  },
  {
    names: ['accessLogFormat'],
    when: ({ accessLogfile }) => accessLogfile === null,
    why: () => 'there is no access log',
    remedy: 'Give --access-logfile FILE (- for standard output), or leave it out.',
  },
  {
    names: ['staticMaxAge'],
    when: (config) => config.static.length === 0,
    why: () => 'no files are served',
    remedy: 'Give --static PREFIX=DIR, or leave it out.',
  },
  {
    names: ['maxRequestsJitter'],
    when: ({ maxRequests, maxRequestsJitter }) => maxRequests === 0 && maxRequestsJitter > 0,
    why: () => 'there is no number of requests to add to',
    remedy: 'Give --max-requests N, or leave it out.',
  },
  {
    names: ['acceptPermits'],
    when: ({ acceptStrategy }) => acceptStrategy !== 'semaphore',
    why: ({ acceptStrategy }) => `the accept strategy ${acceptStrategy} has no permits to set`,
    remedy: 'Give --accept-strategy semaphore, or leave it out.',
  },
  {
    names: ['steer'],
    when: ({ acceptStrategy, steer }) => steer !== 'auto' && acceptStrategy !== 'auto' && acceptStrategy !== 'reuseport',
    why: ({ acceptStrategy }) => `the accept strategy ${acceptStrategy} does not steer`,
    remedy: 'Give --accept-strategy auto or reuseport, or leave it out.',
  },
  {
    names: ['steer'],
    when: ({ steer, proxyProtocol }) => steer === 'source' && proxyProtocol !== 'off',
    why: () => "the kernel sees the proxy's address, not the client's, with --proxy-protocol",
    remedy: 'Let the proxy keep a client at a server (HAProxy: balance source) and run several drovers with -w 1, or leave it out.',
  },
  {
    names: ['stallMs'],
    when: ({ acceptStrategy }) => acceptStrategy === 'shared',
    why: () => 'the accept strategy shared passes over nobody',
    remedy: 'Choose another --accept-strategy, or leave it out.',
  },
  {
    names: ['workerTmpDir'],
    when: ({ timeoutMs }) => timeoutMs === 0,
    why: () => 'with --timeout 0 there are no heartbeats',
    remedy: 'Give a --timeout, or leave it out.',
  },
  {
    names: ['keepAlive'],
    when: ({ workerClass, keepAliveMs }) => workerClass === 'sync' && keepAliveMs > 0,
    why: () => 'the worker class sync closes a connection after its response',
    remedy: 'Leave it out, or choose --worker-class http.',
  },
  {
    names: ['untrustedHeaders'],
    when: ({ forwardedAllowIps }, given) => forwardedAllowIps.includes(ANY_ADDRESS) && given('forwardedAllowIps'),
    why: () => 'with --forwarded-allow-ips * everybody is trusted',
    remedy: 'Name the proxies in --forwarded-allow-ips, or leave it out.',
  },
  {
    names: ['forwardedAllowIps', 'secureSchemeHeaders', 'requestIdHeader'],
    when: (config) => edgeConfig(config).screen === undefined,
    why: () => 'no request is looked at: --untrusted-headers keep, --header-map dangerous, --no-strict-http and what else is set turn all of it off',
    remedy: 'Leave one of these out, or this one.',
  },
];

/** Flags with which node starts a process of its own for what it is to run: no worker, as that one has no channel. */
const STARTS_ANOTHER = /^--(?:watch|watch[-_]path|test)(?==|$)/;

/** Options that would do nothing, or contradict each other. Throws DroverError. */
export function checkConsistency(config: Config, sourceOf: SourceOf): void {
  const refuse = (name: OptionName, why: string, remedy: string): never => {
    throw new DroverError('ERR_DROVER_VALUE', `--${kebab(name)}: ${why} (${sourceOf(name).where})`, remedy);
  };
  // What is in the environment may be there for others.
  const given = (name: OptionName): boolean => !['default', 'environment'].includes(sourceOf(name).source);
  for (const { names, when, why, remedy } of IDLE) {
    const name = names.find(given);
    if (name !== undefined && when(config, given)) refuse(name, why(config), remedy);
  }
  const [first] = config.nodeArgs;
  if (first !== undefined && !first.startsWith('-')) refuse('nodeArgs', `node would run ${JSON.stringify(first)} instead of a worker`, 'Flags of node begin with a dash; arguments for the app come after `--`.');
  const another = config.nodeArgs.map((arg) => STARTS_ANOTHER.exec(arg)?.[0]).find((flag) => flag !== undefined);
  if (another !== undefined) {
    const hint = another === '--test' ? 'Leave it out.' : hintForFlag('--watch')!;
    refuse('nodeArgs', `with ${another} node would run a worker in another process, which could not serve`, hint);
  }
  const { certfile, keyfile, certReqs, caCerts, tlsMinVersion, tlsMaxVersion, httpProtocols, workerClass } = config;
  if (keyfile !== null && certfile === null) refuse('keyfile', 'there is no certificate for it', 'Give --certfile; keys of --cert-dir are found in the directory.');
  if (certReqs !== 'none' && caCerts === null) refuse('certReqs', `${certReqs}, but there is nothing to check client certificates against`, 'Give --ca-certs FILE.');
  if (certReqs === 'none' && caCerts !== null) refuse('caCerts', 'clients are not asked for a certificate', 'Give --cert-reqs optional or --cert-reqs required as well.');
  if (tlsMinVersion > tlsMaxVersion) refuse('tlsMinVersion', `${tlsMinVersion} is newer than --tls-max-version ${tlsMaxVersion}`, 'Leave one of them out.');
  if (httpProtocols.includes('h2') && workerClass === 'sync') {
    refuse('httpProtocols', 'the worker class sync has one request at a time, a connection of HTTP/2 many', 'Give --http-protocols h1, or choose --worker-class http.');
  }
}

/** What `sync` means is one request at a time. */
export function checkConcurrency(config: Config, sourceOf: SourceOf): void {
  if (config.workerClass !== 'sync' || config.workerConcurrency <= 1) return;
  const { where } = sourceOf('workerConcurrency');
  throw new DroverError('ERR_DROVER_VALUE', `--worker-concurrency: the worker class sync has one request at a time: ${config.workerConcurrency} (${where})`, 'Leave it out, or choose --worker-class http.');
}
