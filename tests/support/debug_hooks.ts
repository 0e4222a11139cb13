/** Python's debug hooks, under which nothing is deferred. */

const allocator = Deno.env.get("PYTHONMALLOC") ?? "";

/** Whether they are on. */
export const hasDebugHooks: boolean = allocator.endsWith("debug") ||
  Deno.env.has("PYTHONDEVMODE");

/** How many frees are deferred when a thread that isn't attached frees something small. */
export const DEFERRED: 0 | 1 = hasDebugHooks ? 0 : 1;
