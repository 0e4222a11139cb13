/** What comes back from Python: a failure is thrown, all else is handed on. */

import { failure } from "../checks.ts";
import { createPythonError, type TracebackSource } from "../errors.ts";
import { napi } from "../library.ts";
import { type Outcome, TAG } from "../symbols.ts";

const { isArray } = Array;

/** The outcome, unless it is a failure: that is thrown. `cause` is why code was interrupted, if it was. */
export function received(outcome: Outcome, cause?: unknown): Outcome {
  if (!isArray(outcome)) return outcome;
  // By index: a pattern would run the iterator of arrays, which user code can change.
  const tag = outcome[0];
  if (tag === TAG.raised) {
    throw raised(outcome[1], outcome[2], outcome[3], cause);
  }
  if (tag === TAG.refused) throw failure(outcome[1] as number, 0);
  return outcome;
}

/** The error for an exception. A text that V8 had no memory for is not there. */
function raised(
  type: unknown,
  message: unknown,
  report: unknown,
  cause: unknown,
): Error {
  return createPythonError(
    typeof type === "string" ? type : "Exception",
    typeof message === "string" ? message : "<its message can't be told>",
    report instanceof NativeArrayBuffer ? tracebackOf(report) : "",
    type === "KeyboardInterrupt" && cause !== undefined ? { cause } : undefined,
  );
}

const NativeArrayBuffer = ArrayBuffer;

/** What has Python format a traceback. */
function tracebackOf(report: ArrayBuffer): TracebackSource {
  return {
    format() {
      const traceback = napi.call(report);
      return typeof traceback === "string" ? traceback : undefined;
    },
    release: () => napi.release(report),
  };
}
