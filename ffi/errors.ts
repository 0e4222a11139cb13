/** The errors of this library. Bad arguments are `RangeError` and `TypeError`, as everywhere. */

/**
 * Python's allocator did not give the memory. Nothing was changed: a block that was to be resized is as it was.
 *
 * @example
 * ```ts
 * import { alloc, AllocationError } from "@oneheap/oneheap";
 *
 * try {
 *   alloc(Uint8Array, 2 ** 50);
 * } catch (error) {
 *   if (!(error instanceof AllocationError)) throw error;
 *   console.log(error.requested); // 1125899906842624
 * }
 * ```
 */
export class AllocationError extends Error {
  /** How many bytes were asked for. */
  readonly requested: number;

  /** Makes the error for a request of `requested` bytes. */
  constructor(requested: number, reason: string) {
    super(`Cannot allocate ${requested} bytes: ${reason}`);
    this.name = "AllocationError";
    this.requested = requested;
  }
}

/**
 * A block was used, resized or freed after it was freed, or after its view's memory was transferred away.
 *
 * @example
 * ```ts
 * import { alloc, FreedError } from "@oneheap/oneheap";
 *
 * const block = alloc(Float64Array, 3);
 * block.free();
 * try {
 *   block.free();
 * } catch (error) {
 *   console.log(error instanceof FreedError); // true
 * }
 * ```
 */
export class FreedError extends Error {
  /** Makes the error with its message. */
  constructor(message: string) {
    super(message);
    this.name = "FreedError";
  }
}

/**
 * One place that was looked at, and why it was not taken.
 *
 * @example
 * ```ts
 * import type { Attempt } from "@oneheap/oneheap";
 *
 * const show = ({ subject, reason }: Attempt) => `${subject}: ${reason}`;
 * console.log(show({ subject: "python3", reason: "there is none" }));
 * ```
 */
export interface Attempt {
  /** The file, the command or the setting that was tried. */
  readonly subject: string;
  /** Why it could not be used. */
  readonly reason: string;
}

/**
 * Python or the Rust library could not be found or opened. Importing the module throws it; so do calls that come after
 * Python has ended.
 *
 * @example
 * ```ts
 * try {
 *   const { python } = await import("@oneheap/oneheap");
 *   console.log(python.version);
 * } catch (error) {
 *   console.error((error as Error).message); // says what was tried, and what to do
 * }
 * ```
 */
export class LibraryError extends Error {
  /** What was tried, in order, and why each was not taken. */
  readonly tried: readonly Attempt[];

  /** Makes the error; its message lists what was tried. */
  constructor(
    message: string,
    tried: readonly Attempt[] = [],
    cause?: unknown,
  ) {
    const lines = tried.map(({ subject, reason }) =>
      `\n  ${subject}: ${reason}`
    );
    super(
      message + lines.join(""),
      cause === undefined ? undefined : { cause },
    );
    this.name = "LibraryError";
    this.tried = Object.freeze([...tried]);
  }
}
