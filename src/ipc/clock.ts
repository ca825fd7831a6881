/** The clock that master and workers share, for what one tells the other of time: performance.now() begins anew in each process. Rank 2. */

/** Ms of the system's monotonic clock. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
