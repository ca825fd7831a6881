/** The bench's arithmetic: medians and ranges of rounds, Jain's index. Pure. */

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
