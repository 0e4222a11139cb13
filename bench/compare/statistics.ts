/** The statistics of a comparison: the ratios of several rounds, their median and spread, and the verdict. */

/** Fewer rounds show too little: an interval of about 95 % would span all of five to eight ratios, the wildest included. */
export const MIN_ROUNDS = 9;

/** More rounds than this take hours. */
export const MAX_ROUNDS = 999;

/** How much longer the new one may take. */
export const BOUND = 1.03;

/** What is known of a benchmark's ratio, new to old. */
export interface Spread {
  readonly median: number;
  /** The ends of the median's confidence interval. */
  readonly low: number;
  readonly high: number;
}

/** The verdict on a benchmark. */
export type Verdict = "SLOWER" | "faster" | "as fast" | "undecided";

/**
 * Which of `count` ratios in order, from 1, is the low end of the median's interval; the high end is as far from the last.
 *
 * The interval needs no assumption about how ratios are distributed: each is below the true median with probability one half,
 * so the interval misses it where fewer than `rank` of them are on one side. That is to happen in 5 % of all comparisons
 * at most: with nine ratios it goes from the second to the eighth, and misses in 3.9 %.
 */
export function rankOfLow(count: number): number {
  // The probability that exactly `below` ratios are below the median, and that at most so many are.
  let probability = 2 ** -count;
  let cumulated = probability;
  let rank = 0;
  for (let below = 1; 2 * cumulated <= 0.05; below++) {
    rank = below;
    probability *= (count - below + 1) / below;
    cumulated += probability;
  }
  if (rank > 0) return rank;
  throw new RangeError(
    `${count} ratios have no interval of 95 %; pass 6 or more`,
  );
}

/** The median of some ratios, and its confidence interval of 95 % or a little more. */
export function spreadOf(ratios: readonly number[]): Spread {
  const sorted = ratios.toSorted((one, other) => one - other);
  const rank = rankOfLow(sorted.length);
  return {
    median: medianOf(ratios),
    low: sorted[rank - 1],
    high: sorted[sorted.length - rank],
  };
}

/** The middle one of some numbers, or the mean of the two in the middle. */
export function medianOf(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The verdict for a spread: slower, where all of it is above the bound; faster, where all of it is below the bound's inverse; as
 * fast, where none of it is above the bound; else undecided.
 */
export function verdictOf({ low, high }: Spread): Verdict {
  if (low > BOUND) return "SLOWER";
  if (high < 1 / BOUND) return "faster";
  return high <= BOUND ? "as fast" : "undecided";
}
