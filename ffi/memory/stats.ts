/** What the process has allocated. */

import { symbols } from "../loading/native.ts";

/**
 * Process-wide counts, over all threads, as {@linkcode stats} returns them.
 *
 * @example
 * ```ts
 * import { type Stats, stats } from "@oneheap/oneheap";
 *
 * const average = ({ bytes, blocks }: Stats) => blocks === 0 ? 0 : bytes / blocks;
 * console.log(average(stats()));
 * ```
 */
export interface Stats {
  /** Blocks alive, chunks of arenas among them, memory of `raw` not. A block ends when its last holder releases it. */
  blocks: number;
  /** Their size in bytes, as it was requested. */
  bytes: number;
  /** The most that `bytes` has ever been. */
  peakBytes: number;
  /** Blocks that ended without a `free`: lost ones that were collected, and those whose memory was transferred away. */
  reclaimed: number;
  /** Frees of Python's memory that a thread which was not attached left to one that is, ever. */
  deferred: number;
  /** Allocations of the Rust library that came from the system, since the thread was not attached, ever. */
  system: number;
  /** References to Python objects alive: every `PyObjectRef` that wasn't disposed, nor collected. */
  references: number;
  /** Buffers of Python objects that JavaScript holds: each `Borrowed` without a copy, as long as its memory is used. */
  borrows: number;
  /** Scopes alive: every `PythonScope` that wasn't disposed, nor collected. */
  scopes: number;
}

const COUNTS = new Float64Array(9);

/**
 * Count the blocks in this process, what JavaScript has of Python's objects, and how often the allocator took a slow path.
 *
 * @example
 * ```ts
 * import { alloc, stats } from "@oneheap/oneheap";
 *
 * const before = stats().bytes;
 * using block = alloc(Float64Array, 1_000);
 * console.log(stats().bytes - before); // 8000
 * ```
 */
export function stats(): Stats {
  symbols.oneheap_stats(COUNTS);
  return {
    blocks: COUNTS[0],
    bytes: COUNTS[1],
    peakBytes: COUNTS[2],
    reclaimed: COUNTS[3],
    deferred: COUNTS[4],
    system: COUNTS[5],
    references: COUNTS[6],
    borrows: COUNTS[7],
    scopes: COUNTS[8],
  };
}
