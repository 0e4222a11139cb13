/** Memory that Python holds is not resized. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  AllocationError,
  BlockInUseError,
  python,
  PythonScope,
  realloc,
} from "../../mod.ts";
import { Living, sevens } from "./owners.ts";

for (
  const [what, source, holders] of [
    ["the object", "kept = b", 1],
    ["a memoryview", "kept = memoryview(b)", 1],
    ["two memoryviews of one object", "kept = memoryview(b), memoryview(b)", 1],
    ["a part of a memoryview", "kept = memoryview(b)[1:2]", 1],
    ["two objects", "kept = b, other", 2],
    [
      "the memoryviews of three objects",
      "kept = memoryview(b), memoryview(other), memoryview(third)",
      3,
    ],
  ] as const
) {
  Deno.test(`a block that Python holds by ${what} isn't resized, and nothing is changed`, () => {
    using living = new Living();
    using scope = new PythonScope();
    using block = alloc(Uint8Array, 5_008);
    for (const viewed of [false, true]) {
      if (viewed) block.view.fill(7);
      const view = viewed ? block.view : undefined;
      const { address } = block;
      python.run(`${source}; del b, other, third`, {
        scope,
        names: { b: block, other: block, third: block },
      });
      const attempts = [
        () => block.realloc(10_008),
        () => realloc(block, 10),
        () => block.realloc(0),
        () => block.realloc(5_008),
        () => block.realloc(2 ** 52),
        () => block.realloc(10_008, { zeroed: false }),
      ];
      for (const attempt of attempts) {
        const error = assertThrows(attempt, BlockInUseError);
        assertEquals(error.holders, holders);
        assertEquals(
          error.message,
          `The block can't be resized while ${
            holders === 1
              ? "1 Python object holds"
              : `${holders} Python objects hold`
          } its memory. Delete it in Python, dispose its scope, the PyObjectRef to it or the PythonError of code that used it, or await the run that uses it`,
        );
        assertEquals([block.address, block.length], [address, 5_008]);
        assertEquals(block.freed, false);
      }
      if (viewed) {
        assert(block.view === view);
        assertEquals(view.length, 5_008);
        assert(view.every((byte) => byte === 7));
      }
      living.assert(1, 5_008);
      python.run("del kept", { scope });
      assert(block.realloc(10_008) === block);
      block.realloc(5_008);
      assertEquals(block.view[5_007], viewed ? 7 : 0);
      living.assert(1, 5_008);
      block.realloc(10_008).realloc(5_008);
    }
  });
}

Deno.test("a block is resized again when the last of its holders has released it", () => {
  using scope = new PythonScope();
  using block = sevens(5_008);
  const names = { one: block, two: block, three: block };
  python.run("pass", { scope, names });
  for (const [index, name] of Object.keys(names).entries()) {
    const error = assertThrows(() => block.realloc(9_008), BlockInUseError);
    assertEquals(error.holders, 3 - index);
    python.run(`del ${name}`, { scope });
  }
  block.realloc(9_008);
  assertEquals([block.view[5_007], block.view[5_008]], [7, 0]);
});

Deno.test("what JavaScript borrows of its own block keeps that from being resized", () => {
  using living = new Living();
  using block = sevens(5_008);
  {
    using _borrowed = python.borrow("b", { names: { b: block } });
    const error = assertThrows(() => block.realloc(10), BlockInUseError);
    assertEquals(error.holders, 1);
  }
  block.realloc(6_008);
  living.assert(1, 6_008);
});

Deno.test("a block that failed to be resized for want of memory goes on, with Python too", () => {
  using living = new Living();
  using block = sevens(5_008);
  for (let round = 0; round < 3; round++) {
    assertThrows(() => block.realloc(2 ** 52), AllocationError);
    assertEquals(
      python.eval("sum(memoryview(b))", { names: { b: block } }),
      7 * 5_008,
    );
    if (round === 1) assertEquals(block.view[0], 7);
  }
  living.assert(1, 5_008);
});
