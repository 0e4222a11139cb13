/** The rounds of a comparison. */

import { BATCH } from "./benchmark.ts";
import { BENCHMARKS } from "./benchmarks.ts";
import type { Reply } from "./messages.ts";
import type { Layout, Pair, Surroundings } from "./layout.ts";
import { MeasuredProcess, timeProgram } from "./process.ts";
import { spreadOf, verdictOf } from "./statistics.ts";

/** How long a benchmark runs in a process before it is measured, in milliseconds. */
const WARM_UP = 25;

/** How long it is measured at each of a round's turns, in milliseconds, and in how many batches at least. */
const TURN_MILLISECONDS = 6;
const MIN_BATCHES = 3;

/** How many processes of each checkout make a round. The fastest counts: a bad layout of its memory slows some. */
const PROCESSES = 2;

/** How often each whole program is run in a round for each process, by each side. */
const PROGRAM_RUNS = 3;

/** Programs that are measured as a whole, from the process's start to its end. */
const PROGRAMS = [
  { name: "process: import to first allocation", file: "first_allocation.ts" },
  { name: "process: import, run and evalAsync", file: "first_run.ts" },
];

/** The names of everything that is compared. */
export const NAMES: readonly string[] = [...BENCHMARKS, ...PROGRAMS].map((
  { name },
) => name);

/** Compares two checkouts in rounds, and keeps what each round measured. */
export class Comparison {
  /** Why a benchmark isn't compared: the error that it had on the old checkout, while the new one runs it. */
  readonly onlyNew = new Map<string, string>();
  /** Errors of benchmarks on the new checkout. */
  readonly failed = new Map<string, string>();
  /** What was measured, in nanoseconds: a pair for each round. */
  readonly measured = new Map<string, Pair<number>[]>();
  #layout: Layout;
  #sizes = new Map<string, { batches: number; times: number }>();
  #turns = 0;

  /** Make a comparison without rounds of the checkouts of a layout. */
  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** The benchmarks among `names` that are slower for sure, as far as is measured. */
  slower(names: readonly string[]): string[] {
    return names.filter((name) => {
      const pairs = this.measured.get(name);
      return pairs !== undefined &&
        verdictOf(spreadOf(ratiosOf(pairs))) === "SLOWER";
    });
  }

  /** Run one round of these benchmarks. */
  async round(names: readonly string[]): Promise<void> {
    const times = new Map<string, Pair<number[]>>();
    for (let process = 0; process < PROCESSES; process++) {
      const surroundings = this.#layout.next();
      await this.#measureBenchmarks(surroundings, names, times);
      await this.#measurePrograms(surroundings, names, times);
    }
    for (const [name, [old, fresh]] of times) {
      const pairs = this.measured.get(name) ?? [];
      this.measured.set(name, pairs);
      pairs.push([Math.min(...old), Math.min(...fresh)]);
    }
  }

  /** Measure in a process for each checkout. */
  async #measureBenchmarks(
    surroundings: Pair<Surroundings>,
    names: readonly string[],
    times: Map<string, Pair<number[]>>,
  ): Promise<void> {
    const benchmarks = BENCHMARKS.filter(({ name }) =>
      names.includes(name) && !this.onlyNew.has(name) && !this.failed.has(name)
    );
    if (benchmarks.length === 0) return;
    await using old = new MeasuredProcess(surroundings[0]);
    await using fresh = new MeasuredProcess(surroundings[1]);
    for (const { name, batch = BATCH } of benchmarks) {
      try {
        const replies = await this.#measure([old, fresh], name, batch);
        if (this.#fails(name, replies)) {
          times.delete(name);
          continue;
        }
        add(times, name, [replies[0].map(timeOf), replies[1].map(timeOf)]);
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}`);
      }
    }
  }

  async #measure(
    processes: Pair<MeasuredProcess>,
    name: string,
    batch: number,
  ): Promise<Pair<Reply[]>> {
    const prepare = { ask: "prepare", name, warmUp: WARM_UP } as const;
    let replies = await this.#inTurns(
      1,
      (side) => processes[side].ask(prepare),
    );
    if (replies.every((them) => errorOf(them) === undefined)) {
      // The same on both sides and in all rounds, as the new one's first process has it.
      const size = this.#sizes.get(name) ??
        sizeFor(timeOf(replies[1][0]), batch);
      this.#sizes.set(name, size);
      const measure = { ask: "measure", ...size } as const;
      replies = await this.#inTurns(2, (side) => processes[side].ask(measure));
    }
    for (const process of processes) await process.ask({ ask: "finish" });
    return replies;
  }

  async #measurePrograms(
    surroundings: Pair<Surroundings>,
    names: readonly string[],
    times: Map<string, Pair<number[]>>,
  ): Promise<void> {
    for (const { name, file } of PROGRAMS) {
      if (!names.includes(name)) continue;
      const run = (side: 0 | 1) => timeProgram(file, surroundings[side]);
      add(times, name, await this.#inTurns(PROGRAM_RUNS, run));
    }
  }

  #fails(name: string, [old, fresh]: Pair<Reply[]>): boolean {
    const oldError = errorOf(old);
    const error = errorOf(fresh);
    if ((error ?? oldError) === undefined) return false;
    if (error !== undefined) this.failed.set(name, error);
    else this.onlyNew.set(name, oldError!);
    this.measured.delete(name);
    return true;
  }

  /** Have both sides do something so many times by turns, as old, new, new, old: what drifts meets both alike. */
  async #inTurns<T>(
    times: number,
    act: (side: 0 | 1) => Promise<T>,
  ): Promise<Pair<T[]>> {
    const results: [T[], T[]] = [[], []];
    for (let turn = 0; turn < times; turn++) {
      const first = this.#turns++ % 2 as 0 | 1;
      for (const side of [first, 1 - first as 0 | 1]) {
        results[side].push(await act(side));
      }
    }
    return results;
  }
}

/** Add what was measured in one pair of processes. */
function add(
  times: Map<string, Pair<number[]>>,
  name: string,
  [old, fresh]: Pair<number[]>,
): void {
  const [allOld, allFresh] = times.get(name) ?? [[], []];
  times.set(name, [[...allOld, ...old], [...allFresh, ...fresh]]);
}

/** New to old, for each round. */
export function ratiosOf(pairs: readonly Pair<number>[]): number[] {
  return pairs.map(([old, fresh]) => fresh / old);
}

/** Return how many batches make a turn, and how many iterations a batch of `batch` milliseconds. */
function sizeFor(
  nanoseconds: number,
  batch: number,
): { batches: number; times: number } {
  const times = Math.max(1, Math.round(batch * 1e6 / nanoseconds));
  const milliseconds = times * nanoseconds / 1e6;
  const batches = Math.max(
    MIN_BATCHES,
    Math.round(TURN_MILLISECONDS / milliseconds),
  );
  return { batches, times };
}

function errorOf(replies: Reply[]): string | undefined {
  return replies.map((it) => "error" in it ? it.error : undefined)
    .find((it) => it !== undefined);
}

function timeOf(reply: Reply): number {
  return "nanoseconds" in reply ? reply.nanoseconds : NaN;
}
