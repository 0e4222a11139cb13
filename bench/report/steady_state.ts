/** Whether a program that allocates and frees beside many blocks that stay goes on as it began. */

const PROGRAM = `${import.meta.dirname}/beside_blocks.ts`;

/** The measured times, a number for each tenth of the pairs. */
export interface SteadyState {
  /** The time that a pair took. */
  readonly nanoseconds: number[];
  /** The process's resident memory at the tenth's end. */
  readonly residentBytes: number[];
}

/** Measure it in a process of its own, for it looks at the memory of the whole process. */
export function measureSteadyState(): SteadyState {
  const { success, code, stdout } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", PROGRAM],
    stdin: "null",
    stderr: "inherit",
  }).outputSync();
  if (!success) Deno.exit(code);
  return JSON.parse(new TextDecoder().decode(stdout));
}
