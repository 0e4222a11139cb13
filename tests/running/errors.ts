/** What the tests of errors share. */

import { assertThrows } from "@std/assert";
import { python, PythonError, type PythonScope } from "../../mod.ts";

/** Fails unless the statements raise; returns the error. */
export function raisedBy(source: string, scope?: PythonScope): PythonError {
  return assertThrows(() => python.run(source, { scope }), PythonError);
}
