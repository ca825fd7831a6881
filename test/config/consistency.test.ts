import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig, type LoadedConfig } from '../../src/config/load.js';
import { kebab } from '../../src/config/options.js';
import { DroverError } from '../../src/errors.js';

function scratch(t: ExecutionContext): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'drover-consistency-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function load(cwd: string, argv: readonly string[], env: Record<string, string> = {}): Promise<LoadedConfig> {
  return loadConfig({ argv, env, cwd });
}

const NO_EDGE = ['--untrusted-headers', 'keep', '--header-map', 'dangerous', '--forwarder-headers', 'none', '--no-strict-http', '--limit-request-line', '0', '--limit-request-fields', '0', '--limit-request-field-size', '0'];

/** An option, a value as a flag, what says that it does nothing, what makes it do something. `with`: what has to be there for it to do nothing. */
const IDLE: { name: string; text: string; file: unknown; says: RegExp; mends: string[]; with?: string[] }[] = [
  { name: 'ciphers', text: 'AES128-SHA', file: 'AES128-SHA', says: /TLS is not on .*\n {2}Give --certfile or --cert-dir/, mends: [] },
  { name: 'http2MaxFrameSize', text: '20000', file: 20_000, says: /HTTP\/2 is not on .*\n {2}Give --http-protocols h1,h2/, mends: ['--http-protocols', 'h2'] },
  { name: 'proxyAllowFrom', text: '10.0.0.0/8', file: '10.0.0.0/8', says: /PROXY protocol is not on .*\n {2}Give --proxy-protocol/, mends: ['--proxy-protocol', 'v2'] },
  { name: 'proxyTimeout', text: '1s', file: '1s', says: /PROXY protocol is not on .*\n {2}Give --proxy-protocol/, mends: ['--proxy-protocol'] },
  { name: 'accessLogFormat', text: 'json', file: 'json', says: /no access log .*\n {2}Give --access-logfile/, mends: ['--access-logfile', '-'] },
  { name: 'staticMaxAge', text: '1h', file: '1h', says: /no files are served .*\n {2}Give --static/, mends: ['--static', '/s=.'] },
  { name: 'maxRequestsJitter', text: '5', file: 5, says: /no number of requests .*\n {2}Give --max-requests N/, mends: ['--max-requests', '100'] },
  { name: 'acceptPermits', text: '3', file: 3, says: /strategy auto has no permits to set .*\n {2}Give --accept-strategy semaphore/, mends: ['--accept-strategy', 'semaphore'] },
  { name: 'acceptPermits', text: '3', file: 3, says: /strategy lock has no permits to set/, mends: ['--accept-strategy', 'semaphore'], with: ['--accept-strategy', 'lock'] },
  ...['exclusive', 'grant', 'lock', 'semaphore', 'shared'].map((strategy) => ({ name: 'steer', text: 'hash', file: 'hash', says: new RegExp(`strategy ${strategy} does not steer .*\\n {2}Give --accept-strategy auto or reuseport`), mends: ['--accept-strategy', 'reuseport'], with: ['--accept-strategy', strategy] })),
  { name: 'steer', text: 'source', file: 'source', says: /kernel sees the proxy's address.*\n {2}Let the proxy keep/, mends: ['--proxy-protocol', 'off'], with: ['--proxy-protocol', 'v2'] },
  { name: 'stallMs', text: '50', file: 50, says: /strategy shared passes over nobody/, mends: ['--accept-strategy', 'grant'], with: ['--accept-strategy', 'shared'] },
  { name: 'workerTmpDir', text: '/dev/shm', file: '/dev/shm', says: /no heartbeats .*\n {2}Give a --timeout/, mends: ['--timeout', '5'], with: ['--timeout', '0'] },
  { name: 'keepAlive', text: '5', file: 5, says: /sync closes a connection .*\n.*--worker-class http/, mends: ['-k', 'http'], with: ['-k', 'sync'] },
  { name: 'untrustedHeaders', text: 'keep', file: 'keep', says: /everybody is trusted .*\n {2}Name the proxies/, mends: ['--forwarded-allow-ips', '10.0.0.1'], with: ['--forwarded-allow-ips', '*'] },
  { name: 'forwardedAllowIps', text: '10.0.0.1', file: '10.0.0.1', says: /no request is looked at/, mends: ['--limit-request-fields', '7'], with: NO_EDGE },
  { name: 'secureSchemeHeaders', text: 'a=b', file: { a: 'b' }, says: /no request is looked at/, mends: ['--strict-http'], with: NO_EDGE },
  { name: 'requestIdHeader', text: 'X-Id', file: 'X-Id', says: /no request is looked at/, mends: ['--request-id', 'set'], with: NO_EDGE },
];

for (const { name, text, file, says, mends, with: others = [] } of IDLE) {
  const flag = `--${kebab(name)}`;
  test(`${flag} that can do nothing is refused: ${[...others.slice(0, 2)].join(' ') || 'the others as they are by default'}`, async (t) => {
    const cwd = scratch(t);
    const whole = new RegExp(`^${flag}: .*${says.source}`);
    const byFlag = await t.throwsAsync(load(cwd, ['a', ...others, flag, text]), { instanceOf: DroverError });
    t.regex(byFlag.format(), whole);
    t.true(byFlag.message.endsWith(`(flag ${flag})`), byFlag.message);
    const byVariable = await t.throwsAsync(load(cwd, ['a', ...others], { DROVER_CMD_ARGS: `${flag} ${text}` }), { instanceOf: DroverError });
    t.true(byVariable.message.endsWith(`(environment variable DROVER_CMD_ARGS, flag ${flag})`), byVariable.message);
    // Of a list of addresses every flag adds: the one that mends stands alone.
    const kept = others[0] === mends[0] ? [] : others;
    if (mends.length > 0) await t.notThrowsAsync(load(cwd, ['a', ...kept, ...mends, flag, text]));
    // What only tells of the options, and what examines the machine, takes them as they are.
    await t.notThrowsAsync(load(cwd, ['a', ...others, flag, text, '--print-config']));
    await t.notThrowsAsync(load(cwd, ['doctor', 'a', ...others, flag, text]));
    writeFileSync(join(cwd, 'drover.config.json'), JSON.stringify({ [name]: file }));
    const byFile = await t.throwsAsync(load(cwd, ['a', ...others]), { instanceOf: DroverError });
    t.true(byFile.message.endsWith(`(${cwd}/drover.config.json)`), byFile.message);
  });
}

test('what comes from the environment may be there for others, and is no error', async (t) => {
  const cwd = scratch(t);
  await t.notThrowsAsync(load(cwd, ['a'], { DROVER_KEYFILE_PASSWORD: 'x' }));
  await t.notThrowsAsync(load(cwd, ['a', ...NO_EDGE], { FORWARDED_ALLOW_IPS: '10.0.0.1' }));
  await t.notThrowsAsync(load(cwd, ['a', '--untrusted-headers', 'keep'], { FORWARDED_ALLOW_IPS: '*' }));
});

test('a value that says what happens anyway is no error', async (t) => {
  const cwd = scratch(t);
  for (const flags of [['--max-requests-jitter', '0'], ['--accept-strategy', 'grant', '--steer', 'auto'], ['-k', 'sync', '--keep-alive', '0'], ['-k', 'sync', '--keep-alive', 'app']]) await t.notThrowsAsync(load(cwd, ['a', ...flags]), flags.join(' '));
});

test('what acts on the servers of the app as well is never idle', async (t) => {
  const cwd = scratch(t);
  for (const flags of [['--tls-ticket-rotate', '1h'], ['--umask', '022', '-b', ':8000'], ['--backlog', '9', '-b', 'fd://3'], ['--sendfile-root', '.']]) await t.notThrowsAsync(load(cwd, ['a', ...flags]), flags.join(' '));
});

test('--json is for doctor, wherever it comes from', async (t) => {
  const cwd = scratch(t);
  const env = { DROVER_CMD_ARGS: '--json' };
  t.regex((await t.throwsAsync(load(cwd, ['a', '--json'], {}), { instanceOf: DroverError })).message, /^--json is for `drover doctor` \(flag --json\)$/);
  t.regex((await t.throwsAsync(load(cwd, ['a'], env), { instanceOf: DroverError })).message, /^--json is for `drover doctor` \(environment variable DROVER_CMD_ARGS, flag --json\)$/);
  t.true((await load(cwd, ['doctor'], env)).json);
  t.true((await load(cwd, ['doctor', '--json=true'])).json);
  t.false((await load(cwd, ['doctor', '--no-json'], env)).json);
  t.is((await load(cwd, ['--help'], env)).action, 'help');
});

test('node arguments that begin with no flag are refused', async (t) => {
  const cwd = scratch(t);
  const error = await t.throwsAsync(load(cwd, ['a', '--node-args', 'trace --inspect']), { instanceOf: DroverError });
  t.is(error.message, '--node-args: node would run "trace" instead of a worker (flag --node-args)');
  t.regex(error.remedy ?? '', /`--`/);
  await t.notThrowsAsync(load(cwd, ['a', '--node-args', '-r ./trace.js']));
});

test('node flags that run a worker in another process are refused, in either spelling', async (t) => {
  const cwd = scratch(t);
  for (const [args, flag, remedy] of [
    ['--enable-source-maps --watch', '--watch', /drover watches no files/],
    ['--watch-path=./src', '--watch-path', /drover watches no files/],
    ['--test', '--test', /Leave it out/],
  ] as const) {
    const error = await t.throwsAsync(load(cwd, ['a', '--node-args', args]), { instanceOf: DroverError });
    t.regex(error.message, new RegExp(`with ${flag} node .* \\(flag --node-args\\)$`));
    t.regex(error.remedy ?? '', remedy);
  }
  await t.notThrowsAsync(load(cwd, ['a', '--node-args', '--test-reporter=spec --import tsx']));
});
