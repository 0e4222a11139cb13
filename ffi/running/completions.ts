/** Runs on threads of their own, until their results are taken: on this side, a number and a promise for each. */

import type { NativeResult } from "../boundary/node_api.ts";
import {
  createObject,
  promiseWithResolvers,
  startTimer,
} from "../intrinsics.ts";
import { PUMP_RETRY_MILLISECONDS } from "../limits.ts";
import { napi, symbols } from "../loading/native.ts";
import { tracker } from "../tracker.ts";

/** A run on a thread of its own. */
export interface Run {
  /** By which Rust has it in the completion queue. */
  readonly number: number;
  /** Resolves when there is an result, or an error. */
  readonly settled: Promise<void>;
  readonly settle: () => void;
  result: NativeResult | undefined;
  /** Why its result couldn't be taken. */
  failure: { readonly error: unknown } | undefined;
}

/**
 * The runs of this thread that have not settled, by their numbers. Without a prototype, an access runs no code of a program's, and
 * nothing but the end of V8's memory makes one fail.
 */
const runs: Record<number, Run | undefined> = createObject(null);

/** How many there are. */
let pending = 0;

let lastNumber = 0;

/** Where Rust puts the outcomes of runs; made for the first of them. */
let queue: number | undefined;

/** Whether `pump` goes on. */
let pumping = false;

/** The address of this thread's queue. */
export function queueAddress(): number {
  return queue ??= napi.newCompletionQueue();
}

/** Make a run that nobody knows of yet. */
export function newRun(): Run {
  let number = lastNumber;
  do number = (number + 1) >>> 0; while (runs[number] !== undefined);
  lastNumber = number;
  const { promise, resolve } = promiseWithResolvers<void>();
  return {
    number,
    settled: promise,
    settle: resolve,
    result: undefined,
    failure: undefined,
  };
}

/** Add a run to those that are waited for. */
export function add(run: Run): void {
  runs[run.number] = run;
  pending++;
  if (tracker !== undefined) tracker.began(run, "run", 0);
}

/** Remove a run from those that are waited for, if it is one. */
export function remove(run: Run): void {
  if (runs[run.number] !== run) return;
  delete runs[run.number];
  pending--;
  if (tracker !== undefined) tracker.ended(run);
}

/**
 * Have runs settle that are registered before the event loop goes on, and all later ones until there are none. A run calls this before
 * it begins, so that none begins that would not settle.
 */
export function startPump(): void {
  if (!pumping) pump(queueAddress());
}

/** Settle runs until there are none. One call of Deno's waits at a time, and keeps the event loop alive meanwhile. */
async function pump(queue: number): Promise<void> {
  pumping = true;
  try {
    await undefined;
    while (pending > 0) {
      await symbols.oneheap_wait(napi.waitHandle(queue));
      settleCompleted(queue);
    }
    pumping = false;
  } catch {
    pumping = false;
    try {
      startTimer(startPump, PUMP_RETRY_MILLISECONDS);
    } catch {
      // The next run starts it again.
    }
  }
}

/** The run whose result was taken, until it is settled. */
let taken: Run | undefined;

/** Settle the runs that have ended. Interrupted at any place, it goes on there when it is called again. */
function settleCompleted(queue: number): void {
  for (;;) {
    if (taken !== undefined) {
      taken.settle();
      remove(taken);
      taken = undefined;
    }
    const number = napi.nextCompletion(queue);
    if (number === undefined) return;
    const run = runs[number];
    try {
      const result = napi.takeResult(queue);
      if (run !== undefined) run.result = result;
    } catch (error) {
      if (napi.nextCompletion(queue) === number) throw error;
      if (run !== undefined) run.failure = { error };
    }
    taken = run;
  }
}
