import {
  assert,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  AllocationError,
  Arena,
  FreedError,
  stats,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";
import { CONSTRUCTORS } from "../../ffi/elements.ts";
import { leavesNothing } from "../support/collection.ts";
import { elements } from "../support/elements.ts";

/** Where a typed array lies in memory. */
function address(array: TypedArray): number {
  const pointer = Deno.UnsafePointer.of(array as Uint8Array<ArrayBuffer>);
  return Number(Deno.UnsafePointer.value(pointer));
}

for (const type of CONSTRUCTORS) {
  Deno.test(`an arena hands out ${type.name}s of zeroes`, () => {
    using arena = new Arena();
    for (const length of [0, 1, 3, 100]) {
      const array = arena.alloc(type, length);
      assert(array instanceof type);
      assertEquals(array.length, length);
      assertEquals([...array], elements(type, ...Array(length).fill(0)));
      for (const [index, one] of elements(type, ...array.keys()).entries()) {
        array[index] = one;
      }
    }
  });
}

Deno.test("arrays of mixed types are aligned and lie apart", () => {
  using arena = new Arena({ chunkBytes: 1_000 });
  const arrays = Array.from({ length: 500 }, (_, index) => {
    const type = CONSTRUCTORS[index * 7 % CONSTRUCTORS.length];
    const array = arena.alloc(type, index % 9);
    assertEquals(array.byteOffset % type.BYTES_PER_ELEMENT, 0);
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).fill(
      index,
    );
    return array;
  });
  for (const [index, array] of arrays.entries()) {
    const { buffer, byteOffset, byteLength } = array;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    assert(bytes.every((byte) => byte === (index & 0xff)));
  }
});

Deno.test("an arena takes no memory before its first array, and one chunk for many", () => {
  const before = stats();
  using arena = new Arena({ chunkBytes: 4_096 });
  assertEquals(stats().blocks, before.blocks);
  const first = arena.alloc(Float64Array, 8);
  for (let index = 1; index < 64; index++) {
    const array = arena.alloc(Float64Array, 8);
    assertStrictEquals(array.buffer, first.buffer);
    assertEquals(array.byteOffset, index * 64);
  }
  assertEquals(stats().blocks, before.blocks + 1);
  assertEquals(stats().bytes, before.bytes + 4_096);
  arena.alloc(Uint8Array, 1);
  assertEquals(stats().blocks, before.blocks + 2);
});

Deno.test("chunks double up to 4 MiB", () => {
  const sizes: number[] = [];
  using arena = new Arena({ chunkBytes: 512 * 1024 });
  for (let index = 0; index < 6; index++) {
    const before = stats().bytes;
    while (stats().bytes === before) arena.alloc(Uint8Array, 512 * 1024);
    sizes.push((stats().bytes - before) / 1024);
  }
  assertEquals(sizes, [512, 1024, 2048, 4096, 4096, 4096]);
});

Deno.test("chunks that were asked to be larger than 4 MiB stay at their size", () => {
  using arena = new Arena({ chunkBytes: 5_000_000 });
  const before = stats().bytes;
  for (let index = 0; index < 3; index++) arena.alloc(Uint8Array, 4_000_000);
  assertEquals(stats().bytes, before + 15_000_000);
});

Deno.test("an array larger than a chunk gets its own, and the chunk goes on", () => {
  using arena = new Arena({ chunkBytes: 1_024 });
  const small = arena.alloc(Uint8Array, 100);
  const before = stats();
  const large = arena.alloc(Float64Array, 1_000);
  assertEquals(stats().blocks, before.blocks + 1);
  assertEquals(stats().bytes, before.bytes + 8_000);
  assert(large.every((element) => element === 0));
  assertEquals(address(large) % 16, 0);
  assertNotEquals(large.buffer, small.buffer);
  assertStrictEquals(arena.alloc(Uint8Array, 100).buffer, small.buffer);
});

Deno.test("reset detaches everything and frees it, and the arena goes on", () => {
  const before = stats();
  using arena = new Arena({ chunkBytes: 1_024 });
  for (let round = 0; round < 3; round++) {
    const arrays = Array.from(
      { length: 100 },
      () => arena.alloc(Float64Array, 8).fill(1),
    );
    arrays.push(arena.alloc(Float64Array, 10_000).fill(1));
    const part = arrays[0].subarray(1);
    arena.reset();
    assertEquals(part.length, 0);
    for (const array of arrays) {
      assertEquals(array.length, 0);
      assert(array.buffer.detached);
    }
    assertEquals(stats().blocks, before.blocks);
    assertEquals(stats().bytes, before.bytes);
    assertEquals([...arena.alloc(Float64Array, 2)], [0, 0]);
    arena.reset();
  }
  assertEquals(stats().reclaimed, before.reclaimed);
});

