/** Runs a case at every distance from the end of the stack. */

import { alloc, python, stats } from "../../../mod.ts";
import { type Case, type Growth, nameOf, type Outcome } from "./case.ts";
import { expect, expectEqual } from "../../support/case_programs/expect.ts";
import { blocksInPython, isAttached } from "./python_state.ts";
import { type Ending, Stack } from "./stack.ts";

/** The distances at which a case is run, in bytes; multiples of 8. */
export interface Distances {
  /** The first distance; one below 0 is beyond the end. */
  readonly from: number;
  /** From one distance to the next, near the end of the stack. */
  readonly fineStep: number;
  /** Where that is. */
  readonly fineUntil: number;
  /** From one distance to the next beyond. */
  readonly coarseStep: number;
  /** The last distance: beyond what the library keeps for itself, so that the operation is done there. */
  readonly until: number;
}

/** The outcome of a case that holds. */
export interface Report {
  /** At how many distances the operation was done. */
  done: number;
  /** At how many it was refused. */
  refused: number;
}

/** So many times an operation is done before, if it is to be optimised. */
const WARM_UP = 3_000;

/** At so many of the farthest distances an operation has to be done. */
const FARTHEST = 8;

/** After so many distances the collector runs, and all is looked at again. */
const BATCH = 250;

/** So many blocks are allocated after a collection, to overwrite what was freed by mistake. */
const ALLOCATIONS = 1_000;

/** A promise that takes longer doesn't settle. */
const DEADLINE_MILLISECONDS = 10_000;

/** Python may have so many blocks more after a pass over all distances: caches of its own. */
const SLACK_BLOCKS = 100;

/**
 * So many passes are made until one adds fewer than {@linkcode SLACK_BLOCKS}.
 * What is leaked at each distance is added by every pass. What CPython keeps
 * for itself is added by the first ones: formatting 170 tracebacks ten times
 * keeps 2331, 115, 44, 27, 15, 4, 1, 1, 0 and 1 blocks in CPython 3.11.7.
 */
const MAX_PASSES = 6;

/** So many turns of the event loop are waited for memory to be freed. */
const MAX_TURNS = 20;

const NOTHING: Growth = { blocks: 0, bytes: 0 };

/** What one distance left to be looked at after a collection. */
interface Trial {
  distance: number;
  objects: unknown;
  outcome: Outcome;
}

/** Runs a case at all distances. Throws an error that names the distance where it doesn't hold. */
export async function runCase(
  it: Case<unknown>,
  distances: Distances,
  { warmUp = false } = {},
): Promise<Report> {
  const runner = new Runner(it);
  await runner.warmUp(warmUp ? WARM_UP : 20);
  return await runner.run(distances);
}

class Runner {
  #case: Case<unknown>;
  /** Measured where it is used, for the distances count from there. */
  #stack: Stack | undefined;
  #trials: Trial[] = [];
  #report: Report = { done: 0, refused: 0 };
  #stackTraceLimit = Error.stackTraceLimit;

  constructor(it: Case<unknown>) {
    this.#case = it;
  }

  /** Does the operation where there is stack enough. */
  async warmUp(times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      const objects = this.#case.prepare();
      const outcome = await outcomeOf(this.#case, this.#actAtTop(objects));
      await this.#case.check(objects, outcome);
      this.#case.finish?.(objects, outcome);
    }
    await collectAll();
  }

  /** Tries all distances, and again while Python has more memory after each pass. */
  async run(distances: Distances): Promise<Report> {
    await expectRunsSettle();
    const before = stats();
    let more = await this.#blocksMoreAfter(distances);
    for (let pass = 1; pass < MAX_PASSES && more > 0; pass++) {
      more = await this.#blocksMoreAfter(distances);
    }
    const { blocks, bytes } = stats();
    expectEqual(
      { blocks, bytes },
      { blocks: before.blocks, bytes: before.bytes },
      "stats() in the end",
    );
    expect(
      more === 0,
      `Python has as much memory as before; each of ${MAX_PASSES} passes adds blocks, the last one ${more}`,
    );
    return this.#report;
  }

