/** All benchmarks that are run within a process. */

import type { Benchmark } from "./benchmark.ts";
import { LOSING } from "./losing.ts";
import { MEMORY } from "./memory.ts";
import { RUNNING } from "./running.ts";
import { SHARING } from "./sharing.ts";
import { THREADS } from "./threads.ts";

/** The benchmarks, in the order in which they are run and printed. */
export const BENCHMARKS: readonly Benchmark[] = [
  ...MEMORY,
  ...RUNNING,
  ...SHARING,
  ...LOSING,
  ...THREADS,
];
