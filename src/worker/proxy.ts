/** Puts --proxy-protocol together: what waits for its header is an open connection, what is refused is counted on the board and told. In a worker. */
import { ProxyProtocol } from '../accept/proxy-protocol.js';
import type { WorkerConfig } from '../config/worker-config.js';
import type { Connections } from '../http/connections.js';
import type { Board } from '../ipc/board.js';
import type { Worker } from './worker.js';

interface Parts {
  board: Board;
  row: number;
  connections: Connections;
  worker: Worker;
}

export function readProxyHeaders(protocol: Exclude<WorkerConfig['proxyProtocol'], 'off'>, config: WorkerConfig, { board, row, connections, worker }: Parts): ProxyProtocol {
  const proxy = new ProxyProtocol({
    protocol,
    allowFrom: config.proxyAllowFrom,
    timeoutMs: config.proxyTimeoutMs,
    onWaiting: (connection) => connections.waits(connection),
    onSettled: (connection) => connections.settled(connection),
    onRefused: () => board.set(row, 'proxyRefused', board.get(row, 'proxyRefused') + 1),
    onTell: (refused) => worker.onProxyRefused(refused),
  });
  process.on('exit', () => proxy.tellRest());
  return proxy;
}
