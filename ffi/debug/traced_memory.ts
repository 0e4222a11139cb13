/** What Python's `tracemalloc` has: the memory that is alive, by the stack that allocated it. */

import { napi } from "../loading/native.ts";
import type { PyObjectRef } from "../objects/py_object_ref.ts";
import { fromNative } from "../values/conversions.ts";

/** A frame of Python's: its file, its line, and its function, empty where that isn't known. */
export type TracedFrame = readonly [file: string, line: number, name: string];

/** What `tracemalloc` has. */
export interface TracedMemory {
  /** How many frames it keeps of each stack. */
  readonly limit: number;
  /** What was alive at the highest moment that was looked at, in bytes. */
  readonly peakBytes: number;
  /** Different frames. */
  readonly frames: readonly TracedFrame[];
  /** For each stack, the indices of its frames, the innermost first. Python's name for no frame is `<unknown>`, line 0. */
  readonly stacks: readonly (readonly number[])[];
  /** For each stack, the bytes and the number of allocations now, and those at that moment. */
  readonly amounts: readonly (readonly [
    bytes: number,
    count: number,
    peakBytes: number,
    peakCount: number,
  ])[];
}

/** Read what is traced; undefined where `tracemalloc` isn't started. */
export function readTracedMemory(): TracedMemory | undefined {
  using traced = fromNative(napi.readTraces()) as PyObjectRef | null;
  return traced?.toJs<TracedMemory>();
}
