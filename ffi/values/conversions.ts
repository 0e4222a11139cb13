/** Conversions between values of JavaScript and what crosses to Python and back. */

import type { NativeResult, NativeValue } from "../boundary/node_api.ts";
import { unwrapResult } from "../boundary/result.ts";
import { isArray, isView, typedArrayName } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { exportedBlocks, isBlock, tokenOf } from "../memory/block.ts";
import { isHandle, makeHandle, referenceOf } from "./handle.ts";

/**
 * Return a value as it crosses to Python by itself; undefined for one that crosses on a tape, or has no counterpart. The kind of an
 * object is found by private fields and JavaScript's own functions: no code of a program's runs.
 */
export function toNative(value: unknown): NativeValue | undefined {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
      return value;
    case "object":
      if (value === null) return value;
      if (isHandle(value)) return referenceOf(value);
      if (isBlock(value)) return tokenOf(value);
      if (typedArrayName(value) === "Uint8Array") return value as Uint8Array;
  }
  return undefined;
}

/** Return whether a value crosses by itself. */
export function crossesAlone(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
      return true;
    case "object":
      return value === null || isHandle(value) || isBlock(value) ||
        typedArrayName(value) === "Uint8Array";
  }
  return false;
}

/** Return a native result as JavaScript has it, a `PythonValue`; throw a failure. `cause` is why the code was interrupted, if it was. */
export function fromNative(
  result: NativeResult,
  cause?: unknown,
): unknown {
  if (typeof result !== "object" || result === null) return result;
  if (isArray(result)) return blockOf(unwrapResult(result, cause) as unknown[]);
  if (isView(result)) return result as Uint8Array;
  return makeHandle(result as ArrayBuffer);
}

/** Return the block of this thread that comes back, or a handle of its Python object. By index: a pattern would run the iterator of arrays, which user code can change. */
function blockOf(result: readonly unknown[]): unknown {
  const identity = result[1] as number;
  const reference = result[2];
  const block = exportedBlocks.lookup(identity);
  if (block === undefined) return fromNative(reference as NativeResult);
  napi.decref(reference as ArrayBuffer);
  return block;
}
