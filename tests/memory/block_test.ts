import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  Block,
  free,
  FreedError,
  python,
  realloc,
  stats,
  type TypedArray,
} from "../../mod.ts";
import { CONSTRUCTORS } from "../../ffi/elements.ts";
import { leavesNothing } from "../support/collection.ts";

/** What C does with a block: libc's functions, reached through the Python library that depends on it. */
const c = Deno.dlopen(python.library, {
  memset: {
    parameters: [/* to */ "pointer", /* byte */ "i32", /* bytes */ "usize"],
    result: "pointer",
  },
  memcmp: {
    parameters: [/* one */ "usize", /* other */ "buffer", /* bytes */ "usize"],
    result: "i32",
  },
}).symbols;

/** Whether two types are the same one. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;

/** Doesn't compile unless the two types are the same one. */
function sameType<A, B>(..._: Same<A, B> extends true ? [] : [never]): void {}

Deno.test("the view's type is inferred from the constructor", () => {
  using doubles = alloc(Float64Array, 1);
  using bytes = alloc(Uint8Array, [1]);
  using clamped = alloc(Uint8ClampedArray, 1);
  using halves = alloc(Float16Array, 1);
  using bigints = alloc(BigInt64Array, [1n]);
  sameType<typeof doubles, Block<Float64Array<ArrayBuffer>>>();
  sameType<typeof doubles.view, Float64Array<ArrayBuffer>>();
  sameType<typeof bytes.view, Uint8Array<ArrayBuffer>>();
  sameType<typeof clamped.view, Uint8ClampedArray<ArrayBuffer>>();
  sameType<typeof halves.view, Float16Array<ArrayBuffer>>();
  sameType<typeof bigints.view, BigInt64Array<ArrayBuffer>>();
  const resized = realloc(bigints, 2);
  sameType<typeof resized.view, BigInt64Array<ArrayBuffer>>();
  assertEquals([...resized.view], [1n, 0n]);
});

Deno.test("what doesn't fit does not compile, and does not run", () =>
  leavesNothing(() => {
    // @ts-expect-error: bigints are no elements of a Float64Array.
    assertThrows(() => alloc(Float64Array, [1n]), TypeError);
    // @ts-expect-error: numbers are no elements of a BigInt64Array.
    assertThrows(() => alloc(BigInt64Array, [1]), TypeError);
    // @ts-expect-error: a string is no source.
    assertThrows(() => alloc(Uint8Array, "12"), TypeError);
    // @ts-expect-error: DataView is no typed array.
    assertThrows(() => alloc(DataView, 1), TypeError);
  }));

Deno.test("the view is one typed array over the block's own memory", () => {
  using block = alloc(Uint8Array, [1, 2, 3]);
  const { view } = block;
  assertStrictEquals(block.view, view);
  assertEquals(view.byteOffset, 0);
  assertEquals(view.buffer.byteLength, 3);
  const pointer = Deno.UnsafePointer.of(view);
  assertEquals(Number(Deno.UnsafePointer.value(pointer)), block.address);
});

Deno.test("what is written through the address is in a view that is made later, and the other way round", () => {
  using block = alloc(Uint8Array, 4);
  c.memset(block.pointer, 7, 3n);
  assertEquals([...block.view], [7, 7, 7, 0]);
  block.view[3] = 9;
  const address = BigInt(block.address);
  assertEquals(c.memcmp(address, Uint8Array.of(7, 7, 7, 9), 4n), 0);
});

Deno.test("the pointer is the address as another Deno.dlopen library takes it", () => {
  using block = alloc(Float32Array, 1_000, { zeroed: false, align: 64 });
  const { pointer, address } = block;
  assertEquals(Number(Deno.UnsafePointer.value(pointer)), address);
  assert(Deno.UnsafePointer.equals(c.memset(pointer, 0, 4_000n), pointer));
  assert(block.view.every((element) => element === 0));
});

Deno.test("free ends the block and detaches its view", () => {
  const before = stats();
  const block = alloc(Float64Array, 8);
  const { view } = block;
  const part = view.subarray(2, 4);
  assertEquals(block.freed, false);
  block.free();
  assertEquals(block.freed, true);
  assertEquals(block.length, 0);
  assertEquals(block.byteLength, 0);
  assertEquals(view.length, 0);
  assertEquals(part.length, 0);
  assert(view.buffer.detached);
  assertEquals(view[0], undefined);
  view[0] = 1; // Goes nowhere.
  assertEquals(stats().blocks, before.blocks);
  assertEquals(stats().reclaimed, before.reclaimed);
});

Deno.test("the function free does as the method", () => {
  const block = alloc(Int16Array, 8);
  free(block);
  assert(block.freed);
  assertThrows(() => free(block), FreedError);
});

