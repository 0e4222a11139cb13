/** Blocks, scopes and objects that runs use. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  alloc,
  type PyObjectRef,
  python,
  PythonScope,
  stats,
} from "../../mod.ts";
import { until } from "../support/collection.ts";

Deno.test("a block is used in place by a run, and comes back as the block that it is", async () => {
  using block = alloc(Float64Array, [1, 2, 3]);
  await python.runAsync(
    `
    numbers = memoryview(block)
    for index, number in enumerate(numbers):
        numbers[index] = number ** 2
    `,
    { names: { block } },
  );
  assertEquals([...block.view], [1, 4, 9]);
  const returned = await python.evalAsync("block", { names: { block } });
  assertStrictEquals(returned, block);
  assertEquals(block.realloc(4).view[3], 0);
});

Deno.test("a block that is freed while a run uses it lives until that run ends", async () => {
  const before = stats().blocks;
  using scope = new PythonScope();
  python.run("import threading; freed = threading.Event()", { scope });
  const block = alloc(Float64Array, 1_000);
  block.view.fill(2);
  const sum = python.evalAsync(
    "freed.wait(30) and sum(memoryview(block))",
    { scope, names: { block } },
  );
  block.free();
  assertEquals(stats().blocks, before + 1);
  python.run("freed.set()", { scope });
  assertEquals(await sum, 2_000);
  python.run("del block", { scope });
  assertEquals(stats().blocks, before);
});

Deno.test("a scope that is disposed while a run uses it is emptied, and the run goes on", async () => {
  const scope = new PythonScope();
  python.run(
    "import threading; begun, disposed = threading.Event(), threading.Event()",
    { scope },
  );
  using begun = scope.get("begun") as PyObjectRef;
  using disposed = scope.get("disposed") as PyObjectRef;
  const running = python.evalAsync(
    "(begun.set(), disposed.wait(30), 'disposed' in globals())[1:]",
    { scope },
  );
  (begun.get("wait") as PyObjectRef).call(30);
  scope[Symbol.dispose]();
  (disposed.get("set") as PyObjectRef).call();
  using found = await running as PyObjectRef;
  assertEquals(`${found}`, "(True, False)");
});

Deno.test("what runs held is released when they have ended", async () => {
  using scope = new PythonScope();
  python.run(
    `
    alive = 0
    class Counted:
        def __init__(self):
            global alive
            alive += 1
        def __del__(self):
            global alive
            alive -= 1
    `,
    { scope },
  );
  const before = stats();
  for (let turn = 0; turn < 20; turn++) {
    using counted = python.eval("Counted()", { scope }) as PyObjectRef;
    using block = alloc(Uint8Array, 1_000);
    const names = { counted, block, bytes: new Uint8Array(100) };
    await python.evalAsync("len(bytes)", { names });
    for (const source of ["1 / 0", "1 +"]) {
      using _error = await python.evalAsync(source, { names }).catch((it) =>
        it
      );
    }
    using _lost = await python.evalAsync("[counted]", { names }) as PyObjectRef;
  }
  python.run("Counted = None", { scope });
  assertEquals(scope.get("alive"), 0);
  const after = stats();
  assertEquals(after.blocks, before.blocks);
  assertEquals(after.bytes, before.bytes);
});

Deno.test("an object that a run gave and JavaScript lost is released", async () => {
  using scope = new PythonScope();
  python.run(
    "import weakref\nclass Thing: pass\nthings = weakref.WeakSet()",
    { scope },
  );
  for (let turn = 0; turn < 20; turn++) {
    await python.evalAsync("things.add(thing := Thing()) or thing", { scope });
  }
  python.run("del thing", { scope });
  await until(() => python.eval("len(things)", { scope }) === 0, "release");
});
