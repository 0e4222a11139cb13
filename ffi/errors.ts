/**
 * The errors of this library. Bad arguments are `RangeError` and `TypeError`, as everywhere. Fields are defined, not assigned: that
 * works where `Error.prototype` is frozen or has setters.
 */

import { apply, isStackEnd } from "./intrinsics.ts";
import { MAX_SHOWN_UNITS } from "./limits.ts";
import type { PyAny } from "./py_any.ts";

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
      `The block can't be resized while ${objects} its memory. Delete it in Python, dispose its scope, the PyObjectRef to it or the PythonError of code that used it, or await the run that uses it`,
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

/** What a `PythonError` asks of the exception that it holds, when it is asked itself. A layer above has the class. */
export abstract class HeldException {
  readonly #isHeld = true;

  /** Return whether a value is one. */
  static is(value: object): value is HeldException {
    return #isHeld in value;
  }

  /** Return the traceback; undefined if Python can't be attached to now. */
  abstract traceback(): string | undefined;
  /** Return the name of its type's module. */
  abstract module(): string;
  /** Return the names of its type and of the base classes. */
  abstract mro(): string[];
  /** Return whether it is an instance of a class. */
  abstract isInstance(type: unknown): boolean;
  /** Return a proxy of it. */
  abstract exception(): unknown;
  /** Return its attributes as plain data. */
  abstract fields(options: unknown): unknown;
  /** Return its notes. */
  abstract notes(): string[];
  /** Return what a group has, as errors, each made by `make`; undefined if it is no group. */
  abstract errors(make: MakeError): PythonError[] | undefined;
  /** Return the exception that led to it, as an error that is made by `make`; undefined if there is none. */
  abstract cause(make: MakeError): PythonError | undefined;
  /** Release the exception. What is asked afterwards is a `FreedError`. */
  abstract release(): void;
}

/** Makes an error of another exception. */
export type MakeError = (
  type: string,
  message: string,
  held: HeldException,
) => PythonError;

/** What a `PythonError` knows beside its exception. */
interface Known {
  /** What Python prints of it, once that was formatted. */
  traceback: string | undefined;
  /** The error whose cause this is, and so on: what was thrown. Its traceback shows all of them. */
  thrown: PythonError;
  /** Whether the cause is none of the exception's. */
  hasGivenCause: boolean;
  cause: Error | undefined;
  errors: readonly PythonError[] | undefined;
  stack: string | undefined;
  /** The JavaScript frames, where they couldn't be left to be formatted later. */
  frames: string | undefined;
}

/** The property `stack` of each `PythonError`; one for all, so that they have one shape. */
let stackAccessor: PropertyDescriptor;

/**
 * Python code raised an exception. The interpreter goes on, after `SystemExit` too.
 *
 * The error holds the exception, and with it the frames of its traceback and their variables, until it is disposed or collected. What isn't its type
 * or its message is found out when it is read: an error that is thrown and caught costs little.
 *
 * Its `stack` has the JavaScript frames and, after them, the Python traceback. Its `cause` is why the code was interrupted, if a
 * signal did that; else the exception that led to this one, as an error too. The last of such a chain has as its cause an error with the
 * whole traceback as its message, for Deno shows of an uncaught error only message and cause.
 *
 * The `message` is whole; where no string can hold it, it is shortened and says by how much. Of messages and notes with more than 65,536 characters,
 * `traceback` and `stack` show the beginning; of each exception the last 1000 entries, where repeated lines count as three.
 *
 * @example
 * ```ts
 * import { python, PythonError } from "@oneheap/oneheap";
 *
 * try {
 *   python.builtins.open("/none/such");
 * } catch (error) {
 *   if (!(error instanceof PythonError) || !error.is("OSError")) throw error;
 *   using _held = error;
 *   console.log(error.type, error.fields<{ errno: number }>().errno); // FileNotFoundError 2
 * }
 * ```
 */
