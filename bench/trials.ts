/** All trials, in the order in which they run and are shown. A new one is a file in trials/ and a line here. */
import type { Trial } from './trial.js';
import acceptAlone from './trials/accept-alone.js';
import cost from './trials/cost.js';
import cpuKeepalive from './trials/cpu-keepalive.js';
import cpuPerConnection from './trials/cpu-per-connection.js';
import edgeCost from './trials/edge-cost.js';
import growth from './trials/growth.js';
import heldConnections from './trials/held-connections.js';
import lostOverReloads from './trials/lost-over-reloads.js';
import oneQueueOrMany from './trials/one-queue-or-many.js';
import staticFiles from './trials/static-files.js';
import stuckBehindBlocked from './trials/stuck-behind-blocked.js';
import wakeupsIdleWorkers from './trials/wakeups-idle-workers.js';

export const TRIALS: readonly Trial[] = [
  cpuPerConnection, cpuKeepalive, edgeCost, staticFiles, wakeupsIdleWorkers, acceptAlone, growth, stuckBehindBlocked, oneQueueOrMany, heldConnections, lostOverReloads, cost,
];
