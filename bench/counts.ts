/** How often the benchmarks do what takes only nanoseconds, for each iteration that is measured. */

/** Address pairs on the benchmark's own thread. */
export const PAIRS = 1_000;

/** Address pairs in a Worker: so many that the messages to it and back don't count. */
export const WORKER_PAIRS = 200_000;

/** Small typed arrays from an arena, and their like. */
export const SMALL_ARRAYS = 1_000;

/** Blocks in each of several Workers. */
export const WORKER_BLOCKS = 20_000;

/** Calls of Python code that does next to nothing. */
export const CALLS = 1_000;
