/** The errors of this library. Bad arguments are `RangeError` and `TypeError`, as everywhere. */

/** Python's allocator did not give the memory. Nothing was changed: a block that was to be resized is as it was. */
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

/** A block was used, resized or freed after it was freed, or after its view's memory was transferred away. */
export class FreedError extends Error {
  /** Makes the error with its message. */
  constructor(message: string) {
    super(message);
    this.name = "FreedError";
  }
}

/** One place that was looked at, and why it was not taken. */
export interface Attempt {
  /** The file, the command or the setting that was tried. */
  readonly subject: string;
  /** Why it could not be used. */
  readonly reason: string;
}

/** Python or the Rust library could not be found or opened. */
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
