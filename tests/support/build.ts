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

/**
 * Whether Python frees functions, classes and modules, and so what they refer to. Without a GIL, 3.13 keeps them for good once there was
 * a second thread ("Immortalization" in Python's free-threading how-to).
 */
export const FREES_FUNCTIONS = HAS_GIL ||
  python.eval("__import__('sys').version_info >= (3, 14)") === true;
