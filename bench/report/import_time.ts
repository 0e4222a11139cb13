/** How long a program takes that imports the library and allocates, beside what Python and Deno take to do nothing. */

import { median } from "./results.ts";

const PROGRAM = `${import.meta.dirname}/first_allocation.ts`;

/** How often each process is run. */
const ROUNDS = 21;

/** The medians of whole processes, in milliseconds. */
export interface ImportTime {
  /** A program that imports `mod.ts` and allocates. */
  readonly whole: number;
  /** `python3 -c pass`. */
  readonly python: number;
  /** `deno eval 0`. */
  readonly deno: number;
}

/** Measure the three alternately, so that what else the machine does meets all of them. */
export function measureImport(): ImportTime {
  const whole: number[] = [], python: number[] = [], deno: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    whole.push(run(Deno.execPath(), "run", "-A", "--no-check", PROGRAM));
    python.push(run("python3", "-c", "pass"));
    deno.push(run(Deno.execPath(), "eval", "0"));
  }
  return { whole: median(whole), python: median(python), deno: median(deno) };
}

function run(command: string, ...args: string[]): number {
  const start = performance.now();
  const { success } = new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "null",
  }).outputSync();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
  return performance.now() - start;
}
