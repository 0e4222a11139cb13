/** Borrowing the memory of a Python object, or of what an expression evaluates to. */

import { unwrapResult } from "../boundary/result.ts";
import { requireOptions } from "../checks.ts";
import {
  elementType,
  type TypedArray,
  type TypedArrayConstructor,
} from "../elements.ts";
import { napi } from "../loading/native.ts";
import { reportDue, reportExternalMemory } from "../memory/external_memory.ts";
import { type Borrowed, borrowedOf } from "../objects/borrowed.ts";
import { addressOf, type PyObjectRef } from "../objects/py_object_ref.ts";
import type { PyProxyMembers } from "../objects/proxy.ts";
import { handleOf, referenceOf } from "../values/handle.ts";
import {
  crossWithNames,
  readNames,
  readScope,
  type RunOptions,
} from "./options.ts";
import { moduleOf } from "./scope.ts";

/**
 * Options of {@linkcode Python.borrow}.
 *
 * @example
 * ```ts
 * import { type BorrowOptions, python } from "@oneheap/oneheap";
 *
 * const copied: BorrowOptions = { copy: true };
 * using bytes = python.borrow("b'constant'", copied);
 * console.log(bytes.view.length, bytes.copied); // 8 true
 * ```
 */
export interface BorrowOptions extends Pick<RunOptions, "scope" | "names"> {
  /**
   * Copies what can't be shown where it is: memory that is read-only, not in C order, or not aligned. Without it, that is a
   * `BufferError`.
   */
  copy?: boolean;
}

/**
 * What memory can be borrowed from: a reference to a Python object or a proxy of one, a pointer to one (deno_python's `PyObject.handle`), or an
 * expression.
 *
 * @example
 * ```ts
 * import { type BorrowSource, python } from "@oneheap/oneheap";
 *
 * const lengthOf = (source: BorrowSource) => {
 *   using borrowed = python.borrow(source);
 *   return borrowed.view.length;
 * };
 * console.log(lengthOf("bytearray(8)")); // 8
 * ```
 */
export type BorrowSource =
  | PyObjectRef
  | PyProxyMembers
  | Deno.PointerObject
  | string;

/** Borrow the memory of a Python object, shown as `type` or as its format says. */
export function borrow<A extends TypedArray>(
  source: BorrowSource,
  type: TypedArrayConstructor<A> | undefined,
  options: BorrowOptions = {},
): Borrowed<A> {
  const element = type && elementType(type).number;
  if (reportDue[0] !== 0) reportExternalMemory();
  const { copy, scope, names } = requireOptions(options);
  const entries = readNames(names);
  const readFrom = readScope(scope);
  const encoded = encodeSource(source);
  const module = readFrom && moduleOf(readFrom);
  const borrowed = crossWithNames(
    entries,
    false,
    (pairs, tape, text, objects) =>
      napi.borrow(
        element,
        copy ? 1 : 0,
        encoded,
        module,
        pairs,
        tape,
        text,
        objects,
      ),
  );
  const result = unwrapResult(borrowed!);
  return borrowedOf(result, type);
}

/** Return the source as it crosses. */
function encodeSource(source: BorrowSource): string | ArrayBuffer | number {
  if (typeof source === "string") return source;
  const handle = handleOf(source);
  return handle === undefined ? addressOf(source) : referenceOf(handle);
}
