/** What the tests of `python.borrow` share. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  type Borrowed,
  BufferError,
  type BufferErrorReason,
  python,
  PythonError,
  PythonScope,
  type TypedArray,
} from "../../mod.ts";

/** A scope with the modules that the expressions of these tests need. */
export function newScope(): PythonScope {
  const scope = new PythonScope();
  python.run("import array, ctypes, io, mmap", { scope });
  return scope;
}

/** Borrows what an expression comes to. */
export function borrow(expression: string): Borrowed<TypedArray> {
  using scope = newScope();
  return python.borrow(expression, { scope });
}

/** Fails unless the function is refused for that reason. */
export function assertRefused(
  run: () => unknown,
  reason: BufferErrorReason,
): BufferError {
  const error = assertThrows(run, BufferError);
  assertEquals(error.reason, reason);
  return error;
}

/** Fails unless the function raises in Python. */
export function assertRaises(run: () => unknown, type: string): void {
  assertEquals(assertThrows(run, PythonError).type, type);
}

/** What is borrowed, and what comes of it: the view, the format in Python's words, the shape. */
export type Row = [
  expression: string,
  view: TypedArray,
  format: string,
  shape: number[],
];
