/** drover itself: a rival per accept strategy, and once more under Node 24, to be read beside Node 24's own `reusePort`. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { node24, versionOf } from '../install.js';
import { APPS, ROOT } from '../paths.js';
import { treeOf } from '../processes.js';
import { freePort, launch, type Rival, type Running, type StartOptions } from '../rival.js';

const MAIN = `${ROOT}dist/src/cli/main.js`;

async function start(node: string, strategy: string, options: StartOptions, flags: readonly string[] = []): Promise<Running> {
  const port = await freePort();
  return launch({
    command: node,
    args: [MAIN, `${APPS}server.cjs`, '-w', String(options.workers), '-b', `127.0.0.1:${port}`, '--accept-strategy', strategy, ...flags],
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
    start: (options) => start(process.execPath, strategy, options),
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
    start: (options) => start((node24() as { path: string }).path, strategy, options),
  };
}

/** One request at a time per worker, as the class `sync` has it. */
function oneAtATime(strategy: string): Rival {
  return {
    ...drover(strategy),
    name: `drover-${strategy}-one`,
    title: `drover, ${strategy}, --worker-concurrency 1`,
    start: (options) => start(process.execPath, strategy, options, ['--worker-concurrency', '1']),
  };
}

export default [oneAtATime('reuseport'), oneAtATime('grant'), drover('reuseport'), drover('shared'), droverOnNode24('reuseport')];