export class PythonError extends Error implements Disposable {
  /** The name of the class. */
  override readonly name = "PythonError";
  /** The name of the exception's type; with its module, unless that is `builtins`, `__main__` or a scope that was given no name. */
  readonly type: string;
  /** The exception; undefined for an error that no exception of Python's was thrown for. */
  readonly #held: HeldException | undefined;
  /** What is known beside: in an object of its own, for V8 takes long to give an error many fields. */
  #known: Known | undefined;

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
    if (
      typeof argument === "object" && argument !== null &&
      HeldException.is(argument)
    ) this.#held = argument;
    else this.#know().traceback = `${traceback}`;
    if (options !== undefined) this.#know().hasGivenCause = true;
    if (isLong || nativeStack === undefined) {
      this.#know().frames = framesOf(this);
    }
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
        return #held in this ? this.#formatStack() : undefined;
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
        return #held in this ? this.#ownCause() : undefined;
      },
      set(this: object, value: unknown): void {
        defineProperty(this, "cause", hidden(value));
      },
    });
  }

  /** What Python prints of the exception, with its traceback. */
  get traceback(): string {
    const known = this.#know();
    if (known.traceback !== undefined) return known.traceback;
    const formatted = this.#held!.traceback();
    if (formatted === undefined) {
      return `${this.#said()}\n(Python can't be asked for the traceback)\n`;
    }
    return known.traceback = formatted;
  }

  /**
   * The name of the module of the exception's type.
   *
   * @throws {FreedError} If the error was disposed.
   */
  get module(): string {
    return this.#held === undefined ? "" : this.#held.module();
  }

  /**
   * The names of the exception's type and of all its base classes, as {@linkcode type} has them: `["FileNotFoundError", "OSError", …]`.
   *
   * @throws {FreedError} If the error was disposed.
   */
  get mro(): readonly string[] {
    return this.#held === undefined ? [this.type] : this.#held.mro();
  }

  /**
   * Return whether the exception is an instance of a class.
   *
   * @param type Its name, as {@linkcode type} has it, a proxy, or a reference.
   * @throws {FreedError} If the error was disposed.
   */
  is(type: string | object): boolean {
    if (type === this.type) return true;
    return this.#held !== undefined && this.#held.isInstance(type);
  }

  /**
   * The exception itself, as a proxy. It belongs to the error, which ends it.
   *
   * @throws {FreedError} If the error was disposed.
   */
  get exception(): PyAny {
    if (this.#held === undefined) return undefined;
    return this.#held.exception();
  }

  /**
   * Return the exception's attributes as plain data: `args`, those of its class (`errno`, `code`, `path`), and those that were set. What has no
   * counterpart is its `str()`.
   *
   * @param options How they are converted, as {@linkcode ToJs} says.
   * @throws {FreedError} If the error was disposed.
   * @throws {ConversionError} If one can't be converted.
   */
  fields<T = Record<string, unknown>>(options?: object): T {
    return (this.#held === undefined ? {} : this.#held.fields(options)) as T;
  }

  /**
   * The notes that were added to the exception.
   *
   * @throws {FreedError} If the error was disposed.
   */
  get notes(): readonly string[] {
    return this.#held === undefined ? [] : this.#held.notes();
  }

  /**
   * The exceptions of an exception group; undefined for another exception.
   *
   * @throws {FreedError} If the error was disposed.
   */
  get errors(): readonly PythonError[] | undefined {
    const known = this.#know();
    return known.errors ??= this.#held?.errors(makeRelated);
  }

  /**
   * Release the exception, and the frames of its traceback. Its type and message stay, and what was read of its traceback and its cause.
   * Disposing twice does nothing.
   */
  [Symbol.dispose](): void {
    this.#held?.release();
  }

  /** How the console shows it: the stack, which has all there is to say. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.stack ?? `${this}`;
  }

  #said(): string {
    const { type, message } = this;
    return message === "" ? type : `${type}: ${shortened(message)}`;
  }

  #know(): Known {
    return this.#known ??= {
      traceback: undefined,
      thrown: this,
      hasGivenCause: false,
      cause: undefined,
      errors: undefined,
      stack: undefined,
      frames: undefined,
    };
  }

  #formatStack(): string {
    const known = this.#know();
    if (known.stack !== undefined) return known.stack;
    const { traceback } = this;
    const frames = known.frames ?? framesOf(this);
    const stack = `PythonError: ${this.#said()}${frames ?? ""}\n\n${
      trimmedEnd(traceback)
    }`;
    // What couldn't be had this time may be there the next.
    if (known.traceback !== undefined && frames !== undefined) {
      known.stack = stack;
    }
    return stack;
  }

  #ownCause(): Error | undefined {
    const known = this.#know();
    if (known.hasGivenCause) return undefined;
    if (known.cause !== undefined) return known.cause;
    const cause = this.#held?.cause(makeRelated);
    if (cause !== undefined) {
      cause.#know().thrown = known.thrown;
      return known.cause = cause;
    }
    const { thrown } = known;
    const said = saidByPython(trimmedEnd(thrown.traceback));
    if (thrown.#know().traceback !== undefined) known.cause = said;
    return said;
  }
}

/** Make the error of an exception that another one refers to. No JavaScript frames have to do with it. */
function makeRelated(
  type: string,
  message: string,
  held: unknown,
): PythonError {
  const error = new PythonError(type, message, held as string);
  captureStackTrace(error, saidByNobody);
  defineProperty(error, "stack", stackAccessor);
  return error;
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

/** Why packages that were required can't be used: {@linkcode PackageError} says it. */
export type PackageErrorReason =
  | "unsatisfiable"
  | "offline"
  | "permission"
  | "space"
  | "tool"
  | "conflict"
  | "failed";

/**
 * `python.require` could not have the packages that were asked for. Nothing was changed.
 *
 * @example
 * ```ts ignore
 * import { PackageError, python } from "@oneheap/oneheap";
 *
 * try {
 *   python.require("numpy>=99");
 * } catch (error) {
 *   if (!(error instanceof PackageError)) throw error;
 *   console.log(error.reason); // unsatisfiable
 *   console.log(error.output); // all that pip said
 * }
 * ```
 */
export class PackageError extends Error {
  /** The name of the class. */
  override readonly name = "PackageError";
  /** What was asked for. */
  readonly requirements: readonly string[];
  /**
   * Why not: no version meets the requirements, or one can't be built (`unsatisfiable`); no index of packages answers (`offline`); the
   * cache can't be written (`permission`), or is full (`space`); there is neither `uv` nor `venv` (`tool`); another version is imported already
   * (`conflict`); or whatever else the installer says (`failed`).
   */
  readonly reason: PackageErrorReason;
  /** All that the installer said; empty where none ran. */
  readonly output: string;

  /** Make the error. */
  constructor(
    message: string,
    requirements: readonly string[],
    reason: PackageErrorReason,
    output: string,
  ) {
    super(message);
    this.requirements = Object.freeze([...requirements]);
    this.reason = reason;
    this.output = output;
  }
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
