/** The statistics of `deno task bench:compare`, and what it refuses. No benchmark is run. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { NAMES } from "../../bench/compare/comparison.ts";
import { linesOf } from "../../bench/compare/messages.ts";
import {
  BOUND,
  medianOf,
  rankOfLow,
  spreadOf,
  verdictOf,
} from "../../bench/compare/statistics.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("the spread of nine ratios goes from the second to the eighth", () => {
  const ratios = [1.05, 1.01, 1.07, 1.03, 9, 1.02, 0.1, 1.06, 1.04];
  assertEquals(spreadOf(ratios), { low: 1.01, median: 1.04, high: 1.07 });
});

Deno.test("the spread is as narrow as 95 % allow, and no narrower", () => {
  for (const count of [6, 7, 8, 9, 10, 17, 18, 25, 100, 998, 999]) {
    const rank = rankOfLow(count);
    assert(missProbability(count, rank) <= 0.05, `${count}: ${rank}`);
    assert(missProbability(count, rank + 1) > 0.05, `${count}: ${rank}`);
  }
  assertEquals(missProbability(9, 2).toFixed(4), "0.0391");
});

Deno.test("five ratios have no spread", () => {
  assertThrows(() => spreadOf([1, 1, 1, 1, 1]), RangeError, "5 ratios");
});

Deno.test("the median of an even number of ratios is between the two in the middle", () => {
  assertEquals(medianOf([4, 1, 3, 2]), 2.5);
  assertEquals(medianOf([3, 1, 2]), 2);
});

Deno.test("a benchmark is slower only where its whole spread is above the bound", () => {
  const verdict = (low: number, high: number) =>
    verdictOf({ low, median: (low + high) / 2, high });
  assertEquals(BOUND, 1.03);
  assertEquals(verdict(1.0301, 1.2), "SLOWER");
  assertEquals(verdict(1.03, 1.2), "undecided");
  assertEquals(verdict(0.9, 1.0301), "undecided");
  assertEquals(verdict(0.9, 1.03), "as fast");
  assertEquals(verdict(0.9, 0.97), "faster");
});

Deno.test("noise alone seldom makes a benchmark slower, and a tenth more time nearly always does", () => {
  const random = generator(9);
  const slowerOf = (ratio: number) => {
    let slower = 0;
    for (let trial = 0; trial < 2_000; trial++) {
      // Up to 4 % more on both sides, as independent processes have it.
      const ratios = Array.from(
        { length: 9 },
        () => ratio * (1 + 0.04 * random()) / (1 + 0.04 * random()),
      );
      if (verdictOf(spreadOf(ratios)) === "SLOWER") slower++;
    }
    return slower / 2_000;
  };
  assertEquals(slowerOf(1), 0);
  assert(slowerOf(BOUND) < 0.04);
  assert(slowerOf(1.1) > 0.99);
});

Deno.test("each benchmark has a name of its own", () => {
  assertEquals(new Set(NAMES).size, NAMES.length);
});

Deno.test("lines are read whole, however they arrive", async () => {
  const bytes = new TextEncoder().encode('{"name":"ü"}\n\n{}\nrest');
  const stream = ReadableStream.from(
    Array.from(bytes, (byte) => Uint8Array.of(byte)),
  );
  assertEquals(await Array.fromAsync(linesOf(stream)), [
    '{"name":"ü"}',
    "",
    "{}",
  ]);
});

Deno.test("fewer than nine rounds are refused, and it says what is allowed", () => {
  // If it were not refused for its rounds, it would be for its filter: nothing is run.
  const filter = ["--filter", "no such"];
  for (const rounds of ["8", "0", "-9", "9.5", "many", "1000"]) {
    assertMatch(refusal(".", "--rounds", rounds, ...filter), /from 9 to 999/);
    assertMatch(refusal(".", `--rounds=${rounds}`, ...filter), /from 9 to 999/);
  }
  assertMatch(refusal(".", "--rounds"), /from 9 to 999/);
});

Deno.test("what can't be compared is refused before anything is built", () => {
  assertMatch(refusal(), /0 folders were given\nusage: .*bench:compare OLD/);
  assertMatch(refusal(".", "."), /2 folders were given/);
  assertMatch(refusal("tests"), /tests is no checkout .* no mod\.ts/);
  assertMatch(refusal(".", "--fast"), /unknown: --fast/);
  assertMatch(refusal(".", "--filter", "no such"), /name has "no such" in it/);
});

/** What the task says when it refuses. */
function refusal(...args: string[]): string {
  const { code, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "tasks/bench_compare.ts", ...args],
    cwd: ROOT,
    stdin: "null",
  }).outputSync();
  assertEquals(code, 2);
  return new TextDecoder().decode(stderr);
}

/** How likely fewer than `rank` of `count` fair coins show heads, or fewer than `rank` tails; by logarithms. */
function missProbability(count: number, rank: number): number {
  let probability = 0;
  for (let below = 0; below < rank; below++) {
    let logarithm = -count * Math.LN2;
    for (let index = 1; index <= below; index++) {
      logarithm += Math.log((count - below + index) / index);
    }
    probability += 2 * Math.exp(logarithm);
  }
  return probability;
}

/** Numbers from 0 to 1 that are the same in each run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
