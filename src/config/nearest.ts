/**
 * The known name nearest to an unknown one, for "did you mean".
 *
 * Rank 1. In the master, and in a worker that cannot boot.
 */
import { closest, distance } from 'fastest-levenshtein';

/** The nearest of `known`, or undefined when none is near enough to be what was meant. Case, dashes and underscores don't count. */
export function nearest(unknown: string, known: readonly string[]): string | undefined {
  const bare = (text: string): string => text.toLowerCase().replace(/[-_]/g, '');
  const wanted = bare(unknown);
  const found = closest(wanted, known.map(bare));
  // One slip in three letters is a typing error, and two letters changed about; more is another word.
  const most = wanted.length < 4 ? 1 : Math.max(2, Math.floor(wanted.length / 3));
  if (found === undefined || distance(wanted, found) > most) return undefined;
  return known.find((name) => bare(name) === found);
}
