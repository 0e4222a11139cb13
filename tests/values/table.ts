/** The values that the tests send both ways. */

import { python, type PythonValue } from "../../mod.ts";

/** Evaluates in a fresh scope that holds the names. */
export function evaluate(
  source: string,
  names?: Record<string, PythonValue>,
): PythonValue {
  return python.eval(source, { names });
}
