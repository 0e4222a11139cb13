/** Memory that threads, Workers and runs hold. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  type Block,
  BlockInUseError,
  type PyObjectRef,
  python,
  PythonScope,
  stats,
} from "../../mod.ts";
import { collectForAWhile, HoldingWorker } from "../support/holders.ts";
import { HAS_GIL } from "../support/build.ts";
import { collectGarbage, until } from "../support/collection.ts";
import { run } from "../support/process.ts";
import { type Bytes, Living, scribble, sevens, SIZES } from "./owners.ts";

Deno.test("a Python thread holds the memory until it ends", () => {
  using living = new Living();
  using scope = new PythonScope();
  const block = sevens(5_008);
  python.run(
    `
    import threading
    go_on = threading.Event()
    sums = []
    def add(it):
        go_on.wait()
        sums.append(sum(memoryview(it)))
    thread = threading.Thread(target=add, args=(b,))
    thread.start()
    del b
    `,
    { scope, names: { b: block } },
  );
  assertThrows(() => block.realloc(10), BlockInUseError);
  block.free();
  scribble(5_008);
  living.assert(1, 5_008);
  python.run("go_on.set(); thread.join()", { scope });
  assertEquals(python.eval("sums[0]", { scope }), 7 * 5_008);
  living.assert(0, 0);
});

Deno.test("code that runs elsewhere holds the memory until it has ended", async () => {
  using living = new Living();
  using scope = new PythonScope();
  python.run("import threading; gate = threading.Event()", { scope });
  using gate = scope.get("gate") as PyObjectRef;
  const start = (b: Block<Bytes>) =>
    python.evalAsync("gate.wait() and sum(memoryview(b))", {
      names: { gate, b },
    });
  const block = sevens(5_008);
  const freed = sevens(5_008);
  const running = [start(block), start(freed), start(sevens(5_008))];
  const error = assertThrows(() => block.realloc(10), BlockInUseError);
  assertEquals(error.holders, 1);
  freed.free();
  await collectForAWhile();
  living.assert(3, 3 * 5_008);
  scribble(5_008);
  python.run("gate.set()", { scope });
  assertEquals(await Promise.all(running), Array(3).fill(7 * 5_008));
  block.realloc(10).free();
  await living.untilNothing();
});

Deno.test("memory that a Worker allocated outlives it in Python", async () => {
  using living = new Living();
  using scope = new PythonScope();
  const name = "oneheap_ownership_test";
  {
    using worker = await HoldingWorker.start();
    await worker.ask({ kind: "make for Python", name, bytes: 5_008 });
    living.assert(1, 5_008);
  }
  await collectForAWhile();
  living.assert(1, 5_008);
  scribble(5_008);
  python.run("import sys; kept = getattr(sys, name)", {
    scope,
    names: { name },
  });
  assertEquals(python.eval("set(kept) == {7}", { scope }), true);
  // It is not known as a block of this thread's.
  using object = python.eval("kept.obj", { scope }) as PyObjectRef;
  assertEquals(`${object}`, "<oneheap.Block of uint8, shape (5008,)>");
  python.run("delattr(sys, name); kept.release(); del kept", { scope });
  living.assert(1, 5_008);
  object[Symbol.dispose]();
  await living.untilNothing();
});

Deno.test("a view that a Worker was passed and Python lives as long as either holds it", async () => {
  using living = new Living();
  using scope = new PythonScope();
  const block = sevens(5_008);
  python.run("kept = memoryview(b); del b", { scope, names: { b: block } });
  {
    using worker = await HoldingWorker.start();
    await worker.ask({ kind: "keep", view: block.view });
    assert(block.freed);
    living.assert(1, 5_008);
  }
  await collectForAWhile();
  scribble(5_008);
  assertEquals(python.eval("set(kept) == {7}", { scope }), true);
  living.assert(1, 5_008);
  python.run("del kept", { scope });
  await living.untilNothing();
});

Deno.test("a block that is freed while Python's thread releases it ends once", async () => {
  using living = new Living();
  using scope = new PythonScope();
  python.run(
    `
    import queue, threading
    waiting = queue.SimpleQueue()
    def release():
        while (it := waiting.get()) is not None:
            del it
    thread = threading.Thread(target=release)
    thread.start()
    put = waiting.put
    `,
    { scope },
  );
  {
    using put = scope.get("put") as PyObjectRef;
    for (let round = 0; round < 3_000; round++) {
      const block = alloc(Uint8Array, SIZES[round % 2]);
      if (round % 3 === 0) block.view[0] = 7;
      put.call(block);
      if (round % 5 === 0) {
        try {
          block.realloc(6_008);
        } catch (error) {
          if (!(error instanceof BlockInUseError)) throw error;
          assert(error.holders > 0);
        }
      }
      block.free();
    }
  }
  python.run("waiting.put(None); thread.join()", { scope });
  await living.untilNothing();
});

Deno.test("the end of the process finds Python and JavaScript holding memory, and ends", async () => {
  for (
    const ending of ["", "Deno.exit(0);", "throw new Error('on purpose');"]
  ) {
    const { code, signal, stdout, stderr } = await run(`
      import { alloc, python, PythonScope } from "@oneheap/oneheap";
      const scope = new PythonScope();
      const [block, freed] = [alloc(Uint8Array, 100_000), alloc(Uint8Array, 100)];
      python.run("import atexit, sys; sys.kept = memoryview(b), memoryview(f)", { scope, names: { b: block, f: freed } });
      python.run("atexit.register(lambda: print(sum(sys.kept[0])))", { scope });
      const borrowed = python.borrow("bytearray(1000)");
      freed.free();
      block.view.fill(1);
      ${ending}
    `);
    assertEquals([signal, stdout], [null, "100000\n"]);
    assertEquals(code, ending.startsWith("throw") ? 1 : 0);
    assertEquals(stderr.includes("on purpose"), ending.startsWith("throw"));
  }
});

Deno.test("blocks that are lost in Python and JavaScript in a loop are freed in time", async () => {
  const before = stats().blocks;
  let most = 0;
  for (let round = 0; round < 20_000; round++) {
    python.eval("memoryview(b)", { names: { b: alloc(Uint8Array, 2_000) } });
    if (round % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
    most = Math.max(most, stats().blocks - before);
  }
  assert(most < 10_000, `${most} at a time`);
  collectGarbage();
  await until(() => {
    if (!HAS_GIL) python.run("pass");
    return stats().blocks <= before;
  }, "the lost blocks");
});
