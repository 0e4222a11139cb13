/**
 * One heap for TypeScript, Rust and Python.
 *
 * Importing this starts the Python that is found on the machine, in this process. What {@linkcode alloc} gives is memory
 * of that Python's allocator, typed, freed by `using`, and safe after `free`. {@linkcode python} runs Python code, which uses
 * such blocks where they are, and borrows memory of Python's objects as typed arrays.
 *
 * @example
 * ```ts
 * import { alloc, python } from "@oneheap/oneheap";
 *
 * using block = alloc(Float64Array, 1_000);
 * block.view.fill(1.5);
 * console.log(python.eval("sum(memoryview(block))", { names: { block } })); // 1500
 * ```
 *
 * @module
 */

import { applyEnvironment } from "./ffi/debug/environment.ts";

export { Arena, type ArenaOptions } from "./ffi/memory/arena.ts";
export { attach, detach } from "./ffi/threads/attach.ts";
export {
  alloc,
  type AllocOptions,
  Block,
  free,
  realloc,
  type ReallocOptions,
  type ToPythonOptions,
} from "./ffi/memory/block.ts";
export { Borrowed } from "./ffi/objects/borrowed.ts";
export type { BorrowOptions, BorrowSource } from "./ffi/running/borrow.ts";
export {
  AllocationError,
  type Attempt,
  BlockInUseError,
  BufferError,
  type BufferErrorReason,
  ConversionError,
  type ConversionReason,
  FreedError,
  LibraryError,
  PackageError,
  type PackageErrorReason,
  PythonError,
} from "./ffi/errors.ts";
export { type Python, python } from "./ffi/python.ts";
export type { EmbeddedPython } from "./ffi/loading/native.ts";
export type { PyAny } from "./ffi/py_any.ts";
export { type PyProxy, type PyProxyMembers } from "./ffi/objects/proxy.ts";
export type * from "./ffi/objects/py_modules.ts";
export type { PyTemplate } from "./ffi/objects/py_template.ts";
export { py } from "./ffi/running/template.ts";
export {
  type PyArg,
  type PyArgs,
  PyObjectRef,
  type PythonValue,
} from "./ffi/objects/py_object_ref.ts";
export {
  float,
  Kw,
  kw,
  PyFloat,
  Slice,
  slice,
} from "./ffi/values/python_values.ts";
export type { ToJs } from "./ffi/values/read.ts";
export { type Raw, raw } from "./ffi/memory/raw.ts";
export type { RunOptions } from "./ffi/running/options.ts";
export { PythonScope, type ScopeOptions } from "./ffi/running/scope.ts";
export { type Stats, stats } from "./ffi/memory/stats.ts";
export type {
  Element,
  TypedArray,
  TypedArrayConstructor,
} from "./ffi/elements.ts";

applyEnvironment();
