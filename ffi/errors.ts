/**
 * The errors of this library. Bad arguments are `RangeError` and `TypeError`, as everywhere. Fields are defined, not assigned: that
 * works where `Error.prototype` is frozen or has setters.
 */

import { apply, isStackEnd } from "./intrinsics.ts";
import { MAX_SHOWN_UNITS } from "./limits.ts";

// What `PythonError` needs of JavaScript's own, before user code can change it: an exception must not be lost to that.
const NativeError = Error;
const { defineProperty } = Reflect;
const { indexOf, slice, trimEnd } = String.prototype;
const { captureStackTrace } = Error;

/** V8's getter of `stack`, which formats the frames when it is read. Older versions have a value in its place. */
const nativeStack = Object.getOwnPropertyDescriptor(new Error(), "stack")?.get;

/**
 * Python's allocator is out of memory. Nothing was changed: a block that was to be resized is as it was.
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
  /** The name of the class. */
  override readonly name = "AllocationError";
  /** How many bytes were requested. */
  readonly requested: number;

  /** Make the error for a request of `requested` bytes. */
  constructor(requested: number, reason: string) {
    super(`Cannot allocate ${requested} bytes: ${reason}`);
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
  /** The name of the class. */
  override readonly name = "FreedError";
  /** Make the error with its message. */
  constructor(message: string) {
    super(message);
  }
}

/**
 * A block was to be resized while Python holds its memory. Nothing was changed.
 *
 * @example
 * ```ts
 * import { alloc, BlockInUseError, python, PythonScope } from "@oneheap/oneheap";
 *
 * using block = alloc(Float64Array, 3);
 * using scope = new PythonScope();
 * python.run("array = memoryview(block)", { scope, names: { block } });
 * try {
 *   block.realloc(6);
 * } catch (error) {
 *   if (!(error instanceof BlockInUseError)) throw error;
 *   console.log(error.holders); // 1
 * }
 * ```
 */
export class BlockInUseError extends Error {
  /** The name of the class. */
  override readonly name = "BlockInUseError";
  /** How many Python objects hold the memory. */
  readonly holders: number;

  /** Make the error for a block that `holders` Python objects hold. */
  constructor(holders: number) {
    const objects = holders === 1
      ? "1 Python object holds"
      : `${holders} Python objects hold`;
    super(
      `The block can't be resized while ${objects} its memory. Delete it in Python, dispose its scope or the PyObjectRef to it, or await the run that uses it`,
    );
    this.holders = holders;
  }
}

/**
 * Why a value can't be converted.
 *
 * @example
 * ```ts
 * import type { ConversionReason } from "@oneheap/oneheap";
 *
 * const isOfData = (reason: ConversionReason) => reason !== "changed";
 * console.log(isOfData("cycle")); // true
 * ```
 */
export type ConversionReason =
  | "type"
  | "cycle"
  | "depth"
  | "key"
  | "range"
  | "changed";

/**
 * A value has no counterpart in the other language. Nothing was changed, and nothing of it crossed.
 *
 * @example
 * ```ts
 * import { ConversionError, PyObjectRef, python } from "@oneheap/oneheap";
 *
 * using print = python.eval("print") as PyObjectRef;
 * try {
 *   print.call({ rows: [1, { price: Symbol("price") }] });
 * } catch (error) {
 *   if (!(error instanceof ConversionError)) throw error;
 *   console.log(error.path, error.reason); // $.rows[1].price type
 * }
 * ```
 */
export class ConversionError extends TypeError {
  /** The name of the class. */
  override readonly name = "ConversionError";
  /** Where in the value it is: `$.rows[3].price`. */
  readonly path: string;
  /**
   * Why: values of its type have no counterpart, it contains itself, it is nested too deep, a key isn't possible, it is out of the
   * other language's range, or it changed while it was read.
   */
  readonly reason: ConversionReason;

  /** Make the error for what is at the path; `what` says what is there, and what to do. */
  constructor(path: string, reason: ConversionReason, what: string) {
    super(`${path}: ${what}`);
    this.path = path;
    this.reason = reason;
  }
}

