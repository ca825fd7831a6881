/**
 * Sees an app that forks processes with node:cluster and lets these serve, or takes itself for one of them. In the worker.
 *
 * Such processes are plain Node: no connection of theirs is counted or finished, nothing of the HTTP edge stands before them, and they are as many as the app
 * likes in each worker.
 */
import type { Cluster } from 'node:cluster';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { DroverError } from '../errors.js';

/** The error, if this server is node:cluster's, which listens for what it has forked. Its listener is assert.fail: it takes the connections off the handle. */
export function servedByCluster(server: Server, app: string): DroverError | undefined {
  if (!server.listeners('connection').some(({ name }) => name === 'fail')) return undefined;
  const { workers } = process.getBuiltinModule('node:cluster') as unknown as Cluster;
  if (Object.keys(workers ?? {}).length === 0) return undefined;
  return new DroverError(
    'ERR_DROVER_APP_UNUSABLE',
    `app ${app} forks processes of its own with node:cluster and lets them serve, where drover cannot look after them`,
    'Let it serve without node:cluster, by what its forked processes run: drover takes the place of the primary, and -w says how many there are. See docs/programs.md.',
  );
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
