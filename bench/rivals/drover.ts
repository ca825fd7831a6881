/**
 * drover itself: a rival per accept strategy; under Node 24, to be read beside Node 24's own `reusePort`; and as a user without any privilege,
 * whose connections are steered by weights.
 */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ACCEPT_STRATEGIES } from '../../src/config/options/listening.js';
import { node24, versionOf, which } from '../install.js';
import { APPS, ROOT } from '../paths.js';
import { treeOf } from '../processes.js';
import { freePort, launch, type Rival, type Running, type StartOptions } from '../rival.js';

const MAIN = `${ROOT}dist/cli/main.cjs`;

/** `command`: node, with what comes before it. */
async function start(command: readonly [string, ...string[]], strategy: string, options: StartOptions, flags: readonly string[] = []): Promise<Running> {
  const port = await freePort();
  const [program, ...before] = command;
  return launch({
    command: program,
    args: [...before, MAIN, `${APPS}server.cjs`, '-w', String(options.workers), '-b', `127.0.0.1:${port}`, '--accept-strategy', strategy, ...flags],
    workers: options.workers,
    port,
    boots: true,
    async reload(child) {
      const old = new Set(treeOf(child.pid!));
      child.kill('SIGHUP');
      // Done when none of the old workers is left: the master itself stays.
      while (treeOf(child.pid!).some((pid) => pid !== child.pid && old.has(pid))) await sleep(20);
    },
  });
}

const version = (): string => (JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string }).version;
const built = (): true | string => existsSync(MAIN) || 'drover is not built: npm run build';

function drover(strategy: string): Rival {
  return {
    name: `drover-${strategy}`,
    title: `drover, ${strategy}`,
    kind: 'drover',
    can: ['pid', 'block', 'hold', 'reload'],
    available: built,
    version,
    start: (options) => start([process.execPath], strategy, options),
  };
}

function droverOnNode24(strategy: string): Rival {
  return {
    ...drover(strategy),
    name: `drover-${strategy}-node24`,
    title: `drover, ${strategy}, Node 24`,
    available() {
      const node = node24();
      return 'why' in node ? node.why : built();
    },
    version: () => `${version()} on Node ${versionOf((node24() as { path: string }).path, ['--version'])}`,
    start: (options) => start([(node24() as { path: string }).path], strategy, options),
  };
}

/** One request at a time per worker, as the class `sync` has it. */
function oneAtATime(strategy: string): Rival {
  return {
    ...drover(strategy),
    name: `drover-${strategy}-one`,
    title: `drover, ${strategy}, --worker-concurrency 1`,
    start: (options) => start([process.execPath], strategy, options, ['--worker-concurrency', '1']),
  };
}

/** As most containers run: no root, no capability. */
const NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups'];
const unprivileged: Rival = {
  ...drover('reuseport'),
  name: 'drover-unprivileged',
  title: 'drover, reuseport, no privilege',
  available: () => (process.getuid?.() !== 0 ? 'needs root, to give it up' : which('setpriv') === undefined ? 'no setpriv' : built()),
  start: (options) => start(['setpriv', ...NOBODY, process.execPath], 'reuseport', options),
};

/** All that serve alike, for the trials that compare them. */
const STRATEGIES = ACCEPT_STRATEGIES.filter((strategy) => strategy !== 'auto').map((strategy) => drover(strategy));

/** Every policy of the HTTP edge off, so that none is installed; what is left is accepting and counting. */
const NO_EDGE = [
  '--untrusted-headers', 'keep', '--header-map', 'dangerous', '--forwarder-headers', 'none', '--no-strict-http', '--limit-request-line', '0', '--limit-request-fields', '0',
  '--limit-request-field-size', '0', '--write-timeout', '0',
];
/** Everything that acts on each request on. The load's addresses are all of 127.0.0.0/8 (bench/native/load.c): its proxy is one to be trusted. */
const EDGE = ['--limit-request-body', '10m', '--header-timeout', '10', '--request-timeout', '60', '--access-logfile', '/dev/null', '--forwarded-allow-ips', '127.0.0.0/8'];

function edge(name: string, title: string, flags: readonly string[]): Rival {
  return { ...drover('reuseport'), name, title, start: (options) => start([process.execPath], 'reuseport', options, flags) };
}

const edges = [edge('drover-edge', 'drover, the HTTP edge on', EDGE), edge('drover-no-edge', 'drover, the HTTP edge off', NO_EDGE)];

export default [...edges, ...STRATEGIES, unprivileged, droverOnNode24('reuseport'), oneAtATime('reuseport'), oneAtATime('grant')];
