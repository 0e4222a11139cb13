/**
 * A program that measures proxies, the template, regions and exceptions beside what they stand for, and prints the times as JSON. What
 * `../report/fluent_figures.ts` shows.
 *
 * Both ways of a pair take turns, and the first decile of each counts, for what else the machine does only adds.
 */

import { py, type PyAny, type PyObjectRef, python } from "../../mod.ts";

/** The times of the two ways of a job, in nanoseconds. */
export interface Pair {
  readonly name: string;
  readonly ours: number;
  readonly other: number;
}

/** What the program prints. */
export interface Fluent {
  readonly pairs: readonly Pair[];
  /** How large the process was at most while so many objects of 100 KB were lost, in bytes. */
  readonly lost: { readonly count: number; readonly peak: number };
}

const ROUNDS = 60;
const LOST = 20_000;
const LOST_BYTES = 100_000;

/** Return how long one call takes, of so many. */
function timeOf(run: () => unknown, calls: number): number {
  const start = performance.now();
  for (let call = 0; call < calls; call++) run();
  return (performance.now() - start) * 1e6 / calls;
}

function measure(
  name: string,
  calls: number,
  ours: () => unknown,
  other: () => unknown,
): Pair {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    times[0].push(timeOf(ours, calls));
    times[1].push(timeOf(other, calls));
  }
  const [first, second] = times.map((it) =>
    it.sort((a, b) => a - b)[Math.floor(ROUNDS / 10)]
  );
  return { name, ours: first, other: second };
}

function isThere(module: string): boolean {
  return py`__import__("importlib.util").util.find_spec(${module}) is not None`;
}

/** A chain of three methods of NumPy's; where that isn't there, of `datetime`'s. */
function chain(): Pair {
  if (!isThere("numpy")) {
    const { date } = python.import("datetime");
    return measure(
      "date(2026, 1, 31).replace(2025).isocalendar()[1]",
      500,
      () => date(2026, 1, 31).replace(2025).isocalendar()[1],
      () => py`${date}(2026, 1, 31).replace(2025).isocalendar()[1]`,
    );
  }
  const numpy = python.import("numpy");
  const values = [1, 2, 3, 4, 5, 6];
  return measure(
    "np.array(x).reshape(2, 3).sum(1).max()",
    500,
    () => numpy.array(values).reshape(2, 3).sum(1).max(),
    () => py`${numpy}.array(${values}).reshape(2, 3).sum(1).max()`,
  );
}

function template(): Pair {
  const lambda = python.eval("lambda a, b: a + b") as PyObjectRef;
  return measure(
    "py with two values",
    5_000,
    () => py`${1} + ${2}`,
    () => lambda.call(1, 2),
  );
}

function attribute(): Pair {
  const proxy: PyAny = python.import("types").SimpleNamespace();
  proxy.x = 5;
  const reference = python.ref(proxy);
  return measure(
    "a proxy's attribute",
    5_000,
    () => proxy.x,
    () => reference.get("x"),
  );
}

/** A caught error here, and in Python, where as many are caught in one call. */
function caught(): Pair {
  using made = python.module(`
    def fail(): 1 / 0
    def catch(times):
        for _ in range(times):
            try: fail()
            except ZeroDivisionError: pass
  `);
  const fail = python.ref(made.fail);
  const { catch: catchMany } = made;
  const calls = 1_000;
  const pair = measure(
    "a thrown and caught PythonError",
    calls,
    () => {
      try {
        fail.call();
      } catch {
        // It was to be.
      }
    },
    () => {},
  );
  const rounds = Array.from(
    { length: ROUNDS },
    () => timeOf(() => catchMany(calls), 1) / calls,
  );
  return { ...pair, other: rounds.sort((a, b) => a - b)[ROUNDS / 10] };
}

function lost(): Fluent["lost"] {
  const { bytearray } = python.builtins;
  let peak = 0;
  for (let made = 0; made < LOST; made++) {
    bytearray(LOST_BYTES);
    if (made % 100 === 0) peak = Math.max(peak, Deno.memoryUsage().rss);
  }
  return { count: LOST, peak };
}

if (import.meta.main) {
  const pairs = [chain(), template(), attribute(), caught()];
  console.log(JSON.stringify({ pairs, lost: lost() } satisfies Fluent));
}
