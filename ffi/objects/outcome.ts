/** What comes back from Python: a failure is thrown, all else is handed on. */

import { failure } from "../checks.ts";
import { LazyTraceback, PythonError } from "../errors.ts";
import { napi } from "../library.ts";
import { type Outcome, TAG } from "../symbols.ts";

// Before user code can change them.
const { isArray } = Array;
const NativeArrayBuffer = ArrayBuffer;

/** The outcome, unless it is a failure: that is thrown. `cause` is why code was interrupted, if it was. */
export function received(outcome: Outcome, cause?: unknown): Outcome {
  if (!isArray(outcome)) return outcome;
  // By index: a pattern would run the iterator of arrays, which user code can change.
  const tag = outcome[0];
  if (tag === TAG.raised) {
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
  if (tag === TAG.refused) throw failure(outcome[1] as number, 0);
  return outcome;
}

/** A text of Python's. One that V8 had no memory for is not there. */
function text(given: unknown, otherwise: string): string {
  return typeof given === "string" ? given : otherwise;
}

/** What has Python format a traceback; nothing where there was no memory for that. */
function tracebackOf(report: unknown): unknown {
  if (!(report instanceof NativeArrayBuffer)) return "";
  return new LazyTraceback(() => {
    const traceback = napi.call(report);
    return typeof traceback === "string" ? traceback : undefined;
  }, () => napi.release(report));
}
