/**
 * `deno task fuzz`: runs the hostile fuzzer of `tests/model/fuzzer` for a while, and prints how many operations it ran.
 *
 * `--minutes N` (1), or `--operations N` or `--seeds N` instead; `--seed S` begins with that one, else with any; `--jobs N` runs as
 * many processes at a time; `--without KINDS` leaves out kinds of what is hostile, to narrow a failure down: stack, memory,
 * patches, hostile, decoration, callbacks, attachments, workers, surrogates; `--verbose` shows a seed's last operations.
 */

import { parseArgs } from "node:util";
import { fuzz } from "../tests/model/fuzzer/controller.ts";
import { cargo } from "./build.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string" },
    operations: { type: "string" },
    seeds: { type: "string" },
    seed: { type: "string" },
    jobs: { type: "string" },
    without: { type: "string" },
    verbose: { type: "boolean" },
  },
});

/** A number of the command line; undefined where it isn't passed. */
function number(
  name: "minutes" | "operations" | "seeds" | "seed" | "jobs",
): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} must be a number from 0 on; "${text}" was passed`);
  Deno.exit(2);
}

cargo(
  ...["build", "--release", "--quiet"],
  ...["--package", "oneheap-deno", "--package", "oneheap-stress"],
);
const operations = number("operations");
const seeds = number("seeds");
const isBounded = operations !== undefined || seeds !== undefined;
const seed = number("seed") ??
  crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000_000;
const begun = performance.now();
const fuzzed = await fuzz({
  seed,
  operations,
  seeds,
  minutes: number("minutes") ?? (isBounded ? undefined : 1),
  jobs: number("jobs") ?? Math.min(4, navigator.hardwareConcurrency),
  without: values.without,
  isVerbose: values.verbose,
});
const seconds = (performance.now() - begun) / 1_000;
console.log(
  `${fuzzed.operations} operations in ${fuzzed.seeds} seeds from ${seed} on, in ${
    seconds.toFixed(0)
  } s`,
);
if (fuzzed.failure !== undefined) {
  console.error(fuzzed.failure);
  Deno.exit(1);
}
