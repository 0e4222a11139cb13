/** What comes back from native code: a failure is thrown, all else is returned. */

import {
  AllocationError,
  ConversionError,
  type ConversionReason,
  FreedError,
  type HeldException,
  LibraryError,
  PythonError,
} from "../errors.ts";
import { isArray } from "../intrinsics.ts";
import type { NativeResult } from "./node_api.ts";
import { CONVERSION_REASON, STATUS, TAG } from "./status.ts";

/** Make what an error asks of the exception that a reference holds: that is a layer above. */
let holdException: ((reference: ArrayBuffer) => HeldException) | undefined;

/** Define how an error asks of its exception. */
export function defineHeldExceptions(
  hold: (reference: ArrayBuffer) => HeldException,
): void {
  holdException = hold;
}

/** Return the result, unless it is a failure: that is thrown. `cause` is why the code was interrupted, if it was. */
export function unwrapResult(
  result: NativeResult,
  cause?: unknown,
): NativeResult {
  if (!isArray(result)) return result;
  // By index: a pattern would run the iterator of arrays, which user code can change.
  const tag = result[0];
  if (tag === TAG.exception) {
    const type = stringOr(result[1], "Exception");
    // The constructor takes what holds the exception, too; its type doesn't say so to users.
    throw new PythonError(
      type,
      stringOr(result[2], "<its message can't be shown>"),
      heldException(result[3]) as string,
      type === "KeyboardInterrupt" && cause !== undefined
        ? { cause }
        : undefined,
    );
  }
  if (tag === TAG.conversion) throw conversionError(result);
  if (tag === TAG.status) {
    throw errorForStatus(result[1] as number, (result[2] ?? 0) as number);
  }
  return result;
}

/** The names of the reasons, by their numbers. */
const REASONS = Object.keys(CONVERSION_REASON) as ConversionReason[];

function conversionError(result: readonly unknown[]): ConversionError {
  return new ConversionError(
    stringOr(result[2], "$"),
    REASONS[result[1] as number],
    stringOr(result[3], "it can't be converted"),
  );
}

/** Return a string of Python's, or another one where V8 had no memory for it. */
function stringOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** Return what is asked of the exception; an empty traceback where there was no memory to hold it. */
function heldException(reference: unknown): unknown {
  return reference === null || holdException === undefined
    ? ""
    : holdException(reference as ArrayBuffer);
}

/** Return the error for a status that was returned in place of an address. `requested` is how many bytes were requested; 0 if none. */
export function errorForStatus(status: number, requested: number): Error {
  switch (status) {
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
        "The result of the Python code is too large for a string or a bigint of JavaScript's. Leave it in Python, in a scope",
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
