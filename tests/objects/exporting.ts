/** What the tests of blocks in Python share. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  type Block,
  PyObjectRef,
  python,
  PythonError,
  type PythonValue,
  type ToPythonOptions,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";

/** The element types, with what Python's `struct` and this library's `repr` call them. */
export const TYPES: [TypedArrayConstructor<TypedArray>, string, string][] = [
  [Int8Array, "b", "int8"],
  [Uint8Array, "B", "uint8"],
  [Uint8ClampedArray, "B", "uint8"],
  [Int16Array, "h", "int16"],
  [Uint16Array, "H", "uint16"],
  [Int32Array, "i", "int32"],
  [Uint32Array, "I", "uint32"],
  [Float16Array, "e", "float16"],
  [Float32Array, "f", "float32"],
  [Float64Array, "d", "float64"],
  [BigInt64Array, "q", "int64"],
  [BigUint64Array, "Q", "uint64"],
];

/** Evaluates with a block as `b`. */
export function ask(expression: string, b: PythonValue): PythonValue {
  return python.eval(expression, { names: { b } });
}

/** What `repr()` makes of an expression over a block as `b`. */
export function repr(expression: string, b: PythonValue): PythonValue {
  return ask(`repr(${expression})`, b);
}

/** A reference to a new Python object over the block. */
export function exported(
  block: Block<TypedArray>,
  options?: ToPythonOptions,
): PyObjectRef {
  return new PyObjectRef(block.toPython(options));
}

/** Fails unless the function raises in Python. */
export function assertRaises(
  run: () => unknown,
  type: string,
  includes?: string,
): void {
  const error = assertThrows(run, PythonError, includes);
  assertEquals(error.type, type);
}
