/** What Node itself offers: one process, node:cluster with both policies, and `reusePort` of Node 24 in plain children. */
import { node24, versionOf } from '../install.js';
import { APPS } from '../paths.js';
import { freePort, launch, type Rival } from '../rival.js';

const plain: Rival = {
  name: 'node',
  title: 'node, one process',
  kind: 'node',
  can: ['pid', 'block', 'hold'],
  available: () => true,
  version: () => process.version,
  async start() {
    return launch({ command: process.execPath, args: [`${APPS}server.cjs`], workers: 1, port: await freePort(), boots: true });
  },
};

function cluster(name: string, title: string, policy: 'rr' | 'none', node?: () => { path: string } | { why: string }): Rival {
  const program = (): string => (node === undefined ? process.execPath : (node() as { path: string }).path);
  return {
    name,
    title,
    kind: 'node',
    can: ['pid', 'block', 'hold'],
    available() {
      const found = node?.();
      return found !== undefined && 'why' in found ? found.why : true;
    },
    version: () => (node === undefined ? process.version : versionOf(program(), ['--version'], /v\d.*/)),
    async start({ workers }) {
      return launch({ command: program(), args: [`${APPS}primary.cjs`, String(workers), policy], workers, port: await freePort(), boots: true });
    },
  };
}

const reusePort: Rival = {
  name: 'node24-reuseport',
  title: 'Node 24 reusePort',
  kind: 'node',
  can: ['pid', 'block', 'hold'],
  available() {
    const node = node24();
    return 'why' in node ? node.why : true;
  },
  version: () => versionOf((node24() as { path: string }).path, ['--version'], /v\d.*/),
  async start({ workers }) {
    return launch({
      command: (node24() as { path: string }).path,
      args: [`${APPS}children.cjs`, String(workers)],
      workers,
      port: await freePort(),
      env: { BENCH_REUSEPORT: '1' },
      boots: true,
    });
  },
};

export default [
  plain,
  cluster('cluster-rr', 'node:cluster round-robin', 'rr'),
  cluster('cluster-none', 'node:cluster SCHED_NONE', 'none'),
  cluster('cluster-rr-node24', 'node:cluster round-robin, Node 24', 'rr', node24),
  reusePort,
];