Deno.test("reset of an arena without arrays does nothing", () =>
  leavesNothing(() => {
    using arena = new Arena();
    arena.reset();
    arena.reset();
  }));

Deno.test("the end of the scope detaches everything and frees it", () =>
  leavesNothing(() => {
    const arrays: TypedArray[] = [];
    {
      using arena = new Arena({ chunkBytes: 100 });
      for (let index = 0; index < 50; index++) {
        arrays.push(arena.alloc(Int32Array, index));
      }
    }
    for (const array of arrays) assertEquals(array.length, 0);
  }));

Deno.test("a disposed arena throws a FreedError, and can be disposed again", () =>
  leavesNothing(() => {
    for (const used of [true, false]) {
      using arena = new Arena();
      if (used) arena.alloc(Float64Array, 1);
      arena[Symbol.dispose]();
      for (const length of [0, 1, 1_000_000]) {
        assertThrows(
          () => arena.alloc(Uint8Array, length),
          FreedError,
          "arena",
        );
      }
      assertThrows(() => arena.reset(), FreedError, "arena");
      arena[Symbol.dispose]();
    }
  }));

Deno.test("transferring one array's buffer away detaches its siblings, and the arena goes on with a new chunk", () => {
  const before = stats();
  using arena = new Arena();
  const taken = arena.alloc(Uint8Array, 4).fill(1);
  const sibling = arena.alloc(Uint8Array, 4).fill(2);
  const buffer = taken.buffer.transfer();
  assertEquals(taken.length, 0);
  assertEquals(sibling.length, 0);
  assertEquals([...new Uint8Array(buffer, 0, 4)], [1, 1, 1, 1]);
  const next = arena.alloc(Uint8Array, 4);
  assertEquals([...next], [0, 0, 0, 0]);
  next.fill(3);
  assertEquals([...new Uint8Array(buffer, 0, 5)], [1, 1, 1, 1, 2]);
  arena.reset();
  assertEquals(next.length, 0);
  assertEquals(buffer.byteLength, 64 * 1024);
  assertEquals(stats().blocks, before.blocks + 1);
  buffer.transfer(0);
  assertEquals(stats().blocks, before.blocks);
  assertGreater(stats().reclaimed, before.reclaimed);
});

for (const length of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
  Deno.test(`an array of ${length} elements is a RangeError, and the arena goes on`, () =>
    leavesNothing(() => {
      using arena = new Arena();
      const before = arena.alloc(Float64Array, 1).fill(1);
      assertThrows(
        () => arena.alloc(Float64Array, length),
        RangeError,
        `${length}`,
      );
      const after = arena.alloc(Float64Array, 1);
      assertStrictEquals(after.buffer, before.buffer);
      assertEquals(after.byteOffset, 8);
      assertEquals([...before], [1]);
    }));

  Deno.test(`chunkBytes of ${length} is a RangeError`, () => {
    assertThrows(
      () => new Arena({ chunkBytes: length }),
      RangeError,
      `${length}`,
    );
  });
}

Deno.test("chunkBytes of 0 is a RangeError, and what is no number a TypeError", () => {
  assertThrows(() => new Arena({ chunkBytes: 0 }), RangeError, "chunkBytes");
  const chunkBytes = "64" as unknown as number;
  assertThrows(() => new Arena({ chunkBytes }), TypeError, "chunkBytes");
});

Deno.test("an arena refuses what is no typed array's constructor, and a length that is no number", () =>
  leavesNothing(() => {
    using arena = new Arena();
    for (
      const type of [Array, DataView, undefined, class extends Int8Array {}]
    ) {
      const constructor = type as unknown as TypedArrayConstructor<TypedArray>;
      assertThrows(() => arena.alloc(constructor, 1), TypeError);
    }
    const lengths: unknown[] = ["4", 4n, null, undefined];
    for (const length of lengths) {
      assertThrows(
        () => arena.alloc(Int8Array, length as number),
        TypeError,
      );
    }
  }));

Deno.test("memory that is out is an AllocationError, and the arena goes on", () =>
  leavesNothing(() => {
    using arena = new Arena();
    const before = arena.alloc(Float64Array, 1).fill(1);
    const error = assertThrows(
      () => arena.alloc(Float64Array, 2 ** 49),
      AllocationError,
    );
    assertEquals(error.requested, 2 ** 52);
    assertThrows(() => arena.alloc(Float64Array, 2 ** 50), RangeError);
    assertStrictEquals(arena.alloc(Float64Array, 1).buffer, before.buffer);
    assertEquals([...before], [1]);
    using huge = new Arena({ chunkBytes: 2 ** 52 });
    assertThrows(() => huge.alloc(Int8Array, 1), AllocationError);
  }));