for (const viewed of [false, true]) {
  for (const bytes of [0, 64, 64 * 1024, 64 * 1024 + 1, 10_000_000]) {
    const how = viewed ? "a view" : "no view";
    Deno.test(`freeing ${bytes} bytes with ${how} gives all of them back at once`, () =>
      leavesNothing(() => {
        const block = alloc(Uint8Array, bytes);
        if (viewed) block.view.fill(1);
        block.free();
        assert(block.freed);
      }));
  }
}

Deno.test("using frees at the end of the scope", () =>
  leavesNothing(() => {
    let escaped: Block<Uint8Array<ArrayBuffer>>;
    {
      using block = alloc(Uint8Array, 100);
      block.view.fill(1);
      escaped = block;
      assertEquals(escaped.freed, false);
    }
    assert(escaped.freed);
  }));

Deno.test("using frees when the scope is left by an error", () =>
  leavesNothing(() => {
    assertThrows(
      () => {
        using _block = alloc(Uint8Array, 100);
        throw new Error("in the scope");
      },
      Error,
      "in the scope",
    );
  }));

Deno.test("leaving a using scope after a free does nothing", () =>
  leavesNothing(() => {
    using block = alloc(Uint8Array, 100);
    block.free();
    block[Symbol.dispose]();
    assert(block.freed);
  }));

/** Everything that a freed block refuses. */
const USES: [what: string, use: (block: Block<TypedArray>) => unknown][] = [
  ["view", (block) => block.view],
  ["address", (block) => block.address],
  ["pointer", (block) => block.pointer],
  ["free()", (block) => block.free()],
  ["free(block)", (block) => free(block)],
  ["realloc(1)", (block) => block.realloc(1)],
  ["realloc(block, 1)", (block) => realloc(block, 1)],
];

for (const [what, use] of USES) {
  Deno.test(`${what} after free is a FreedError`, () =>
    leavesNothing(() => {
      const block: Block<TypedArray> = alloc(Float64Array, 4);
      block.view[0] = 1;
      block.free();
      const error = assertThrows(() => use(block), FreedError, "Float64Array");
      assertEquals(error.name, "FreedError");
    }));

  Deno.test(`${what} after the view's memory was transferred away is a FreedError`, () =>
    leavesNothing(() => {
      for (const length of [4, 0]) {
        const block: Block<TypedArray> = alloc(Float64Array, length);
        const taken = block.view.buffer.transfer();
        assertThrows(() => use(block), FreedError, "transferred");
        assert(block.freed);
        assertEquals(taken.byteLength, length * 8);
        taken.transfer(0);
      }
    }));
}

Deno.test("a block whose memory was transferred away is as freed, and dispose does nothing", () => {
  const before = stats();
  const block = alloc(Int32Array, [1, 2, 3]);
  const { view } = block;
  const taken = view.buffer.transfer();
  assertEquals(block.freed, true);
  assertEquals(block.length, 0);
  assertEquals(block.byteLength, 0);
  block[Symbol.dispose]();
  assertEquals([...new Int32Array(taken)], [1, 2, 3]);
  assertEquals(stats().blocks, before.blocks + 1);
  taken.transfer(0);
  assertEquals(stats().blocks, before.blocks);
  assertEquals(stats().reclaimed, before.reclaimed + 1);
});

Deno.test("a freed block's slot serves the next block, and the freed one can't reach it", () => {
  const freed = alloc(Uint8Array, 100);
  freed.free();
  using next = alloc(Uint8Array, [1, 2, 3]);
  for (const [, use] of USES) assertThrows(() => use(freed), FreedError);
  freed[Symbol.dispose]();
  assertEquals(next.freed, false);
  assertEquals([...next.view], [1, 2, 3]);
});

Deno.test("what is no block is a TypeError", () => {
  const objects: unknown[] = [{}, null, undefined, 5, new Float64Array(1)];
  for (const object of objects) {
    assertThrows(() => free(object as Block<TypedArray>), TypeError, "block");
    assertThrows(() => realloc(object as Block<TypedArray>, 1), TypeError);
  }
  const impostor = Object.create(Block.prototype);
  assertThrows(() => free(impostor), TypeError);
});

Deno.test("many blocks of every type live side by side", () =>
  leavesNothing(() => {
    const blocks = Array.from(
      { length: 1_200 },
      (_, index) => alloc(CONSTRUCTORS[index % CONSTRUCTORS.length], index),
    );
    const addresses = new Set(blocks.map(({ address }) => address));
    assertEquals(addresses.size, blocks.length);
    for (const [index, block] of blocks.entries()) {
      assertEquals(block.length, index);
      if (index % 2 === 0) assertNotEquals(block.view, undefined);
    }
    for (const block of blocks) block.free();
  }));
