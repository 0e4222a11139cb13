/** What the tests with NumPy share. */

import { python, PythonScope } from "../../mod.ts";

/** A scope with NumPy in it. */
export function numpyScope(): PythonScope {
  const scope = new PythonScope();
  python.run("import numpy", { scope });
  return scope;
}
