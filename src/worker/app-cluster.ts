/**
 * Sees an app that forks processes with node:cluster and lets these serve. In the worker.
 *
 * Such processes are plain Node: no connection of theirs is counted or finished, nothing of the HTTP edge stands before them, and they are as many as the app
 * likes in each worker.
 */
import type { Cluster } from 'node:cluster';
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