  /** How many blocks of memory Python has more after trying all distances; 0 if there are few. */
  async #blocksMoreAfter(distances: Distances): Promise<number> {
    await collectAll();
    const before = blocksInPython();
    await this.#tryAll(distances);
    await expectRunsSettle();
    let more = Infinity;
    // What V8 collects, it frees some turns later.
    for (let turn = 0; turn < MAX_TURNS && more >= SLACK_BLOCKS; turn++) {
      await collectAll();
      more = blocksInPython() - before;
    }
    return more < SLACK_BLOCKS ? 0 : more;
  }

  async #tryAll(distances: Distances): Promise<void> {
    let last: { distance: number; done: boolean } | undefined;
    let farthestDone = 0;
    for (const distance of inSteps(distances)) {
      const done = await this.#tryAt(distance);
      if (done === undefined) continue;
      // What lies between two distances that differ is looked at more closely.
      if (last !== undefined && last.done !== done) {
        for (let at = last.distance + 8; at < distance; at += 8) {
          await this.#tryAt(at);
        }
      }
      last = { distance, done };
      farthestDone = done ? farthestDone + 1 : 0;
    }
    await this.#endBatch();
    expect(
      farthestDone >= FARTHEST,
      `it is done at each of the ${FARTHEST} distances farthest from the end of the stack`,
    );
  }

  /** Whether it was done; undefined where the stack ended before. */
  async #tryAt(distance: number): Promise<boolean | undefined> {
    if (this.#trials.length >= BATCH) await this.#endBatch();
    try {
      return await this.#tryOnce(distance);
    } catch (error) {
      throw atDistance(distance, error);
    }
  }

  async #tryOnce(distance: number): Promise<boolean | undefined> {
    const it = this.#case;
    const objects = it.prepare();
    const before = stats();
    this.#stack ??= new Stack();
    const ending = this.#stack.callAt(distance, it.act, objects);
    expectEqual(
      Error.stackTraceLimit,
      this.#stackTraceLimit,
      "Error.stackTraceLimit",
    );
    const outcome = await outcomeOf(it, ending);
    this.#expectCounts(before, outcome);
    expectEqual(
      isAttached(),
      it.isAttachedAfter?.(outcome) ?? false,
      "that this thread is attached",
    );
    await it.check(objects, outcome);
    this.#trials.push({ distance, objects, outcome });
    if (ending.kind === "unreached") return undefined;
    this.#report[outcome.done ? "done" : "refused"]++;
    return outcome.done;
  }

  #expectCounts(before: Growth, outcome: Outcome): void {
    const growth = outcome.done ? this.#case.growth ?? NOTHING : NOTHING;
    const { blocks, bytes } = stats();
    const grown = {
      blocks: blocks - before.blocks,
      bytes: bytes - before.bytes,
    };
    if (grown.blocks === growth.blocks && grown.bytes === growth.bytes) return;
    expectEqual(
      grown,
      { blocks: growth.blocks, bytes: growth.bytes },
      `what ${outcome.done ? "was" : "wasn't"} done to stats()`,
    );
  }

  /** Looks at all trials again after a collection, and ends them. */
  async #endBatch(): Promise<void> {
    await collectAll();
    allocateMuch();
    const trials = this.#trials;
    this.#trials = [];
    for (const { distance, objects, outcome } of trials) {
      try {
        await this.#case.check(objects, outcome);
        this.#case.finish?.(objects, outcome);
      } catch (error) {
        throw atDistance(distance, error, ", after a collection");
      }
    }
  }

  #actAtTop(objects: unknown): Ending {
    try {
      return { kind: "returned", value: this.#case.act(objects) };
    } catch (error) {
      return { kind: "threw", error };
    }
  }
}

function* inSteps(
  { from, fineStep, fineUntil, coarseStep, until }: Distances,
): Generator<number> {
  let distance = from;
  for (; distance < fineUntil; distance += fineStep) yield distance;
  for (; distance <= until; distance += coarseStep) yield distance;
}

/** What an ending means for the case; a promise is awaited. */
async function outcomeOf(
  it: Case<unknown>,
  ending: Ending,
): Promise<Outcome> {
  const settled = ending.kind === "returned" && ending.value instanceof Promise
    ? await settle(ending.value)
    : ending;
  switch (settled.kind) {
    case "unreached":
      return { done: false };
    case "threw":
      return outcomeOfError(it, settled.error);
    case "returned":
      if (it.throws === undefined) return { done: true, value: settled.value };
      throw new Error(`nothing was thrown; a ${it.throws.name} was expected`);
  }
}

function outcomeOfError(it: Case<unknown>, error: unknown): Outcome {
  if (isStackEnd(error)) return { done: false };
  if (it.throws !== undefined && error instanceof it.throws) {
    return { done: true, value: error };
  }
  throw new Error(`${nameOf(it)} threw ${error}`, { cause: error });
}

/** Whether the error says that there isn't stack enough. */
function isStackEnd(error: unknown): boolean {
  return error instanceof RangeError && /\bstack\b/.test(error.message);
}

async function settle(promise: Promise<unknown>): Promise<Ending> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const deadline = setTimeout(
    () => reject(new Error("the promise doesn't settle")),
    DEADLINE_MILLISECONDS,
  );
  try {
    return { kind: "returned", value: await Promise.race([promise, late]) };
  } catch (error) {
    return { kind: "threw", error };
  } finally {
    clearTimeout(deadline);
  }
}

/** Fails unless a run on a thread of its own begins and ends. */
async function expectRunsSettle(): Promise<void> {
  const ending = await settle(python.evalAsync("6 * 7"));
  expectEqual(ending, { kind: "returned", value: 42 }, "a run afterwards");
}

function atDistance(distance: number, error: unknown, when = ""): Error {
  const { message } = error as Error;
  return new Error(
    `${distance} bytes from the end of the stack${when}: ${message}`,
    { cause: error },
  );
}

function collectGarbage(): void {
  (globalThis as unknown as { gc(): void }).gc();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function collectAll(): Promise<void> {
  collectGarbage();
  await nextTurn();
}

/** Allocates and frees blocks, with views and without, all of them written. */
function allocateMuch(): void {
  const blocks = Array.from(
    { length: ALLOCATIONS },
    (_, index) => alloc(Uint8Array, index % 300),
  );
  for (const block of blocks) block.view.fill(0xee);
  for (const block of blocks) block.free();
}