/**
 * Why a buffer of a Python object can't be shown as a typed array.
 *
 * @example
 * ```ts
 * import type { BufferErrorReason } from "@oneheap/oneheap";
 *
 * const canBeCopied = (reason: BufferErrorReason) => reason !== "format" && reason !== "element";
 * console.log(canBeCopied("strides")); // true
 * ```
 */
export type BufferErrorReason =
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
  /** The name of the class. */
  override readonly name = "BufferError";
  /** What is in the way. */
  readonly reason: BufferErrorReason;
  /** The elements' format, in the syntax of Python's `struct`. */
  readonly format: string;
  /** How many elements there are in each dimension. */
  readonly shape: readonly number[];

  /** Make the error with its message. */
  constructor(
    message: string,
    reason: BufferErrorReason,
    format: string,
    shape: readonly number[],
  ) {
    super(message);
    this.reason = reason;
    this.format = format;
    this.shape = shape;
  }
}

/** A traceback that is formatted when it is read. */
export class LazyTraceback {
  readonly #format: () => string | undefined;
  readonly #release: () => void;

  /**
   * Make one.
   *
   * @param format Returns the traceback; undefined if Python can't be attached to now.
   * @param release Frees what the traceback is formatted of.
   */
  constructor(format: () => string | undefined, release: () => void) {
    this.#format = format;
    this.#release = release;
  }

  /** Return whether a value is one. */
  static is(value: object): value is LazyTraceback {
    return #format in value;
  }

