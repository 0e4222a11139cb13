/** What `deno bench` measured. */

const ROOT = new URL("../../", import.meta.url);

/** A benchmark's group and name. */
export type Bench = readonly [group: string, name: string];

/** The part of the output of `deno bench --json` that is read here. Times are in nanoseconds. */
interface Output {
  cpu: string;
  benches: {
    group: string | null;
    name: string;
    results: { ok?: { avg: number; min: number }; failed?: unknown }[];
  }[];
}

/** One run of all benchmarks. */
export class Results {
  /** The processor's model, as Deno reports it. */
  readonly cpu: string;
  #measured = new Map<string, { avg: number; min: number }>();

  /** Read the output of `deno bench --json`. */
  constructor(output: Output) {
    this.cpu = output.cpu;
    for (const { group, name, results: [result] } of output.benches) {
      if (result?.ok) this.#measured.set(`${group}: ${name}`, result.ok);
    }
  }

  /**
   * How long an iteration took, in nanoseconds, on average: the collector's work for many iterations falls on few, so
   * neither the median nor the fastest shows what they cost.
   *
   * @throws {Error} If there is no such benchmark, or it failed.
   */
  time(bench: Bench): number {
    return this.#result(bench).avg;
  }

  /**
   * How long the fastest iteration took, in nanoseconds: for what makes no garbage, and so only takes longer where the
   * machine does something else.
   *
   * @throws {Error} If there is no such benchmark, or it failed.
   */
  fastest(bench: Bench): number {
    return this.#result(bench).min;
  }

  #result([group, name]: Bench): { avg: number; min: number } {
    const result = this.#measured.get(`${group}: ${name}`);
    if (result !== undefined) return result;
    throw new Error(`There is no result of the benchmark "${group}: ${name}"`);
  }
}

/** Run all benchmarks in a process of their own. Ends this one where they fail. */
export async function runBenchmarks(): Promise<Results> {
  const { success, code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["bench", "--allow-all", "--no-check", "--json", "bench/"],
    cwd: ROOT,
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) Deno.exit(code);
  return new Results(JSON.parse(new TextDecoder().decode(stdout)));
}

/** The middle one of some numbers. */
export function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}
