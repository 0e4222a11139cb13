/** Calling a function within its frames, attached. */

import { describe } from "../checks.ts";
import { napi } from "../loading/native.ts";
import { attach } from "../threads/attach.ts";
import { recordedFrames } from "./call_sites.ts";
import { captureCallStack } from "./capture.ts";

/**
 * Call a function on this thread while it is attached to Python; and, while call sites are recorded, within frames of Python that show who
 * called `within`: so what another library of `Deno.dlopen` allocates by `PyMem` has its line of TypeScript in `tracemalloc` and memray, and
 * `faulthandler` names that line if the library crashes.
 *
 * The thread holds the GIL until the function returns: what it awaits isn't awaited within, and `detach` throws in there.
 *
 * @param work What to call. Its result is returned, what it throws is thrown.
 * @throws {LibraryError} If Python is ending in this process.
 * @throws {TypeError} If `work` is no function.
 *
 * @example
 * ```ts
 * import { python } from "@oneheap/oneheap";
 * import { recordCallSites, within } from "@oneheap/oneheap/debug";
 *
 * using _recording = recordCallSites();
 * const { symbols } = Deno.dlopen(python.library, {
 *   PyMem_Malloc: { parameters: ["usize"], result: "pointer" },
 *   PyMem_Free: { parameters: ["pointer"], result: "void" },
 * });
 * const memory = within(() => symbols.PyMem_Malloc(64n));
 * within(() => symbols.PyMem_Free(memory));
 * ```
 */
export function within<Result>(work: () => Result): Result {
  if (typeof work !== "function") {
    throw new TypeError(
      `The work must be a function; ${describe(work)} was given`,
    );
  }
  using _attached = attach();
  const frames = recordedFrames();
  const stack = frames === 0 ? 0 : captureCallStack(frames, { above: within });
  return napi.within(stack, 1, undefined, work) as Result;
}
