/** The values that the tests send both ways. */

import { type PyArg, python, type PythonValue } from "../../mod.ts";

/** Evaluates in a fresh scope that holds the names. */
export function evaluate(
  source: string,
  names?: Record<string, unknown>,
): PythonValue {
  return python.eval(source, { names: names as Record<string, PyArg> });
}
