/** Objects of Python's in a notebook: `rust/oneheap-deno/src/running/notebook.py` asks them what they are shown as. */

import {
  defineMediaBundles,
  type MediaBundle,
} from "../objects/media_bundle.ts";
import type { PyObjectRef } from "../objects/py_object_ref.ts";
import { toNative } from "../values/conversions.ts";
import { callOwn } from "./own_function.ts";

const { parse } = JSON;

defineMediaBundles((reference): MediaBundle => {
  const handle = reference as PyObjectRef;
  if (handle.disposed) return { "text/plain": "a disposed reference" };
  const native = toNative(handle) as ArrayBuffer;
  return parse(callOwn("media_bundle", native) as string);
});
