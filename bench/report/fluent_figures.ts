/** The figures of proxies, the template and exceptions: what is to be reached, and what was measured. */

import type { Fluent, Pair } from "../python/fluent.ts";
import type { Figure } from "./comparisons.ts";
import { formatTime, significant } from "./numbers.ts";
import { measureInProcesses } from "./own_process.ts";
import { median } from "./results.ts";

const PROGRAM = `${import.meta.dirname}/../python/fluent.ts`;

/** Of what each pair's other time is, and how many times that it may take. */
const GOALS: readonly (readonly [beside: string, times: number])[] = [
  ["the template", 4],
  ["a kept lambda's call", 1.3],
  ["`get`", 1.2],
];

/** A caught error may take so many times Python's own, and so many nanoseconds more. */
const CAUGHT_TIMES = 3;
const CAUGHT_MORE = 5_000;

const MAX_LOST_BYTES = 300e6;

/** Measure them in a process of their own, so many times. */
export function measureFluent(runs: number): Fluent[] {
  return measureInProcesses(PROGRAM, runs);
}

/** Every figure of the fluent layer. Of the runs, the middle one of each ratio is shown. */
export function fluentFigures(runs: readonly Fluent[]): Figure[] {
  const { pairs, lost } = runs[0];
  const peak = median(runs.map(({ lost }) => lost.peak));
  return [
    ...GOALS.map(([beside, times], index) => {
      const measured = median(runs.map(({ pairs }) => ratioOf(pairs[index])));
      return {
        what: `${pairs[index].name}, against ${beside}`,
        goal: `at most ${times} times its time`,
        measured: `${significant(measured)} times`,
        reached: measured <= times,
      };
    }),
    caughtFigure(runs.map(({ pairs }) => pairs[GOALS.length])),
    {
      what: `${
        lost.count.toLocaleString("en")
      } lost proxies of 100 KB in a loop: the process`,
      goal: "less than 300 MB",
      measured: `${significant(peak / 1e6)} MB`,
      reached: peak < MAX_LOST_BYTES,
    },
  ];
}

function ratioOf({ ours, other }: Pair): number {
  return ours / other;
}

function caughtFigure(pairs: readonly Pair[]): Figure {
  const ours = median(pairs.map(({ ours }) => ours));
  const python = median(pairs.map(({ other }) => other));
  return {
    what: `${pairs[0].name}; in Python ${formatTime(python)}`,
    goal: `at most ${CAUGHT_TIMES} times Python's, and 5 µs`,
    measured: formatTime(ours),
    reached: ours <= CAUGHT_TIMES * python + CAUGHT_MORE,
  };
}
