/**
 * When a worker asks to be replaced. Pure policy: numbers in, a number out.
 *
 * --max-requests-jitter spreads the workers out, so that they don't all reach the limit together. It is drawn once per worker.
 */

/** The number of requests after which this worker asks for a successor; 0: never. `random` is in [0, 1). */
export function recycleAfter(maxRequests: number, jitter: number, random: number): number {
  if (maxRequests === 0) return 0;
  return maxRequests + Math.floor(random * (jitter + 1));
}
