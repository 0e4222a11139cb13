/** The figures of sharing memory with Python and running its code: what is to be reached, and what was measured. */

import { CALLS } from "../counts.ts";
import { SHARED_SIZES } from "../sizes.ts";
import { type Figure, nanosecondsMore, timesFaster } from "./comparisons.ts";
import type { Copies } from "./copies.ts";
import { formatTime } from "./numbers.ts";
import { type Bench, median, type Results } from "./results.ts";

/** How long showing memory to the other side may take, in nanoseconds. */
const SHOWN_WITHIN = 20_000;

/** Independent of the size: no size takes more times as long as another. */
const INDEPENDENT = 2;

/** Every figure of Python. `tool` is what makes Python's arrays: NumPy, or what is used in its place. */
export function pythonFigures(
  runs: readonly Results[],
  { block, array }: Copies,
  tool: string,
): Figure[] {
  const toPython = "a million doubles to Python";
  const toTypeScript = "a million doubles to TypeScript";
  return [
    shown(runs, `block of 100 MB shown to ${tool}`, "100 MB", toolHas),
    sizes(runs, `block of any size shown to ${tool}`, toolHas),
    shown(
      runs,
      `array of 100 MB, ${tool}'s, shown to TypeScript`,
      "100 MB",
      typeScriptHas,
    ),
    sizes(
      runs,
      `array of any size, ${tool}'s, shown to TypeScript`,
      typeScriptHas,
    ),
    {
      what: "bytes copied by showing these 100 MB, and those",
      goal: "0 bytes",
      measured: `${block} bytes, ${array} bytes`,
      reached: block + array === 0,
    },
    timesFaster(
      runs,
      `a million doubles to ${tool} in place, against element by element by FFI`,
      10_000,
      [toPython, "element by element"],
      [toPython, "in place"],
    ),
    timesFaster(
      runs,
      "a million doubles to TypeScript in place, against element by element by FFI",
      10_000,
      [toTypeScript, "element by element"],
      [toTypeScript, "in place"],
    ),
    evaluated(runs),
    nanosecondsMore(
      runs,
      "`call()` of a Python function that returns None, attached, over the same call in Python",
      1_000,
      CALLS,
      [[CALL, "call, attached"], [CALL, "within Python"]],
    ),
  ];
}

const CALL = "call of a function that returns None";
const EXPRESSION = "expression 1+1";

const toolHas = (
  label: string,
): Bench => [`shown to Python, ${label}`, "block"];
const typeScriptHas = (label: string): Bench => [
  `shown to TypeScript, ${label}`,
  "array",
];

function shown(
  runs: readonly Results[],
  what: string,
  label: string,
  bench: (label: string) => Bench,
): Figure {
  const time = median(runs.map((run) => run.time(bench(label))));
  return {
    what,
    goal: `at most ${formatTime(SHOWN_WITHIN)}`,
    measured: formatTime(time),
    reached: time <= SHOWN_WITHIN,
  };
}

/** The times of all sizes. */
function sizes(
  runs: readonly Results[],
  what: string,
  bench: (label: string) => Bench,
): Figure {
  const times = SHARED_SIZES.map(({ label }) =>
    median(runs.map((run) => run.time(bench(label))))
  );
  const texts = SHARED_SIZES.map(({ label }, index) =>
    `${label}: ${formatTime(times[index])}`
  );
  const [least, most] = [Math.min(...times), Math.max(...times)];
  return {
    what,
    goal: `at most ${formatTime(SHOWN_WITHIN)}, independent of the size`,
    measured: texts.join(", "),
    reached: most <= SHOWN_WITHIN && most <= INDEPENDENT * least,
  };
}

/** Return how much longer `python.eval` takes than three times `eval` in Python. */
function evaluated(runs: readonly Results[]): Figure {
  const [more, time, within] = runs
    .map((run) => {
      const time = run.fastest([EXPRESSION, "python.eval"]) / CALLS;
      const within = run.fastest([EXPRESSION, "within Python"]) / CALLS;
      return [time - 3 * within, time, within];
    })
    .toSorted(([one], [other]) => one - other)[runs.length >> 1];
  return {
    what:
      '`python.eval("1+1")`, over three times `eval(code, {})` of compiled code in Python',
    goal: "at most 1000 ns more",
    measured: `${more.toFixed(0)} ns (${time.toFixed(0)} − 3 × ${
      within.toFixed(0)
    })`,
    reached: more <= 1_000,
  };
}
