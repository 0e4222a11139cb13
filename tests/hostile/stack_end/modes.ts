/** How JavaScript runs while the cases do. */

import type { Distances } from "./runner.ts";

/** One way to run JavaScript. */
export interface Mode {
  readonly v8Flags: readonly string[];
  /** Whether the operations are done many times before, so that V8 optimises them. */
  readonly isOptimised: boolean;
  readonly isInWorker: boolean;
  /** Added to each distance from the end of the stack, in bytes, so that the modes meet different ones. */
  readonly phase: number;
}

/** Frames of one size each time: those of V8's interpreter. */
const INTERPRETER = ["--no-opt", "--no-maglev", "--no-sparkplug"];

/** The modes by their names. */
export const MODES: Readonly<Record<string, Mode>> = {
  interpreted: {
    v8Flags: INTERPRETER,
    isOptimised: false,
    isInWorker: false,
    phase: 0,
  },
  optimised: {
    v8Flags: [],
    isOptimised: true,
    isInWorker: false,
    phase: 8,
  },
  "in a Worker": {
    v8Flags: INTERPRETER,
    isOptimised: false,
    isInWorker: true,
    phase: 16,
  },
};

/** A little beyond the end, for what measures the stack is called by other functions than the cases. */
const FROM = -512;

/** Beyond the stack that the library keeps for itself, 64 KiB, in bytes. */
const UNTIL = 100 * 1024;

/**
 * The distances of a mode. `ONEHEAP_STACK_STEP` is the step near the end of the stack in bytes, a multiple of 8; the step beyond is
 * sixteen times as large.
 */
export function distancesOf({ phase }: Mode): Distances {
  const fineStep = Number(Deno.env.get("ONEHEAP_STACK_STEP") ?? 120);
  return {
    from: FROM + phase,
    fineStep,
    fineUntil: 10 * 1024,
    coarseStep: 16 * fineStep,
    until: UNTIL,
  };
}
