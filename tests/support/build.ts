/** The build of Python that runs. */

import { python } from "../../mod.ts";

/** Whether an attached thread keeps others from running Python code: not on free-threaded builds. */
export const HAS_GIL = python.eval(
  "getattr(__import__('sys'), '_is_gil_enabled', lambda: True)()",
) === true;

/** The allocators that `PYTHONMALLOC` names in this build, the debug hooks first. */
export const ALLOCATORS: readonly string[] = HAS_GIL
  ? ["debug", "malloc", "pymalloc"]
  : ["debug", "mimalloc"];
