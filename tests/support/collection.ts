/** Garbage collection, and what is left after it. */

import { assertEquals } from "@std/assert";
import { python, PythonScope, stats } from "../../mod.ts";

/** Runs a function, and fails unless as many blocks and bytes are alive after it as before. */
export function leavesNothing(run: () => void): void {
  const before = stats();
  run();
  const after = stats();
  assertEquals(after.blocks, before.blocks);
  assertEquals(after.bytes, before.bytes);
}

/** Collects all garbage now; the tests run with `--expose-gc`. */
export function collectGarbage(): void {
  (globalThis as unknown as { gc(): void }).gc();
}

/** Waits until the condition holds, collecting garbage meanwhile; fails after a while. */
export async function until(
  condition: () => boolean,
  what: string,
): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (condition()) return;
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited in vain: ${what}`);
}

/**
 * Runs a function over and over, and fails unless Python then has as many blocks of memory and references as before. Where
 * Python's allocator doesn't count its blocks (`PYTHONMALLOC=malloc`), only references are compared.
 *
 * @param warmUp So often it is run before: what is kept of the last sources, say, isn't lost memory.
 */
export async function leavesNothingInPython(
  run: () => void,
  { repetitions = 2_000, warmUp = 100 } = {},
): Promise<void> {
  using scope = new PythonScope();
  // The references that are counted are those that no call may leave behind. From 3.12 on some of the objects count none.
  python.run(
    `
    import gc, sys
    clear_caches = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache
    lasting = None, True, int, float, str, bytes, dict, tuple, TypeError, __builtins__
    def count():
        clear_caches()
        gc.collect()
        return f"{sys.getallocatedblocks()} {sum(map(sys.getrefcount, lasting))}"
    `,
    { scope },
  );
  const counts = () =>
    (python.eval("count()", { scope }) as string).split(" ").map(Number);
  const repeat = (times: number) => {
    for (let time = 0; time < times; time++) run();
  };
  repeat(warmUp);
  collectGarbage();
  const before = counts();
  repeat(repetitions);
  const isAsBefore = () =>
    counts().every((count, index) => count < before[index] + repetitions / 20);
  await until(isAsBefore, "as few blocks and references in Python as before");
}
