/** What comes back from Python: a failure is thrown, all else is handed on. */

import { errorForStatus } from "../checks.ts";
import { LazyTraceback, PythonError } from "../errors.ts";
import { apply, isArray } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { type NativeResult, TAG } from "./symbols.ts";

/** The outcome, unless it is a failure: that is thrown. `cause` is why code was interrupted, if it was. */
export function unwrapResult(
  outcome: NativeResult,
  cause?: unknown,
): NativeResult {
  if (!isArray(outcome)) return outcome;
  // By index: a pattern would run the iterator of arrays, which user code can change.
  const tag = outcome[0];
  if (tag === TAG.exception) {
    const type = text(outcome[1], "Exception");
    // The constructor takes a traceback that is formatted later, too; its type doesn't say so to users.
    throw new PythonError(
      type,
      text(outcome[2], "<its message can't be told>"),
      tracebackOf(outcome[3]) as string,
      type === "KeyboardInterrupt" && cause !== undefined
        ? { cause }
        : undefined,
    );
  }
  if (tag === TAG.status) {
    throw errorForStatus(outcome[1] as number, (outcome[2] ?? 0) as number);
  }
  return outcome;
}

/** A text of Python's. One that V8 had no memory for is not there. */
function text(given: unknown, otherwise: string): string {
  return typeof given === "string" ? given : otherwise;
}

/** What has Python format a traceback; nothing where there was no memory for that. */
function tracebackOf(report: unknown): unknown {
  if (typeof report !== "object" || report === null) return "";
  const reference = report as ArrayBuffer;
  return new LazyTraceback(() => {
    const traceback = apply(napi.call, reference, []);
    return typeof traceback === "string" ? traceback : undefined;
  }, () => napi.decref(reference));
}
