/** The figures of memory: what is to be reached, and what was measured. */

import { PAIRS, WORKER_PAIRS } from "../counts.ts";
import {
  type Figure,
  nanosecondsMore,
  timesFaster,
  timesTheTime,
} from "./comparisons.ts";
import type { ImportTime } from "./import_time.ts";
import { type Bench, median, type Results } from "./results.ts";
import type { SteadyState } from "./steady_state.ts";

const NEW = "new Float64Array";
const TRANSFER = "new Float64Array, transfer(0)";
const BLOCK = "block";
const SCRATCH = "block, zeroed: false";

/** Every figure of memory. Each compares two times of one and the same run; the one of the middle run is taken. */
export function memoryFigures(
  runs: readonly Results[],
  steadyState: SteadyState,
  importTime: ImportTime,
): Figure[] {
  const pair = "address pair, 64 B";
  const inWorker = "address pair in a Worker, 64 B";
  const least = (what: string, goal: number, slow: Bench, fast: Bench) =>
    timesFaster(runs, what, goal, slow, fast);
  const most = (
    what: string,
    goal: number,
    pairs: number,
    ...benches: Bench[]
  ) => nanosecondsMore(runs, what, goal, pairs, benches);

  return [
    most(
      "`raw` pair of 64 B, attached, over libpython called directly",
      10,
      PAIRS,
      [pair, "raw, attached"],
      [pair, "libpython, pointers"],
      [pair, "libpython, integers"],
    ),
    most(
      "`raw` pair of 64 B, not attached, over attached",
      60,
      PAIRS,
      [pair, "raw"],
      [pair, "raw, attached"],
    ),
    most(
      "the same in a Worker",
      60,
      WORKER_PAIRS,
      [inWorker, "raw"],
      [inWorker, "raw, attached"],
    ),
    ...([["64 B", 1.5], ["1 KiB", 3], ["64 KiB", 3], ["1 MiB", 3], [
      "16 MiB",
      3,
    ]] as const)
      .map(([size, goal]) =>
        least(
          `block of ${size} without a view, against \`${NEW}\``,
          goal,
          [`${size}, not touched`, NEW],
          [`${size}, not touched`, BLOCK],
        )
      ),
    ...["64 KiB", "1 MiB", "16 MiB"].map((size) =>
      least(
        `zeroed block of ${size} with its view, every element written, against \`${NEW}\``,
        1.5,
        [`${size}, every element written`, NEW],
        [`${size}, every element written`, BLOCK],
      )
    ),
    ...([["64 KiB", 2], ["1 MiB", 2.5], ["16 MiB", 2.5]] as const)
      .map(([size, goal]) =>
        least(
          `the same with \`zeroed: false\`, ${size}`,
          goal,
          [`${size}, every element written`, NEW],
          [`${size}, every element written`, SCRATCH],
        )
      ),
    ...([["64 KiB", 4], ["1 MiB", 40], ["16 MiB", 400]] as const)
      .map(([size, goal]) =>
        least(
          `\`zeroed: false\`, ${size}, only the first element written, against \`${NEW}\``,
          goal,
          [`${size}, first element written`, NEW],
          [`${size}, first element written`, SCRATCH],
        )
      ),
    ...["64 KiB", "1 MiB", "16 MiB"].map((size) =>
      least(
        `\`zeroed: false\`, ${size}, every element written, against \`transfer(0)\``,
        1.2,
        [`${size}, every element written`, TRANSFER],
        [`${size}, every element written`, SCRATCH],
      )
    ),
    ...([["64 KiB", 2], ["1 MiB", 20], ["16 MiB", 300]] as const)
      .map(([size, goal]) =>
        least(
          `\`zeroed: false\`, ${size}, only the first element written, against \`transfer(0)\``,
          goal,
          [`${size}, first element written`, TRANSFER],
          [`${size}, first element written`, SCRATCH],
        )
      ),
    timesTheTime(
      runs,
      `block of 64 B with its view, one element written, against \`${NEW}\``,
      1.8,
      ["64 B, first element written", BLOCK],
      ["64 B, first element written", NEW],
    ),
    least(
      `arena allocation of 8 doubles, against \`${NEW}\``,
      12,
      ["small arrays, 8 doubles", NEW],
      ["small arrays, 8 doubles", "arena"],
    ),
    least(
      "growth by `realloc` to 16 MiB in steps of 64 KiB, against copying",
      20,
      ["growth to 16 MiB", "copying into larger typed arrays"],
      ["growth to 16 MiB", "realloc"],
    ),
    steadyTime(steadyState),
    steadyMemory(steadyState),
    importedIn(importTime),
  ];
}

/** Flat: the last tenths differ from the first ones by no more than tenths differ from each other anyway. */
const FLAT = 0.1;

function steadyTime({ nanoseconds }: SteadyState): Figure {
  const first = median(nanoseconds.slice(0, 5));
  const last = median(nanoseconds.slice(5));
  return {
    what:
      "4,096 blocks alive, a million alloc/free pairs: time per pair, first and second half",
    goal: "flat",
    measured: `${first.toFixed(0)} ns, ${last.toFixed(0)} ns`,
    reached: last <= first * (1 + FLAT),
  };
}

function steadyMemory({ residentBytes }: SteadyState): Figure {
  const mebibytes = residentBytes.map((bytes) => bytes / 2 ** 20);
  const [first, last] = [mebibytes[0], mebibytes.at(-1)!];
  return {
    what: "the same: resident memory after the first tenth and at the end",
    goal: "flat",
    measured: `${first.toFixed(0)} MiB, ${last.toFixed(0)} MiB`,
    reached: last <= first * (1 + FLAT),
  };
}

function importedIn({ whole, python, deno }: ImportTime): Figure {
  const more = whole - python - deno;
  return {
    what:
      "import to first allocation, over `python3 -c pass` plus `deno eval 0`",
    goal: "at most 60 ms more",
    measured: `${more.toFixed(0)} ms (${whole.toFixed(0)} − ${
      python.toFixed(0)
    } − ${deno.toFixed(0)})`,
    reached: more <= 60,
  };
}
