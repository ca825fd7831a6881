/** Connections that the app has sent to processes of its own: `child.send(message, socket)`. In the worker. */
import type { EventEmitter } from 'node:events';
import type { Server } from 'node:net';

/** What net.Server keeps of a process that it has sent connections to. */
interface SentList {
  readonly key: string;
  readonly child: { readonly connected: boolean } & Pick<EventEmitter, 'once' | 'off'>;
  _request(message: object, answer: string, swallowErrors: boolean, callback: (error: Error | null, answered?: { count: number }) => void): void;
}

export class SentAway {
  readonly #servers = new Set<Server>();
  #count = 0;

  /** How many were sent so far. */
  get count(): number {
    return this.#count;
  }

  /** `server`: the one that has accepted it, where Node keeps count. */
  add(server: Server): void {
    this.#servers.add(server);
    this.#count++;
  }

  /** Whether one of them is open where it went: Node asks the processes that have them. */
  async areOpen(): Promise<boolean> {
    const lists = [...this.#servers].flatMap((server) => (server as unknown as { _workers?: SentList[] })._workers ?? []);
    // Each by itself: of server.getConnections() the first error is the answer, and a socket that was sent and then destroyed counts as one less.
    const counts = lists.map(
      (list) =>
        new Promise<number>((resolve) => {
          // One that has lost its channel already does not end with this process.
          if (!list.child.connected) return resolve(0);
          const onExit = (): void => resolve(0);
          // Killed before it has taken a connection, it never says `disconnect`, which Node waits for: Node keeps that until what it has still to send is sent.
          list.child.once('exit', onExit);
          // An error: it has gone meanwhile. As its getConnections() asks, but that makes of a question which cannot be sent any more an uncaught exception.
          list._request({ cmd: 'NODE_SOCKET_GET_COUNT', key: list.key }, 'NODE_SOCKET_COUNT', true, (_, answered) => {
            list.child.off('exit', onExit);
            resolve(answered?.count ?? 0);
          });
        }),
    );
    return (await Promise.all(counts)).some((count) => count > 0);
  }
}
