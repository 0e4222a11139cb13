/** Comparisons of measured times: the rows of the report. */

import { significant } from "./numbers.ts";
import { type Bench, median, type Results } from "./results.ts";

/** A row of the report. */
export interface Figure {
  /** What is compared with what. */
  readonly what: string;
  /** What is to be reached. */
  readonly goal: string;
  /** What was measured. */
  readonly measured: string;
  /** Whether it was reached. */
  readonly reached: boolean;
}

/** Return how many times faster one is than another. */
export function timesFaster(
  runs: readonly Results[],
  what: string,
  goal: number,
  slow: Bench,
  fast: Bench,
): Figure {
  const times = median(runs.map((run) => run.time(slow) / run.time(fast)));
  return {
    what,
    goal: `${goal.toLocaleString("en")} times faster`,
    measured: `${significant(times)} times`,
    reached: times >= goal,
  };
}

/** Return how many times as long as another one takes. */
export function timesTheTime(
  runs: readonly Results[],
  what: string,
  goal: number,
  one: Bench,
  other: Bench,
): Figure {
  const times = median(runs.map((run) => run.time(one) / run.time(other)));
  return {
    what,
    goal: `at most ${goal} times its time`,
    measured: `${significant(times)} times`,
    reached: times <= goal,
  };
}

/** Return how much more one takes than the fastest of the others, each iteration doing it so many times. */
export function nanosecondsMore(
  runs: readonly Results[],
  what: string,
  goal: number,
  count: number,
  [one, ...others]: Bench[],
): Figure {
  const more = median(runs.map((run) => {
    const least = Math.min(...others.map((other) => run.fastest(other)));
    return (run.fastest(one) - least) / count;
  }));
  return {
    what,
    goal: `at most ${goal} ns more`,
    measured: `${more.toFixed(1)} ns`,
    reached: more <= goal,
  };
}
