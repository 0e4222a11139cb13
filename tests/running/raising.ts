/** What the tests of exceptions share. */

import { assertEquals, assertThrows } from "@std/assert";
import { python, PythonError, type RunOptions } from "../../mod.ts";

/** Fails unless the code raises; returns the error. Python goes on after it. */
export function raised(run: () => unknown): PythonError {
  const error = assertThrows(run, PythonError);
  assertEquals(python.eval("1 + 1"), 2);
  return error;
}

/** Fails unless the statements raise; returns the error. */
export function raisedBy(source: string, options?: RunOptions): PythonError {
  return raised(() => python.run(source, options));
}
