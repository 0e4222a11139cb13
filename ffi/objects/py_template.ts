/** The template by which expressions of Python's are written. `running/template.ts` makes it. */

import type { PyAny } from "../py_any.ts";

/**
 * Evaluates expressions of Python's with values in them.
 *
 * Its names are the builtins and what is put in, and, where it is a scope's, what the scope has. Values are bound to names, never pasted as text:
 * no value can change what the expression does. Each place in a program is compiled once.
 *
 * @example
 * ```ts
 * import { py, type PyTemplate, python } from "@oneheap/oneheap";
 *
 * const total = (evaluate: PyTemplate, numbers: number[]) => evaluate<number>`sum(${numbers}) + 1`;
 * console.log(total(py, [1, 2, 3])); // 7
 * ```
 */
export interface PyTemplate {
  /**
   * Evaluate the expression. What has no counterpart in JavaScript comes as a proxy.
   *
   * @throws {PythonError} If it doesn't compile, or raises.
   * @throws {ConversionError} If a value has no counterpart in Python.
   * @throws {SyntaxError} If a value stands where Python has no expression: in a string, in a comment, after a dot.
   */
  <T = PyAny>(strings: TemplateStringsArray, ...values: readonly unknown[]): T;
  /**
   * Evaluate the expression, and return its value as plain data, as {@linkcode PyObjectRef.toJs} does, in the same crossing.
   *
   * @throws {ConversionError} If something in it has no counterpart.
   */
  js<T = PyAny>(
    strings: TemplateStringsArray,
    ...values: readonly unknown[]
  ): T;
  /** Evaluate the expression on a thread of its own, as {@linkcode Python.evalAsync} does. */
  async<T = PyAny>(
    strings: TemplateStringsArray,
    ...values: readonly unknown[]
  ): Promise<T>;
}
