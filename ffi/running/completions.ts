/** Runs on threads of their own, until their outcomes are taken: on this side, a number and a promise for each. */

import { PUMP_RETRY_MILLISECONDS } from "../limits.ts";
import {
  createObject,
  promiseWithResolvers,
  startTimer,
} from "../intrinsics.ts";
import { napi, symbols } from "../loading/native.ts";
import type { NativeResult } from "../boundary/node_api.ts";

/** A run on a thread of its own. */
export interface Run {
  /** What Rust knows it by. */
  readonly number: number;
  /** Resolves when there is an outcome, or an error. */
  readonly settled: Promise<void>;
  readonly settle: () => void;
  outcome: NativeResult | undefined;
  /** Why its outcome couldn't be taken. */
  failure: { readonly error: unknown } | undefined;
}

/**
 * The runs of this thread that have not settled, by their numbers. Without a prototype, an access runs no code of a program's, and
 * nothing but the end of V8's memory makes one fail.
 */
const runs: Record<number, Run | undefined> = createObject(null);

/** How many there are. */
let unsettled = 0;

let lastNumber = 0;

/** Where Rust puts the outcomes of runs; made for the first of them. */
let inbox: number | undefined;

/** Whether `deliver` goes on. */
let delivering = false;

/** The address of this thread's inbox. */
export function inboxAddress(): number {
  return inbox ??= napi.newCompletionQueue();
}

/** Makes a run that nobody knows of yet. */
export function newRun(): Run {
  let number = lastNumber;
  do number = (number + 1) >>> 0; while (runs[number] !== undefined);
  lastNumber = number;
  const { promise, resolve } = promiseWithResolvers<void>();
  return {
    number,
    settled: promise,
    settle: resolve,
    outcome: undefined,
    failure: undefined,
  };
}

/** Adds a run to those that are waited for. */
export function register(run: Run): void {
  runs[run.number] = run;
  unsettled++;
}

/** Removes a run from those that are waited for, if it is one. */
export function forget(run: Run): void {
  if (runs[run.number] !== run) return;
  delete runs[run.number];
  unsettled--;
}

/**
 * Has runs settle that are registered before the event loop goes on, and all later ones until there are none. A run calls this before
 * it begins, so that none begins that would not settle.
 */
export function startDelivery(): void {
  if (!delivering) deliver(inboxAddress());
}

/** Settles runs until there are none. One call of Deno's waits at a time, and keeps the event loop alive meanwhile. */
async function deliver(inbox: number): Promise<void> {
  delivering = true;
  try {
    await undefined;
    while (unsettled > 0) {
      await symbols.oneheap_wait(napi.waitHandle(inbox));
      settleEnded(inbox);
    }
    delivering = false;
  } catch {
    delivering = false;
    try {
      startTimer(startDelivery, PUMP_RETRY_MILLISECONDS);
    } catch {
      // The next run starts it again.
    }
  }
}

/** The run whose outcome was taken, until it is settled. */
let taken: Run | undefined;

/** Settles the runs that have ended. Interrupted at any place, it goes on there when it is called again. */
function settleEnded(inbox: number): void {
  for (;;) {
    if (taken !== undefined) {
      taken.settle();
      forget(taken);
      taken = undefined;
    }
    const number = napi.nextCompletion(inbox);
    if (number === undefined) return;
    const run = runs[number];
    try {
      const outcome = napi.takeResult(inbox);
      if (run !== undefined) run.outcome = outcome;
    } catch (error) {
      if (napi.nextCompletion(inbox) === number) throw error;
      if (run !== undefined) run.failure = { error };
    }
    taken = run;
  }
}
