/** The bench's arithmetic: medians of rounds, their ranges and bounds, Jain's index. Pure. */

export interface Summary {
  median: number;
  min: number;
  max: number;
  /** One number per round, in the order measured. */
  samples: number[];
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** At least so sure are the bounds of a median, where there are rounds enough. */
const CONFIDENCE = 0.9;

/**
 * Bounds of the true median by the sign test, which asks nothing of how the values are distributed: a value lies below the true median with the chance of a coin, so the chance that all but `cut`
 * of them lie on one side is the tail of a binomial. Taken is the narrowest pair of values, as many cut off at either end, that is sure enough; below five values nothing is, and it is all of them.
 */
export function medianBounds(values: readonly number[]): { low: number; high: number } {
  const count = values.length;
  if (count === 0) return { low: NaN, high: NaN };
  const sorted = [...values].sort((a, b) => a - b);
  let cut = 0;
  let ways = 1; // `cut` of `count`
  let tail = ways / 2 ** count;
  for (;;) {
    ways = (ways * (count - cut)) / (cut + 1);
    tail += ways / 2 ** count;
    if (1 - 2 * tail < CONFIDENCE) break;
    cut++;
  }
  return { low: sorted[cut]!, high: sorted[count - 1 - cut]! };
}

export function summarize(samples: readonly number[]): Summary {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples: samples.map((value) => significant(value)) };
}

/**
 * Jain's index of fairness of shares: (Σx)² / (n·Σx²). 1 when all are equal, 1/n when one has everything. Workers that got nothing
 * count: pass them as 0.
 */
export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? NaN : (sum * sum) / (shares.length * squares);
}

/** Five significant digits: raw results stay readable, and no digit is claimed that was not measured. */
export function significant(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : value;
}
