/**
 * Sees an app that forks processes with node:cluster and lets these serve, or takes itself for one of them. In the worker.
 *
 * Such processes are plain Node: no connection of theirs is counted or finished, nothing of the HTTP edge stands before them, and they are as many as the app
 * likes in each worker.
 */
import type { ChildProcess } from 'node:child_process';
import type { Cluster } from 'node:cluster';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { DroverError } from '../errors.js';

/** The error, if this server is node:cluster's, which listens for what it has forked. Its listener is assert.fail: it takes the connections off the handle. */
export function servedByCluster(server: Server, app: string): DroverError | undefined {
  if (!server.listeners('connection').some(({ name }) => name === 'fail')) return undefined;
  if (processesOfCluster().length === 0) return undefined;
  return new DroverError(
    'ERR_DROVER_APP_UNUSABLE',
    `app ${app} forks processes of its own with node:cluster and lets them serve, where drover cannot look after them`,
    'Let it serve without node:cluster, by what its forked processes run: drover takes the place of the primary, and -w says how many there are. See docs/programs.md.',
  );
}

/** This process ends before they have come up: they would only say, in a stack each and behind the reason, that the process they ask is gone. */
export function endProcessesOfCluster(): void {
  for (const child of processesOfCluster()) child.kill('SIGKILL');
}

/** What the log says of an app that gives its connections to such processes one by one, as Socket.IO's do; undefined: `child` is none. */
export function servesByCluster(child: ChildProcess, app: string): string | undefined {
  if (!processesOfCluster().includes(child)) return undefined;
  return `app ${app} gives its connections to processes that it forks with node:cluster, in each worker: drover does not count them there, and a client that comes again may come to another worker, whose processes do not know it; let it serve without node:cluster (docs/programs.md)`;
}

function processesOfCluster(): ChildProcess[] {
  const { workers } = process.getBuiltinModule('node:cluster') as unknown as Cluster;
  return Object.values(workers ?? {}).flatMap((worker) => (worker === undefined ? [] : [worker.process]));
}

/** What to do about `cluster.worker.id` and its like, which programs made for PM2's cluster mode have. `where`: `file:line` at which it was thrown. */
export function withoutClusterWorker(thrown: Error, where: string | undefined): string | undefined {
  const [, file, line] = /^(.*):(\d+)$/.exec(where ?? '') ?? [];
  const [, property] = /^Cannot read properties of undefined \(reading '(\w+)'/.exec(thrown.message) ?? [];
  if (file === undefined || property === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'utf8').split('\n')[Number(line) - 1] ?? '';
  } catch {
    return undefined;
  }
  if (!/\bcluster\.worker\s*[.[]/.test(text)) return undefined;
  const instead = property === 'id' ? "the worker's number, from 0, is process.env.NODE_APP_INSTANCE." : `where it may run so, write cluster.worker?.${property}.`;
  return `As under plain node there is no cluster.worker: ${instead}`;
}
