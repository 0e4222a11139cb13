/** Python's memory by address, for code that manages it as C does. */

import { errorForStatus } from "../boundary/result.ts";
import { requireSafeInteger } from "../checks.ts";
import { symbols } from "../loading/native.ts";

/**
 * Allocation by address, as {@linkcode raw} offers it. Sizes are in bytes, addresses are numbers.
 *
 * @example
 * ```ts
 * import { type Raw, raw } from "@oneheap/oneheap";
 *
 * const allocateZeroes = (allocator: Raw, bytes: number) => allocator.calloc(1, bytes);
 * raw.free(allocateZeroes(raw, 256));
 * ```
 */
export interface Raw {
  /** Allocate `size` bytes, uninitialised, and return their address, a multiple of 16. */
  malloc(size: number): number;
  /** Allocate `count * size` bytes of zeroes and return their address, a multiple of 16. */
  calloc(count: number, size: number): number;
  /** Resize the memory at `address`, moving it if need be, and return its address; 0 allocates. */
  realloc(address: number, size: number): number;
  /**
   * Free the memory at `address`; 0 does nothing. On a thread that isn't attached, memory of up to 64 KiB, and memory that C code
   * allocated, is freed a little later; to free more, the thread attaches.
   */
  free(address: number): void;
}

/**
 * Plain `PyMem` memory by address, with C's freedom and C's dangers: nothing checks that an address is yours, and using
 * memory after `free`, or freeing it twice, corrupts the process. `alloc` is the safe way.
 *
 * An address from here is what `PyMem_Malloc` returned: C code that expects to `PyMem_Free` it may. Likewise `free` and
 * `realloc` take memory that C got from `PyMem_Malloc`, of 8 bytes or more. Every size is allowed, 0 too.
 *
 * The functions throw an `AllocationError` when memory is out (`realloc` leaves the old memory as it was), and
 * a `RangeError` for a size or address that is negative, fractional, NaN, or 2^53 and beyond.
 *
 * @example
 * ```ts
 * import { raw } from "@oneheap/oneheap";
 *
 * let address = raw.malloc(1_024);
 * address = raw.realloc(address, 4_096);
 * raw.free(address);
 * ```
 */
export const raw: Raw = Object.freeze({
  malloc(size: number): number {
    const address = symbols.oneheap_raw_malloc(
      requireSafeInteger("size", size),
    );
    if (address <= 0) throw errorForStatus(address, size);
    return address;
  },
  calloc(count: number, size: number): number {
    const address = symbols.oneheap_raw_calloc(
      requireSafeInteger("count", count),
      requireSafeInteger("size", size),
    );
    if (address <= 0) throw errorForStatus(address, count * size);
    return address;
  },
  realloc(address: number, size: number): number {
    const moved = symbols.oneheap_raw_realloc(
      requireSafeInteger("address", address),
      requireSafeInteger("size", size),
    );
    if (moved <= 0) throw errorForStatus(moved, size);
    return moved;
  },
  free(address: number): void {
    symbols.oneheap_raw_free(requireSafeInteger("address", address));
  },
});
