/** The functions of this library's own in Python: `rust/oneheap-deno/src/running/own_functions.py` has them. */

import type { NativeValue } from "../boundary/node_api.ts";
import { unwrapResult } from "../boundary/result.ts";
import { apply, createObject } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { fromNative } from "../values/conversions.ts";

/** The references to them, kept for the lifetime of the thread. */
const functions: Record<string, ArrayBuffer | undefined> = createObject(null);

/** Call one of the functions. */
export function callOwn(name: string, ...args: NativeValue[]): unknown {
  const known = functions[name] ??= unwrapResult(
    napi.ownFunction(name),
  ) as ArrayBuffer;
  return fromNative(apply(napi.call, known, args));
}
