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
 * A block was to be resized while Python holds its memory. Nothing was changed.
 *
 * @example
 * ```ts
 * import { alloc, BorrowedError, python, PythonScope } from "@oneheap/oneheap";
 *
 * using block = alloc(Float64Array, 3);
 * using scope = new PythonScope();
 * python.run("array = memoryview(block)", { scope, names: { block } });
 * try {
 *   block.realloc(6);
 * } catch (error) {
 *   if (!(error instanceof BorrowedError)) throw error;
 *   console.log(error.holders); // 1
 * }
 * ```
 */
export class BorrowedError extends Error {
  /** How many Python objects hold the memory. */
  readonly holders: number;

  /** Makes the error for a block that `holders` Python objects hold. */
  constructor(holders: number) {
    const objects = holders === 1
      ? "1 Python object holds"
      : `${holders} Python objects hold`;
    super(
      `The block can't be resized while ${objects} its memory. Let go of it in Python (del, or dispose the scope) first`,
    );
    this.name = "BorrowedError";
    this.holders = holders;
  }
}

/**
 * Why a buffer of a Python object can't be shown as a typed array.
 *
 * @example
 * ```ts
 * import type { BufferRefusal } from "@oneheap/oneheap";
 *
 * const canBeCopied = (reason: BufferRefusal) => reason !== "format" && reason !== "element";
 * console.log(canBeCopied("strides")); // true
 * ```
 */
export type BufferRefusal =
  | "format"
  | "element"
  | "strides"
  | "readOnly"
  | "alignment";

/**
 * A Python object has a buffer, but no typed array can show it where it is.
 *
 * @example
 * ```ts
 * import { BufferError, python } from "@oneheap/oneheap";
 *
 * try {
 *   python.borrow("b'constant'");
 * } catch (error) {
 *   if (!(error instanceof BufferError)) throw error;
 *   console.log(error.reason, error.format, error.shape); // readOnly B [ 8 ]
 * }
 * ```
 */
export class BufferError extends Error {
  /** What is in the way. */
  readonly reason: BufferRefusal;
  /** The elements' format, in the words of Python's `struct`. */
  readonly format: string;
  /** How many elements there are in each dimension. */
  readonly shape: readonly number[];

  /** Makes the error with its message. */
  constructor(
    message: string,
    reason: BufferRefusal,
    format: string,
    shape: readonly number[],
  ) {
    super(message);
    this.name = "BufferError";
    this.reason = reason;
    this.format = format;
    this.shape = shape;
  }
}

/**
 * Python code raised an exception. The interpreter goes on, after `SystemExit` too.
 *
 * Its `stack` has the JavaScript frames and, after them, the Python traceback. Its `cause` is why the code was interrupted, if a
 * signal did that; else an error with the traceback as its message, for Deno shows of an uncaught error only message and cause.
 *
 * @example
 * ```ts
 * import { python, PythonError } from "@oneheap/oneheap";
 *
 * try {
 *   python.eval("1 / 0");
 * } catch (error) {
 *   if (!(error instanceof PythonError)) throw error;
 *   console.log(error.type, error.message); // ZeroDivisionError division by zero
 * }
 * ```
 */
export class PythonError extends Error {
  /** The name of the exception's type; with its module, unless that is `builtins` or `__main__`. */
  readonly type: string;
  /** Not a property of its own, for the console would print it twice. */
  readonly #traceback: string;

  /** Makes the error for an exception. */
  constructor(
    type: string,
    message: string,
    traceback: string,
    options?: ErrorOptions,
  ) {
    super(message, options ?? { cause: saidByPython(traceback) });
    this.name = "PythonError";
    this.type = type;
    this.#traceback = traceback;
    const stack = this.stack ?? "";
    const frames = stack.indexOf(
      "\n    at ",
      stack.indexOf(message) + message.length,
    );
    const said = message === "" ? type : `${type}: ${message}`;
    this.stack = `PythonError: ${said}${
      frames < 0 ? "" : stack.slice(frames)
    }\n\n${traceback.trimEnd()}`;
  }

  /** What Python prints of the exception, with its traceback. */
  get traceback(): string {
    return this.#traceback;
  }

  /** How the console shows it: the stack, which has all there is to say. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.stack ?? `${this}`;
  }
}

/** An error without frames that shows a traceback. */
function saidByPython(traceback: string): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = new Error(traceback.trimEnd());
  Error.stackTraceLimit = limit;
  error.name = "Python";
  return error;
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
