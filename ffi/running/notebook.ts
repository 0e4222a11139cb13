/** Objects of Python's in a notebook: `rust/oneheap-deno/src/running/notebook.py` asks them what they are shown as. */

import {
  defineMediaBundles,
  type MediaBundle,
} from "../objects/media_bundle.ts";
import { callOwn } from "./own_function.ts";

const { parse } = JSON;

defineMediaBundles((reference): MediaBundle =>
  parse(callOwn("media_bundle", reference) as string)
);
