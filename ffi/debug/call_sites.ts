/** Recording of call sites: Python's tools see the functions and lines of TypeScript. */

import { describe, requireOptions, requireSafeInteger } from "../checks.ts";
import { apply } from "../intrinsics.ts";
import { MAX_RECORDED_FRAMES } from "../limits.ts";
import { napi, symbols } from "../loading/native.ts";
import { type Caller, captureCallStack } from "./capture.ts";
import {
  type Traced,
  TRACED_FUNCTIONS,
  TRACED_SYMBOLS,
} from "./traced_functions.ts";

/**
 * Options of {@linkcode recordCallSites}.
 *
 * @example
 * ```ts
 * import { type CallSiteOptions, recordCallSites } from "@oneheap/oneheap/debug";
 *
 * const sampled: CallSiteOptions = { frames: 2, everyBytes: 512 * 1024 };
 * using _recording = recordCallSites(sampled);
 * ```
 */
export interface CallSiteOptions {
  /** How many frames are recorded of each call, from 1 to 128: the innermost ones. 4 by default; each costs some 6 µs a call. */
  frames?: number;
  /**
   * The mean distance between two recorded allocations of blocks and raw memory, in bytes allocated: each byte is as likely to be sampled as
   * any other. 0, which is the default, records all. Calls of Python code are recorded all the same, for what they allocate isn't known before.
   */
  everyBytes?: number;
}

/** A recording that hasn't ended. */
interface Recording {
  readonly frames: number;
  readonly everyBytes: number;
}

/** The recordings of this thread, the newest last. It is the one that says how much is recorded. */
const recordings: Recording[] = [];

/** The native functions as they were, while there are recordings. */
let restore: (() => void) | undefined;

/** How many bytes are allocated until the next sample. */
let untilSample = 0;

/**
 * Record who calls this library, until the recording is disposed: each native function that allocates, frees or runs Python code runs
 * within frames of Python that show the functions and lines of TypeScript, `await`ing ones too. So `tracemalloc`, memray, `faulthandler`,
 * cProfile, py-spy and debuggers show them, above Python's own; and a heap report has what was allocated where.
 *
 * It is for this thread; `ONEHEAP_CALL_SITES=4` records in the whole program, every Worker included, four frames each. A call takes some
 * 30 µs more with four frames. Where Python's debug hooks are on (`PYTHONMALLOC=debug`), what is freed is kept for a while, and who frees it
 * again or writes to it gets a report of where it was allocated and where it was freed.
 *
 * @returns The recording; `using` ends it. They nest, and may end in any order: the newest says how much is recorded.
 * @throws {RangeError} If `frames` is no whole number from 1 to 128, or `everyBytes` none from 0 on.
 *
 * @example
 * ```ts
 * import { alloc, python } from "@oneheap/oneheap";
 * import { recordCallSites } from "@oneheap/oneheap/debug";
 *
 * python.run("import tracemalloc; tracemalloc.start(4)");
 * using _recording = recordCallSites();
 * using block = alloc(Float64Array, 1_000);
 * const place = python.eval("tracemalloc.take_snapshot().statistics('lineno')[0].traceback[0].filename", {
 *   names: { tracemalloc: python.eval("__import__('tracemalloc')") },
 * });
 * python.run("import tracemalloc; tracemalloc.stop()");
 * console.log(typeof place, block.length); // string 1000
 * ```
 */
export function recordCallSites(options: CallSiteOptions = {}): Disposable {
  const { frames = 4, everyBytes = 0 } = requireOptions(options);
  const recording = {
    frames: requireFrames("frames", frames),
    everyBytes: requireSafeInteger("everyBytes", everyBytes),
  };
  const isSampling = everyBytes > 0 ? 1 : 0;
  begin(recording);
  napi.setRecording(isSampling, 1);
  let isDisposed = false;
  return {
    [Symbol.dispose](): void {
      if (isDisposed) return;
      isDisposed = true;
      end(recording);
      napi.setRecording(isSampling, 0);
    },
  };
}

/** Return a number of frames; throw a `RangeError` for what is none. */
export function requireFrames(name: string, frames: number): number {
  requireSafeInteger(name, frames);
  if (frames >= 1 && frames <= MAX_RECORDED_FRAMES) return frames;
  throw new RangeError(
    `The ${name} must be from 1 to ${MAX_RECORDED_FRAMES}; ${
      describe(frames)
    } was given`,
  );
}

/** How many frames are recorded on this thread; 0 while none are. */
export function recordedFrames(): number {
  return recordings.at(-1)?.frames ?? 0;
}

/** About every how many bytes an allocation is recorded on this thread; 0 where all are, or none. */
export function sampledBytes(): number {
  return recordings.at(-1)?.everyBytes ?? 0;
}

function begin(recording: Recording): void {
  recordings.push(recording);
  untilSample = nextSample(recording.everyBytes);
  if (restore !== undefined) return;
  const undo = [
    ...traceAll(symbols, TRACED_SYMBOLS),
    ...traceAll(napi, TRACED_FUNCTIONS),
  ];
  restore = () => undo.forEach((it) => it());
}

function end(recording: Recording): void {
  recordings.splice(recordings.indexOf(recording), 1);
  if (recordings.length > 0) return;
  restore?.();
  restore = undefined;
}

/** Put a tracing function in the place of each native one that is listed. Return what undoes it. */
function traceAll<Name extends string>(
  functions: { [_ in Name]?: unknown },
  traced: { readonly [_ in Name]?: Traced },
): (() => void)[] {
  return Object.entries<Traced | undefined>(traced).map(([key, how]) => {
    const name = key as Name;
    const original = functions[name] as Caller;
    functions[name] = how!.bytes || how!.frees
      ? traceMemory(original, how!)
      : traceCall(original, how!);
    return () => functions[name] = original;
  });
}

/** A function in place of one that runs Python code. */
function traceCall(original: Caller, traced: Traced) {
  return function (this: unknown, ...args: never[]): unknown {
    const stack = captureCallStack(recordedFrames(), traced);
    return napi.within(stack, 1, this, original, ...args);
  };
}

/** A function in place of one that allocates or frees memory. */
function traceMemory(original: Caller, traced: Traced) {
  return function (this: unknown, ...args: never[]): unknown {
    const { frames, everyBytes } = recordings.at(-1)!;
    let weight = 1;
    if (everyBytes > 0) {
      const size = traced.bytes?.(args) ?? 0;
      untilSample -= size;
      if (untilSample > 0 || size === 0) return apply(original, this, args);
      untilSample = nextSample(everyBytes);
      // It stands for as many as there are to each that is sampled.
      weight = 1 / -Math.expm1(-size / everyBytes);
    }
    const stack = captureCallStack(frames, traced);
    return traced.function === undefined
      ? napi.within(stack, weight, this, original, ...args)
      : napi.callWithin(stack, weight, traced.function, ...args);
  };
}

/**
 * Return how many bytes are allocated until the next sample. Samples are a Poisson process over the bytes, as in V8's and tcmalloc's
 * samplers: so a byte is as likely to be sampled as any other, whatever the sizes and their order are.
 */
function nextSample(everyBytes: number): number {
  return -Math.log1p(-Math.random()) * everyBytes;
}
