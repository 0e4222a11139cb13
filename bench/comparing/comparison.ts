/** The rounds of a comparison. */

import { BATCH } from "./benchmark.ts";
import { BENCHMARKS } from "./benchmarks.ts";
import type { Answer } from "./messages.ts";
import { MeasuredProcess, timeProgram } from "./process.ts";
import { spreadOf, verdictOf } from "./statistics.ts";

/** How long a benchmark runs in a process before it is measured, in milliseconds. */
const WARM_UP = 40;

/** How long it is measured at each of a round's turns, in milliseconds, and in how many batches at least. */
const TURN = 15;
const LEAST_BATCHES = 3;

/** How often each whole program is run in a round, by each side. */
const PROGRAM_RUNS = 4;

/** Programs that are measured as a whole, from the process's start to its end. */
const PROGRAMS = [
  { name: "process: import to first allocation", file: "first_allocation.ts" },
  { name: "process: import, run and evalAsync", file: "first_run.ts" },
];

/** The names of everything that is compared. */
export const NAMES: readonly string[] = [...BENCHMARKS, ...PROGRAMS].map((
  { name },
) => name);

/** The URLs of both checkouts' `mod.ts`. */
export interface Checkouts {
  readonly old: string;
  readonly new: string;
}

/** A pair of anything, the old one's first. */
type Pair<T> = [old: T, new: T];

/** Compares two checkouts in rounds, and keeps what each round measured. */
export class Comparison {
  /** Why a benchmark isn't compared: the error that it had on the old checkout, while the new one runs it. */
  readonly onlyNew = new Map<string, string>();
  /** Errors of benchmarks on the new checkout. */
  readonly failed = new Map<string, string>();
  /** What was measured, in nanoseconds: a pair for each round. */
  readonly measured = new Map<string, Pair<number>[]>();
  #checkouts: Pair<string>;
  #sizes = new Map<string, { batches: number; times: number }>();
  #turns = 0;

  /** Makes a comparison without rounds. */
  constructor(checkouts: Checkouts) {
    this.#checkouts = [checkouts.old, checkouts.new];
  }

  /** The benchmarks among `names` that are slower for sure, as far as is measured. */
  slower(names: readonly string[]): string[] {
    return names.filter((name) => {
      const pairs = this.measured.get(name);
      return pairs !== undefined &&
        verdictOf(spreadOf(ratiosOf(pairs))) === "SLOWER";
    });
  }

  /** Runs one round of these benchmarks: new processes, for their memory's layout differs from process to process. */
  async round(names: readonly string[]): Promise<void> {
    const some = (name: string) =>
      names.includes(name) && !this.onlyNew.has(name) && !this.failed.has(name);
    const benchmarks = BENCHMARKS.filter(({ name }) => some(name));
    if (benchmarks.length > 0) {
      await using old = new MeasuredProcess(this.#checkouts[0]);
      await using fresh = new MeasuredProcess(this.#checkouts[1]);
      for (const { name, batch } of benchmarks) {
        await this.#compare([old, fresh], name, batch ?? BATCH);
      }
    }
    for (const { name, file } of PROGRAMS) {
      if (some(name)) await this.#comparePrograms(name, file);
    }
  }

  async #compare(
    processes: Pair<MeasuredProcess>,
    name: string,
    batch: number,
  ): Promise<void> {
    try {
      const prepared = await this.#inTurns(
        1,
        (side) =>
          processes[side].ask({ ask: "prepare", name, warmUp: WARM_UP }),
      );
      if (this.#fails(name, prepared)) return;
      // The same on both sides and in all rounds, as the new one's first round has it.
      let size = this.#sizes.get(name);
      if (size === undefined) {
        size = sizeFor(timeOf(prepared[1][0]), batch);
        this.#sizes.set(name, size);
      }
      const question = { ask: "measure", ...size } as const;
      const answers = await this.#inTurns(
        2,
        (side) => processes[side].ask(question),
      );
      if (this.#fails(name, answers)) return;
      this.#keep(name, answers.map((them) => them.map(timeOf)));
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`);
    } finally {
      await Promise.all(processes.map((it) => it.ask({ ask: "finish" })));
    }
  }

  async #comparePrograms(name: string, file: string): Promise<void> {
    this.#keep(
      name,
      await this.#inTurns(
        PROGRAM_RUNS,
        (side) => timeProgram(file, this.#checkouts[side]),
      ),
    );
  }

  #fails(name: string, [old, fresh]: Answer[][]): boolean {
    const oldError = errorOf(old);
    const error = errorOf(fresh);
    if (error !== undefined) this.failed.set(name, error);
    else if (oldError !== undefined) this.onlyNew.set(name, oldError);
    return (error ?? oldError) !== undefined;
  }

  #keep(name: string, [old, fresh]: number[][]): void {
    const pairs = this.measured.get(name) ?? [];
    this.measured.set(name, pairs);
    pairs.push([Math.min(...old), Math.min(...fresh)]);
  }

  /** Has both sides do something so many times by turns, as old, new, new, old: what drifts meets both alike. */
  async #inTurns<T>(
    times: number,
    act: (side: 0 | 1) => Promise<T>,
  ): Promise<Pair<T[]>> {
    const results: Pair<T[]> = [[], []];
    for (let turn = 0; turn < times; turn++) {
      const first = this.#turns++ % 2 as 0 | 1;
      for (const side of [first, 1 - first as 0 | 1]) {
        results[side].push(await act(side));
      }
    }
    return results;
  }
}

/** New to old, for each round. */
export function ratiosOf(pairs: readonly Pair<number>[]): number[] {
  return pairs.map(([old, fresh]) => fresh / old);
}

/** How many batches make a turn, and how many iterations a batch of `batch` milliseconds. */
function sizeFor(
  nanoseconds: number,
  batch: number,
): { batches: number; times: number } {
  const times = Math.max(1, Math.round(batch * 1e6 / nanoseconds));
  const milliseconds = times * nanoseconds / 1e6;
  const batches = Math.max(LEAST_BATCHES, Math.round(TURN / milliseconds));
  return { batches, times };
}

function errorOf(answers: Answer[]): string | undefined {
  return answers.map((it) => "error" in it ? it.error : undefined)
    .find((it) => it !== undefined);
}

function timeOf(answer: Answer): number {
  return "nanoseconds" in answer ? answer.nanoseconds : NaN;
}
