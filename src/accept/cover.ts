/**
 * Policy: which slots' sockets a worker watches behind their owners. In the master.
 *
 * Up to FULL slots every worker watches every socket. Beyond, each socket has DEPTH watchers besides its owner: when all workers are busy the
 * kernel walks the whole row of waiters for each arrival, in softirq. The watchers of a socket are the serving slots that come before
 * it in the ring, so that each worker watches about as many sockets as the next, and a slot without a worker is covered too.
 */
export const FULL = 16;
export const DEPTH = 8;

/** The slots, of `slots` (all that have a socket), whose sockets the worker of `slot` watches. `serving`: slots with a worker. */
export function coveredBy(slot: number, slots: readonly number[], serving: readonly number[]): number[] {
  const others = slots.filter((other) => other !== slot);
  const watchers = [...new Set([...serving, slot])].sort((a, b) => a - b);
  if (watchers.length <= FULL) return others;
  return others.filter((owner) => {
    // Serving slots that lie between us and the owner, going up the ring from us.
    const between = watchers.filter((watcher) => watcher !== slot && watcher !== owner && isBetween(watcher, slot, owner));
    return between.length < DEPTH;
  });
}

/** Whether going up from `from`, and round, meets `value` before `to`. */
function isBetween(value: number, from: number, to: number): boolean {
  return from < to ? value > from && value < to : value > from || value < to;
}
