/**
 * The way out of a worker: take no connections, finish what is open, let the app clean up. In the worker; the master only bounds it.
 *
 * No timer here decides on a request. Idle connections end by their own keep-alive time; a connection on which nothing has come yet gets
 * that time too; near the end of the grace, idle connections that would live longer are closed rather than killed, and the app is told to end whatever it still does.
 * What then still runs is the master's to kill and to name in the log.
 */
import type { Server } from 'node:net';
import type { Connections } from '../http/connections.js';

export interface DrainOptions {
  connections: Connections;
  graceMs: number;
  /** Nobody else will serve: drover stops. May become so while it drains. */
  alone: () => boolean;
  /** Servers that the app asks by itself, for the requests it still answers. */
  ownServers: readonly Server[];
  /** Nobody is left to ask for, or the grace is nearly over: take no more connections for these. Once. */
  closeOwn: () => void;
  /** Whether the app can be told to end. It is then the one to end its WebSockets and what else no request ends. */
  appEnds: () => boolean;
  /** Tell it: nothing else is left, or (`late`) the grace is nearly over. At most once. */
  onAppEnds: (late: boolean) => void;
  /** The last connection is gone. Once. */
  onEmpty: () => void;
}

/** The last part of the grace, in which idle connections are closed. */
const LAST_PART = 0.1;
const LAST_MS = 1_000;
const SWEEP_MS = 250;
/**
 * How long a stop waits for requests on idle connections, whatever their keepAliveTimeout: Node's own default. Fastify's is 72 s, and behind a load balancer it
 * has to be longer than the balancer's, so that each stop would take all of the grace. A reload waits for all of it: that delays nobody.
 */
const IDLE_MS = 5_000;

export function startDrain({ connections, graceMs, alone, ownServers, closeOwn, appEnds, onAppEnds, onEmpty }: DrainOptions): void {
  const since = performance.now();
  const lastMs = Math.min(LAST_MS, graceMs * LAST_PART);
  let done = false;
  let toldApp = false;
  let ownClosed = false;
  let aloneSince: number | undefined;

  const isLate = (): boolean => performance.now() - since >= graceMs - lastMs;
  const finish = (): void => {
    if (done) return;
    done = true;
    clearInterval(sweeper);
    onEmpty();
  };
  let asking = false;
  /** Processes of the app's that have connections lose their channel, and end as a rule, when this one does. */
  const finishUnlessAway = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    const { count } = connections.sentAway;
    const away = await connections.sentAway.areOpen();
    asking = false;
    if (!away && connections.open === 0 && connections.sentAway.count === count) finish();
  };
  const look = (): void => {
    if (done) return;
    if (!ownClosed && (isLate() || connections.areAllOf(ownServers))) {
      ownClosed = true;
      closeOwn();
    }
    if (connections.open === 0) {
      if (connections.sentAway.count === 0 || isLate()) return finish();
      // The app is told to end when nothing is away any more: it might end the processes that answer.
      void finishUnlessAway();
    } else if (!toldApp && appEnds() && (connections.foreign === connections.open || isLate())) {
      toldApp = true;
      onAppEnds(connections.foreign < connections.open);
    }
  };
  const sweeper = setInterval(() => {
    if (alone()) aloneSince ??= performance.now();
    connections.sweep(since, aloneSince === undefined ? undefined : { since: aloneSince, ms: IDLE_MS });
    if (isLate()) connections.closeIdle();
    look();
  }, Math.min(SWEEP_MS, Math.max(lastMs / 2, 1)));

  connections.onClose = look;
  connections.close();
  // Not at once: connections that were queued come in this turn of the loop.
  setImmediate(look);
}
