import { assertEquals } from "@std/assert";
import { alloc, python } from "../mod.ts";
import { evaluate, execute } from "./support/c_api.ts";

Deno.test("the described Python is the one that runs", () => {
  assertEquals(
    evaluate("__import__('platform').python_version()"),
    python.version,
  );
  assertEquals(evaluate("__import__('sys').executable"), python.executable);
  assertEquals(evaluate("__import__('sys').prefix"), python.prefix);
});

Deno.test("tracemalloc counts a block by its exact size, and releases it with free", () => {
  execute("import tracemalloc; tracemalloc.start()");
  const before = Number(evaluate("tracemalloc.get_traced_memory()[0]"));
  const block = alloc(Uint8Array, 10_000_000);
  const during = Number(evaluate("tracemalloc.get_traced_memory()[0]"));
  block.free();
  const after = Number(evaluate("tracemalloc.get_traced_memory()[0]"));
  execute("tracemalloc.stop()");
  assertEquals(Math.round((during - before) / 10_000), 1000);
  assertEquals(Math.round((after - before) / 10_000), 0);
});
