/** What the tests of references share. */

import { assert } from "@std/assert";
import {
  PyObjectRef,
  python,
  PythonScope,
  type PythonValue,
} from "../../mod.ts";

/** Evaluates to an object that has no counterpart in JavaScript. */
export function object(
  expression: string,
  names?: Record<string, PythonValue>,
): PyObjectRef {
  const reference = python.eval(expression, { names });
  assert(reference instanceof PyObjectRef);
  return reference;
}

/** A scope in which `gone` counts the objects of the class `Thing` that are no more. */
export function scopeOfThings(): PythonScope {
  const scope = new PythonScope();
  python.run(
    `
    gone = 0
    class Thing:
        def __del__(self):
            global gone
            gone += 1
    `,
    { scope },
  );
  return scope;
}

/** How many of the scope's things are no more. It is Python code that counts, for without the GIL only that frees some of them. */
export function gone(scope: PythonScope): number {
  return python.eval("gone", { scope }) as number;
}
