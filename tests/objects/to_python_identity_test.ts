/** A block that comes back from Python is the same `Block`. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  AllocationError,
  BlockInUseError,
  FreedError,
  PyObjectRef,
  python,
  PythonScope,
  stats,
} from "../../mod.ts";
import { collectGarbage, leavesNothing, until } from "../support/collection.ts";
import { ask, exported, TYPES } from "./exporting.ts";

Deno.test("many blocks in Python keep apart, also when JavaScript has freed them", () => {
  using scope = new PythonScope();
  const blocks = Array.from({ length: 100 }, (_, i) => alloc(Uint8Array, [i]));
  const names = Object.fromEntries(blocks.map((it, i) => [`b${i}`, it]));
  python.run("all = [globals()[f'b{i}'] for i in range(100)]", {
    scope,
    names,
  });
  assertEquals(
    python.eval("[bytes(it)[0] for it in all] == list(range(100))", { scope }),
    true,
  );
  blocks.forEach((block) => block.free());
  assertEquals(
    python.eval("[bytes(it)[0] for it in all] == list(range(100))", { scope }),
    true,
  );
});

Deno.test("a block that comes back is the same Block, by every way", async () => {
  using scope = new PythonScope();
  using block = alloc(Float64Array, 3);
  assert(ask("b", block) === block);
  assert(ask("[b, None][0]", block) === block);
  assert(ask("memoryview(b).obj", block) === block);
  assert(await python.evalAsync("b", { names: { b: block } }) === block);
  python.run("kept = b; same = lambda it: it", { scope, names: { b: block } });
  assert(scope.get("kept") === block);
  using same = scope.get("same") as PyObjectRef;
  assert(same.call(block) === block);
  using reference = exported(block, { shape: [3, 1], readonly: true });
  assert(same.call(reference) === block);
  using namespace = python.eval("__import__('types').SimpleNamespace(it=b)", {
    names: { b: block },
  }) as PyObjectRef;
  assert(namespace.get("it") === block);
});

Deno.test("blocks that come back aren't taken for one another", () => {
  using scope = new PythonScope();
  const blocks = Array.from({ length: 50 }, () => alloc(Uint8Array, 1));
  const names = Object.fromEntries(blocks.map((it, i) => [`b${i}`, it]));
  python.run("pass", { scope, names });
  for (const [index, block] of blocks.entries()) {
    assert(scope.get(`b${index}`) === block);
  }
  blocks.forEach((block) => block.free());
});

Deno.test("a block that was resized is recognised again", () => {
  using block = alloc(Uint8Array, 5_000);
  assert(ask("b", block) === block);
  block.realloc(70_000);
  assert(ask("b", block) === block);
  block.view.fill(1);
  assert(ask("b", block) === block);
  block.realloc(10);
  assert(ask("b", block) === block);
});

Deno.test("a block that could not be resized is recognised again", () => {
  using block = alloc(Uint8Array, 5_000);
  for (const viewed of [false, true]) {
    if (viewed) block.view.fill(1);
    assert(ask("b", block) === block);
    assertThrows(() => block.realloc(2 ** 52), AllocationError);
    assert(ask("b", block) === block);
  }
  using reference = exported(block);
  assertThrows(() => block.realloc(2 ** 52), BlockInUseError);
  assert(ask("b", reference) === block);
});

Deno.test("memory whose block is gone comes back as a reference", async () => {
  using scope = new PythonScope();
  const freed = alloc(Uint8Array, [1]);
  const transferred = alloc(Uint8Array, [2]);
  python.run("pass", { scope, names: { freed, transferred } });
  (() => {
    python.run("lost = b; del b", {
      scope,
      names: { b: alloc(Uint8Array, [3]) },
    });
  })();
  freed.free();
  const clone = structuredClone(transferred.view, {
    transfer: [transferred.view.buffer],
  });
  for (const [index, name] of ["freed", "transferred"].entries()) {
    using back = scope.get(name) as PyObjectRef;
    assert(back instanceof PyObjectRef);
    assertEquals(ask("bytes(b)[0]", back), index + 1);
  }
  clone.buffer.transfer(0);
  for (let round = 0; round < 3; round++) {
    // Not to look for it meanwhile, for what is looked at lives.
    await new Promise((resolve) => setTimeout(resolve));
    collectGarbage();
  }
  using lost = scope.get("lost") as PyObjectRef;
  assert(lost instanceof PyObjectRef);
  assertEquals(ask("bytes(b)[0]", lost), 3);
});

Deno.test("a block is recognised again after thousands were exported to Python and freed or lost", async () => {
  const before = stats().blocks;
  using scope = new PythonScope();
  using kept = alloc(Uint8Array, 1);
  python.run("pass", { scope, names: { kept } });
  for (let round = 0; round < 5_000; round++) {
    const block = alloc(Uint8Array, 1);
    assert(ask("b", block) === block);
    if (round % 2 === 0) block.free();
  }
  assert(scope.get("kept") === kept);
  await until(() => stats().blocks <= before + 1, "the lost blocks");
  assert(scope.get("kept") === kept);
});

Deno.test("a block that was freed can't be exported to Python", () => {
  const block = alloc(Uint8Array, 1);
  block.free();
  assertThrows(() => block.toPython(), FreedError);
  assertThrows(() => ask("b", block), FreedError);
  assertThrows(() => python.borrow("b", { names: { b: block } }), FreedError);
});

Deno.test("each toPython is an object of its own", () => {
  using block = alloc(Uint8Array, 1);
  using one = exported(block);
  using other = exported(block);
  assertEquals(
    python.eval("one is other", { names: { one, other } }),
    false,
  );
  const error = assertThrows(() => block.realloc(2), BlockInUseError);
  assertEquals(error.holders, 2);
});

Deno.test("blocks in Python leave no reference to their type", () => {
  using block = alloc(Uint8Array, 1);
  const references = () =>
    ask("__import__('sys').getrefcount(type(b))", block) as number;
  const before = references();
  for (let round = 0; round < 100; round++) ask("memoryview(b).nbytes", block);
  // Without a GIL threads count references on their own, and there may seem to be fewer.
  assert(references() <= before);
});

Deno.test("blocks exported to Python leave nothing", () => {
  leavesNothing(() => {
    for (const [type] of TYPES) {
      using block = alloc(type, 4);
      ask("memoryview(b).nbytes", block);
      using matrix = exported(block, { shape: [2, 2], readonly: true });
      ask("bytes(b)", matrix);
    }
  });
});
