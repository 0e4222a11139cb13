/** Checking arguments before they cross, and telling what a code means that came back. */

import { AllocationError, FreedError, LibraryError } from "./errors.ts";
import { isSafeInteger } from "./intrinsics.ts";
import { STATUS } from "./boundary/symbols.ts";
import { describe } from "./elements.ts";

/** A count, size or address that is whole, not negative, and exact as a double; else a `RangeError` that names it. */
export function requireSafeInteger(what: string, value: number): number {
  if (isSafeInteger(value) && value >= 0) return value + 0; // -0 becomes 0
  if (typeof value !== "number") {
    throw new TypeError(
      `The ${what} must be a number; ${describe(value)} was given`,
    );
  }
  throw new RangeError(
    `The ${what} must be a whole number from 0 to 2^53 - 1; ${value} was given`,
  );
}

/** The error for a code that came back where an address should have. */
export function errorForStatus(code: number, requested: number): Error {
  switch (code) {
    case STATUS.outOfMemory:
      return new AllocationError(
        requested,
        "Python's allocator is out of memory",
      );
    case STATUS.misaligned:
      return new AllocationError(
        requested,
        "an allocator hook in this process gives addresses that are no multiple of 16",
      );
    case STATUS.noPython:
      return new LibraryError(
        "Python is ending or has ended in this process; it can't be attached to any more",
      );
    case STATUS.subinterpreter:
      return new LibraryError(
        "This thread is attached to a subinterpreter, whose memory must not meet the main interpreter's. Detach it first",
      );
    case STATUS.tooLarge:
      return new RangeError(
        "What came of the Python code is too large for a string or a bigint of JavaScript's. Leave it in Python, in a scope",
      );
    case STATUS.freed:
      return new FreedError(
        "This object was freed, or its memory was transferred away",
      );
    case STATUS.stackEnd:
      return new RangeError("Maximum call stack size exceeded");
    case STATUS.inCallback:
      return new LibraryError(
        "This thread can't be detached in a callback that Python makes while the thread is attached (ctypes.PYFUNCTYPE): " +
          "Python would go on detached. Use a callback for which ctypes releases the GIL (CFUNCTYPE)",
      );
    case STATUS.busy:
      return new RangeError(
        "This block is being resized: a hook of Python's allocator, which runs meanwhile, can't use it",
      );
    case STATUS.noThread:
      return new LibraryError(
        "No thread could be made for Python code. The system's limit of threads or of memory is reached",
      );
    default:
      return new RangeError(
        requested === 0
          ? "The library refused an argument that isn't what it seems to be (a Proxy, say)"
          : `The library refused the arguments of a request for ${requested} bytes`,
      );
  }
}
