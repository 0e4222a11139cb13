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
    results: { ok?: { avg: number }; failed?: unknown }[];
  }[];
}

/** One run of all benchmarks. */
export class Results {
  /** The processor's model, as Deno tells it. */
  readonly cpu: string;
  #times = new Map<string, number>();

  /** Reads the output of `deno bench --json`. */
  constructor(output: Output) {
    this.cpu = output.cpu;
    for (const { group, name, results: [result] } of output.benches) {
      if (result?.ok) this.#times.set(`${group}: ${name}`, result.ok.avg);
    }
  }

  /**
   * How long an iteration took, in nanoseconds, on average: the collector's work for many iterations falls on few, so
   * neither the median nor the fastest tells what they cost.
   *
   * @throws {Error} If there is no such benchmark, or it failed.
   */
  time([group, name]: Bench): number {
    const time = this.#times.get(`${group}: ${name}`);
    if (time !== undefined) return time;
    throw new Error(`There is no result of the benchmark "${group}: ${name}"`);
  }
}

/** Runs all benchmarks in a process of their own. Ends this one where they fail. */
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

/** The middle one of a benchmark's times over all runs, in nanoseconds. */
export function medianTime(runs: readonly Results[], bench: Bench): number {
  return median(runs.map((run) => run.time(bench)));
}
