/** The outcome of an operation, and whether it is allowed. */

import {
  AllocationError,
  BlockInUseError,
  BufferError,
  FreedError,
  LibraryError,
  PackageError,
  PythonError,
} from "../../../mod.ts";

/** What hostile code throws. */
export class Marker extends Error {
  constructor() {
    super("thrown by hostile code");
    this.name = "Marker";
  }
}

/** A difference between the library and the model. */
export class Mismatch extends Error {}

/** Fails unless the condition holds. */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Mismatch(`expected: ${what}`);
}

/** Under what circumstances an operation ran. */
export interface Circumstances {
  /** Code of the fuzzer's may have run within it. */
  readonly isHostile?: boolean;
  /** Near the end of the stack. */
  readonly isDeep?: boolean;
  /** While requests for memory fail. */
  readonly isFailing?: boolean;
}

/** Ends what an error holds: blocks that the code used which raised. The model knows of none. */
export function endError(error: unknown): void {
  if (error instanceof PythonError) error[Symbol.dispose]();
}

/** The errors that an operation may throw, by their names; `PythonError` by its type, too. */
export type Allowed = Readonly<Record<string, boolean | undefined>>;

/** Messages of V8's that tell of code that took something for granted. */
const INTERNAL =
  /Cannot read propert|Cannot set propert|of undefined|of null|Invalid FFI|is not a function|is not iterable|is not a constructor|Cannot destructure|before initialization|Assignment to constant/;

/** The outcome of an operation. */
export class Outcome {
  constructor(
    readonly circumstances: Circumstances,
    /** Whether other operations ran within this one. */
    readonly isDisturbed: boolean,
    readonly threw: boolean,
    readonly value: unknown,
    readonly error: unknown,
  ) {}

  /** Whether it may have left something for V8 to collect. */
  get isDeepOrFailing(): boolean {
    const { isDeep, isFailing } = this.circumstances;
    return isDeep === true || isFailing === true;
  }

  /** Fails unless it threw an error that is allowed. */
  expectThrown(allowed: Allowed): void {
    expect(this.threw, `an error of ${listed(allowed)}`);
    this.allow(allowed);
  }

  /** Whether the operation was done. Fails if it threw an error that isn't allowed. */
  isDone(allowed: Allowed = {}): boolean {
    if (this.threw) this.allow(allowed);
    return !this.threw;
  }

  /** Fails unless the error is allowed. */
  allow(allowed: Allowed): void {
    const { error, circumstances } = this;
    if (error instanceof Mismatch) throw error;
    const name = nameOf(error);
    if (error instanceof TypeError && INTERNAL.test(error.message)) {
      if (allowed.InternalTypeError !== true) {
        throw new Mismatch("an error of the library's own code", {
          cause: error,
        });
      }
      return;
    }
    if (circumstances.isHostile && name === "Marker") return;
    if (circumstances.isDeep && name === "StackOverflow") return;
    if (
      circumstances.isFailing &&
      (name === "AllocationError" || name === "PythonError")
    ) return;
    if (allowed[name] === true) return;
    if (error instanceof PythonError && allowed[`${name}:${error.type}`]) {
      return;
    }
    throw new Mismatch(`an error of ${listed(allowed)}, got ${shown(error)}`, {
      cause: error,
    });
  }
}

/** The library's error classes, whose names an operation may allow. A `ConversionError` is a `TypeError`. */
export const LIBRARY_ERRORS = [
  AllocationError,
  BlockInUseError,
  BufferError,
  FreedError,
  LibraryError,
  PackageError,
  PythonError,
] as const;

/** The class of an error, or what is special about it. */
export function nameOf(error: unknown): string {
  if (error instanceof Marker) return "Marker";
  for (const type of LIBRARY_ERRORS) {
    if (error instanceof type) return type.name;
  }
  if (error instanceof RangeError) {
    return error.message === "Maximum call stack size exceeded"
      ? "StackOverflow"
      : "RangeError";
  }
  if (error instanceof TypeError) return "TypeError";
  if (error instanceof DOMException) return error.name;
  return typeof error;
}

function listed(allowed: Allowed): string {
  const names = Object.keys(allowed).filter((name) => allowed[name]);
  return `[${names.join(", ")}]`;
}

function shown(error: unknown): string {
  if (error instanceof PythonError) return `${error.type}: ${error.message}`;
  return String(error);
}
