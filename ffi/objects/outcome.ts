/** What comes back from Python: a failure is thrown, all else is handed on. */

import { failure } from "../checks.ts";
import { PythonError } from "../errors.ts";
import { type Outcome, TAG } from "../symbols.ts";

/** The outcome, unless it is a failure: that is thrown. `cause` is why code was interrupted, if it was. */
export function received(outcome: Outcome, cause?: unknown): Outcome {
  if (!Array.isArray(outcome)) return outcome;
  const [tag, ...details] = outcome;
  if (tag === TAG.raised) {
    const [type, message, traceback] = details as string[];
    throw new PythonError(
      type,
      message,
      traceback,
      type === "KeyboardInterrupt" && cause !== undefined
        ? { cause }
        : undefined,
    );
  }
  if (tag === TAG.refused) {
    const [code, requested = 0] = details as number[];
    throw failure(code, requested);
  }
  return outcome;
}