  /** Return the traceback; undefined if Python can't be attached to now. */
  format(): string | undefined {
    return (0, this.#format)();
  }

  /** Free what the traceback is formatted of. */
  release(): void {
    (0, this.#release)();
  }
}

/** The property `stack` of each `PythonError`; one for all, so that they have one shape. */
let stackAccessor: PropertyDescriptor;

/**
 * Python code raised an exception. The interpreter goes on, after `SystemExit` too.
 *
 * Its `stack` has the JavaScript frames and, after them, the Python traceback. Its `cause` is why the code was interrupted, if a
 * signal did that; else an error with the traceback as its message, for Deno shows of an uncaught error only message and cause.
 *
 * The `message` is whole; where no string can hold it, it is shortened and says by how much. The traceback is formatted when it is
 * read first. Of messages and notes with more than 65,536 characters, `traceback` and `stack` show the beginning; of each exception
 * the last 1000 entries, where repeated lines count as three.
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
  /** The name of the class. */
  override readonly name = "PythonError";
  /** The name of the exception's type; with its module, unless that is `builtins`, `__main__` or a scope that was given no name. */
  readonly type: string;
  /** The traceback, or what formats it. */
  #traceback: string | LazyTraceback;
  /** Whether the cause is the traceback. */
  readonly #isCausedByTraceback: boolean;
  #cause: Error | undefined;
  #stack: string | undefined;
  /** The JavaScript frames, where they couldn't be left to be formatted later. */
  readonly #frames: string | undefined;

  /** Make the error for an exception. */
  constructor(
    type: string,
    message: string,
    traceback: string,
    options?: ErrorOptions,
  ) {
    const isLong = message.length > MAX_SHOWN_UNITS;
    // V8 writes the message into the stack, which has no space for a long one.
    super(isLong ? "" : message, options);
    this.type = type;
    const argument: unknown = traceback;
    this.#traceback = typeof argument === "object" && argument !== null &&
        LazyTraceback.is(argument)
      ? argument
      : `${traceback}`;
    this.#isCausedByTraceback = options === undefined;
    if (isLong || nativeStack === undefined) this.#frames = framesOf(this);
    if (isLong) defineProperty(this, "message", hidden(message));
    defineProperty(this, "stack", stackAccessor);
  }

  static {
    stackAccessor = {
      // @ts-expect-error: the descriptor inherits nothing.
      __proto__: null,
      configurable: true,
      enumerable: false,
      get(this: object): string | undefined {
        return #traceback in this ? this.#formatStack() : undefined;
      },
      set(this: object, value: unknown): void {
        defineProperty(this, "stack", hidden(value));
      },
    };
    // An accessor of the prototype, which TypeScript doesn't let a class declare in the place of a property.
    defineProperty(PythonError.prototype, "cause", {
      // @ts-expect-error: the descriptor inherits nothing.
      __proto__: null,
      configurable: true,
      enumerable: false,
      get(this: object): unknown {
        return #traceback in this ? this.#defaultCause() : undefined;
      },
      set(this: object, value: unknown): void {
        defineProperty(this, "cause", hidden(value));
      },
    });
  }

  /** What Python prints of the exception, with its traceback. */
  get traceback(): string {
    const traceback = this.#traceback;
    if (typeof traceback === "string") return traceback;
    const formatted = traceback.format();
    if (formatted === undefined) {
      return `${this.#said()}\n(Python can't be asked for the traceback)\n`;
    }
    // Kept before the reference is released: what throws in between loses nothing.
    this.#traceback = formatted;
    traceback.release();
    return formatted;
  }

  /** How the console shows it: the stack, which has all there is to say. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.stack ?? `${this}`;
  }

  #said(): string {
    const { type, message } = this;
    return message === "" ? type : `${type}: ${shortened(message)}`;
  }

  #formatStack(): string {
    if (this.#stack !== undefined) return this.#stack;
    const traceback = this.traceback;
    const frames = this.#frames ?? framesOf(this);
    const stack = `PythonError: ${this.#said()}${frames ?? ""}\n\n${
      trimmedEnd(traceback)
    }`;
    // What couldn't be had this time may be there the next.
    if (typeof this.#traceback === "string" && frames !== undefined) {
      this.#stack = stack;
    }
    return stack;
  }

  #defaultCause(): Error | undefined {
    if (!this.#isCausedByTraceback) return undefined;
    if (this.#cause !== undefined) return this.#cause;
    const cause = saidByPython(trimmedEnd(this.traceback));
    if (typeof this.#traceback === "string") this.#cause = cause;
    return cause;
  }
}

/** An error without frames that shows a traceback. */
function saidByPython(traceback: string): Error {
  const error = new NativeError(traceback);
  defineProperty(error, "name", hidden("Python"));
  // A function that is not on the stack: all frames are above it, and left out.
  captureStackTrace(error, saidByNobody);
  return error;
}

function saidByNobody(): void {}

/**
 * The JavaScript frames of an error, as its stack lists them. None where `Error.prepareStackTrace` makes something else of them;
 * undefined if that throws.
 */
function framesOf(error: Error): string | undefined {
  try {
    const stack: unknown = nativeStack === undefined
      ? error.stack
      : apply(nativeStack, error, []);
    if (typeof stack !== "string") return "";
    const { message } = error;
    const start = apply(indexOf, stack, [message]) as number;
    const after = start < 0 ? 0 : start + message.length;
    const frames = apply(indexOf, stack, ["\n    at ", after]) as number;
    return frames < 0 ? "" : apply(slice, stack, [frames]) as string;
  } catch (error) {
    // At the end of JavaScript's stack there are frames, which can be had elsewhere.
    if (isStackEnd(error)) throw error;
    return undefined;
  }
}

/** The beginning of a long text, and how much more there is. */
function shortened(text: string): string {
  if (text.length <= MAX_SHOWN_UNITS) return text;
  const rest = text.length - MAX_SHOWN_UNITS;
  return `${
    apply(slice, text, [0, MAX_SHOWN_UNITS])
  }… (${rest} more characters)`;
}

function trimmedEnd(text: string): string {
  return apply(trimEnd, text, []) as string;
}

/** A property that isn't listed, as those of errors. */
function hidden(value: unknown): PropertyDescriptor {
  return {
    // @ts-expect-error: the descriptor inherits nothing.
    __proto__: null,
    value,
    configurable: true,
    enumerable: false,
    writable: true,
  };
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
  /** The name of the class. */
  override readonly name = "LibraryError";
  /** What was tried, in order, and why each was not taken. */
  readonly tried: readonly Attempt[];

  /** Make the error; its message lists what was tried. */
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
    this.tried = Object.freeze([...tried]);
  }
}
