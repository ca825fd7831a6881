/**
 * Latencies as the load generator counts them: [highest microsecond of the bucket, count], ascending, buckets at most 1.6 % wide
 * (bench/native/load.c). Quantiles are read at the top of a bucket, so they are never flattered. Pure.
 */

export type Histogram = readonly (readonly [us: number, count: number])[];

export function merge(histograms: readonly Histogram[]): Histogram {
  const counts = new Map<number, number>();
  for (const histogram of histograms) for (const [us, count] of histogram) counts.set(us, (counts.get(us) ?? 0) + count);
  return [...counts].sort(([a], [b]) => a - b);
}

export function countOf(histogram: Histogram): number {
  return histogram.reduce((total, [, count]) => total + count, 0);
}

/** The least value that at least `quantile` of all counts do not exceed, in microseconds; NaN when nothing was counted. */
export function quantile(histogram: Histogram, quantile: number): number {
  const total = countOf(histogram);
  if (total === 0) return NaN;
  // The ratio is rounded before it is raised to a rank: 0.999 × 1000 is 999.0000000000001 in doubles for some values.
  const rank = Math.max(1, Math.ceil(Number((quantile * total).toPrecision(12))));
  let seen = 0;
  for (const [us, count] of histogram) {
    seen += count;
    if (seen >= rank) return us;
  }
  return histogram.at(-1)![0];
}
