/** What the tests of running code share. */

import { assertEquals, assertThrows } from "@std/assert";
import { python, PythonError, type PythonValue } from "../../mod.ts";

/** Evaluates in a fresh scope that holds the names. */
export function evaluate(
  source: string,
  names?: Record<string, PythonValue>,
): PythonValue {
  return python.eval(source, { names });
}

/** Fails unless the code raises an exception of that type. */
export function assertRaises(type: string, run: () => unknown): void {
  assertEquals(assertThrows(run, PythonError).type, type);
}
