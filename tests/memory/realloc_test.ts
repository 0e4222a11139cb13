import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  AllocationError,
  type Block,
  realloc,
  stats,
  type TypedArray,
} from "../../mod.ts";
import { CONSTRUCTORS } from "../../ffi/elements.ts";
import { leavesNothing } from "../support/collection.ts";
import { elements } from "../support/elements.ts";

for (const type of CONSTRUCTORS) {
  Deno.test(`realloc of ${type.name} keeps the contents, and new elements are zero`, () => {
    using block = alloc(type, elements(type, 1, 2, 3));
    block.realloc(5);
    assertEquals(block.length, 5);
    assertEquals(block.byteLength, 5 * type.BYTES_PER_ELEMENT);
    assertEquals([...block.view], elements(type, 1, 2, 3, 0, 0));
    block.realloc(2);
    assertEquals([...block.view], elements(type, 1, 2));
    block.realloc(4);
    assertEquals([...block.view], elements(type, 1, 2, 0, 0));
  });
}

Deno.test("realloc gives the same block, by the function as by the method", () => {
  using block = alloc(Float64Array, 1);
  assertStrictEquals(realloc(block, 2), block);
  assertStrictEquals(block.realloc(3), block);
  assertEquals(block.length, 3);
});

Deno.test("realloc detaches the views made before, and view makes a new one", () => {
  using block = alloc(Uint8Array, [1, 2, 3]);
  const { view } = block;
  const part = view.subarray(1);
  const other = new DataView(view.buffer);
  block.realloc(3);
  assert(view.buffer.detached);
  assertEquals(part.length, 0);
  assertThrows(() => other.getUint8(0), TypeError);
  assertNotEquals(block.view.buffer, view.buffer);
  assertEquals([...block.view], [1, 2, 3]);
});

Deno.test("what was written through an old view is in the new one", () => {
  using block = alloc(Uint32Array, 1);
  for (let length = 1; length < 300; length++) {
    block.realloc(length);
    block.view[length - 1] = length;
  }
  assertEquals(
    [...block.view],
    Array.from(block.view, (_, index) => 1 + index),
  );
});

for (const viewed of [false, true]) {
  Deno.test(`${viewed ? "with" : "without"} a view, a block grows and shrinks through all sizes`, () =>
    leavesNothing(() => {
      using block = alloc(Uint8Array, 0);
      const sizes = [1, 15, 16, 17, 511, 512, 513, 65536, 65537, 4e6, 70, 3, 0];
      let least = 0;
      for (const size of sizes) {
        block.realloc(size);
        assertEquals(block.address % 16, 0);
        if (!viewed) continue;
        const { view } = block;
        assert(view.subarray(0, least).every((byte) => byte === 0xa5));
        assert(view.subarray(least).every((byte) => byte === 0));
        view.fill(0xa5);
        least = Math.min(size, sizes[sizes.indexOf(size) + 1]);
      }
      assertEquals(block.length, 0);
    }));
}

Deno.test("new elements are zero where used memory was before", () => {
  for (const length of [100, 1_000, 100_000]) {
    using block = alloc(Uint8Array, length);
    block.view.fill(0xff);
    block.realloc(length / 2);
    block.realloc(length);
    const { view } = block;
    assert(view.subarray(0, length / 2).every((byte) => byte === 0xff));
    assert(view.subarray(length / 2).every((byte) => byte === 0));
  }
});

Deno.test("without zeroing, contents are kept and the rest takes what is written", () => {
  using block = alloc(Float64Array, [1, 2]);
  block.realloc(1_000, { zeroed: false });
  const { view } = block;
  assertEquals([...view.subarray(0, 2)], [1, 2]);
  view.fill(3, 2);
  assert(view.subarray(2).every((element) => element === 3));
});

for (const align of [1, 16, 32, 64, 4096]) {
  Deno.test(`realloc keeps align ${align}`, () => {
    using block = alloc(Uint8Array, [1, 2, 3], { align });
    for (const length of [50, 5_000, 500_000, 20, 3]) {
      block.realloc(length);
      assertEquals(block.address % Math.max(align, 16), 0);
      assertEquals([...block.view.subarray(0, 3)], [1, 2, 3]);
    }
  });
}

Deno.test("a resized block counts as one block of its new size", () => {
  const before = stats();
  using block = alloc(Uint8Array, 1_000);
  for (const length of [10, 100_000, 100_000, 0, 5]) {
    block.realloc(length);
    if (length !== 100_000) block.view;
    const { blocks, bytes, reclaimed } = stats();
    assertEquals(blocks, before.blocks + 1);
    assertEquals(bytes, before.bytes + length);
    assertEquals(reclaimed, before.reclaimed);
  }
});

for (const viewed of [false, true]) {
  Deno.test(`${viewed ? "with" : "without"} a view, a realloc that fails leaves the block as it was`, () =>
    leavesNothing(() => {
      using block = alloc(Float64Array, [1, 2, 3]);
      const { address } = block;
      const old = viewed ? block.view : undefined;
      const before = stats();
      for (const length of [2 ** 49, 2 ** 44]) {
        const error = assertThrows(
          () => block.realloc(length),
          AllocationError,
        );
        assertEquals(error.requested, length * 8);
      }
      assertEquals(stats().bytes, before.bytes);
      assertEquals(block.length, 3);
      assertEquals(block.byteLength, 24);
      assertEquals(block.freed, false);
      assertEquals([...block.view], [1, 2, 3]);
      assertEquals(block.address, address);
      assertEquals(old?.length ?? 0, 0);
      block.view[0] = 5;
      block.realloc(4);
      assertEquals([...block.view], [5, 2, 3, 0]);
    }));
}

Deno.test("a realloc that fails with a large alignment leaves the block as it was", () =>
  leavesNothing(() => {
    using block = alloc(Uint8Array, [1, 2, 3], { align: 4096 });
    const { address } = block;
    assertThrows(() => block.realloc(2 ** 52), AllocationError);
    assertEquals(block.address, address);
    assertEquals([...block.view], [1, 2, 3]);
  }));

Deno.test("a block can be freed after a realloc that failed", () =>
  leavesNothing(() => {
    const block = alloc(Float64Array, [1, 2, 3]);
    block.view[0] = 1;
    assertThrows(() => block.realloc(2 ** 49), AllocationError);
    block.free();
    assert(block.freed);
  }));

for (const length of [-1, 0.5, NaN, Infinity, 2 ** 53, 2 ** 50]) {
  Deno.test(`realloc to a length of ${length} is a RangeError, and view and address stay`, () => {
    using block = alloc(Float64Array, [1, 2]);
    const { view, address } = block;
    leavesNothing(() => {
      assertThrows(() => block.realloc(length), RangeError, `${length}`);
    });
    assertStrictEquals(block.view, view);
    assertEquals([...view], [1, 2]);
    assertEquals(block.address, address);
    assertEquals(block.length, 2);
  });
}

Deno.test("realloc to a length that is no number is a TypeError, and the view stays", () => {
  using block: Block<TypedArray> = alloc(Float64Array, [1, 2]);
  const { view } = block;
  for (const length of ["3", 3n, null, undefined, {}, [3]]) {
    assertThrows(() => block.realloc(length as number), TypeError, "length");
  }
  assertStrictEquals(block.view, view);
});
