import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  AllocationError,
  type Block,
  stats,
  type TypedArray,
} from "../../mod.ts";
import { CONSTRUCTORS } from "../../ffi/elements.ts";
import { leavesNothing } from "../support/collection.ts";
import { elements } from "../support/elements.ts";

for (const type of CONSTRUCTORS) {
  Deno.test(`alloc makes a block of ${type.name} from a length, all zero`, () => {
    using block = alloc(type, 5);
    assertStrictEquals(block.type, type);
    assertEquals(block.length, 5);
    assertEquals(block.byteLength, 5 * type.BYTES_PER_ELEMENT);
    assert(block.view instanceof type);
    assertEquals([...block.view], elements(type, 0, 0, 0, 0, 0));
  });

  Deno.test(`alloc copies elements into a block of ${type.name}`, () => {
    const array = elements(type, 1, 2, 3);
    using fromArray = alloc(type, array);
    using fromArrayLike = alloc(type, Object.assign({ length: 3 }, array));
    using fromIterable = alloc(type, new Set(array));
    using fromGenerator = alloc(type, array.values());
    using fromTypedArray = alloc(type, fromArray.view);
    const blocks = [
      fromArray,
      fromArrayLike,
      fromIterable,
      fromGenerator,
      fromTypedArray,
    ];
    for (const { view, length } of blocks) {
      assertEquals(length, 3);
      assertEquals([...view], array);
    }
  });

  Deno.test(`a block of ${type.name} may have no elements`, () => {
    for (const source of [0, -0, [], new Set<never>()]) {
      using block = alloc(type, source);
      assertEquals(block.length, 0);
      assertEquals(block.byteLength, 0);
      assertEquals(block.view.length, 0);
      assertEquals(block.freed, false);
      assert(block.address > 0);
    }
  });
}

Deno.test("the copy is apart from its source", () => {
  const source = Float64Array.of(1, 2);
  using block = alloc(Float64Array, source);
  source[0] = 5;
  block.view[1] = 7;
  assertEquals([...block.view], [1, 7]);
  assertEquals([...source], [5, 2]);
});

Deno.test("elements are converted as JavaScript converts them", () => {
  using clamped = alloc(Uint8ClampedArray, [-5, 300, 1.5]);
  assertEquals([...clamped.view], [0, 255, 2]);
  using wrapped = alloc(Int8Array, Float64Array.of(127, 128, -129.9));
  assertEquals([...wrapped.view], [127, -128, 127]);
  using half = alloc(Float16Array, [1 / 3, 65504, 1e6]);
  assertEquals([...half.view], [0.333251953125, 65504, Infinity]);
});

Deno.test("elements of shared memory and of a part of a buffer are copied in", () => {
  const shared = new Int16Array(new SharedArrayBuffer(8));
  shared.set([1, 2, 3, 4]);
  using fromShared = alloc(Int16Array, shared);
  assertEquals([...fromShared.view], [1, 2, 3, 4]);
  using fromPart = alloc(Int16Array, shared.subarray(1, 3));
  assertEquals([...fromPart.view], [2, 3]);
});

Deno.test("zeroed memory is zero where used memory was before", () => {
  for (const length of [16, 1_000, 100_000]) {
    const used = alloc(Uint8Array, length, { zeroed: false });
    used.view.fill(0xff);
    used.free();
    using block = alloc(Uint8Array, length, { zeroed: true });
    assert(block.view.every((byte) => byte === 0));
  }
});

Deno.test("memory that is not zeroed has the length asked for, and takes what is written", () => {
  using block = alloc(Uint32Array, 1_000, { zeroed: false });
  assertEquals(block.view.length, 1_000);
  block.view.fill(0xdeadbeef);
  assert(block.view.every((element) => element === 0xdeadbeef));
});

Deno.test("a block's address is a multiple of 16, whatever its size", () => {
  for (let bytes = 0; bytes < 600; bytes++) {
    using block = alloc(Uint8Array, bytes, { zeroed: bytes % 2 === 0 });
    assertEquals(block.address % 16, 0);
  }
});

for (let align = 1; align <= 4096; align *= 2) {
  Deno.test(`align ${align} is kept`, () => {
    const blocks = Array.from(
      { length: 64 },
      (_, index) =>
        alloc(Uint8Array, 1 + index * 37, { align, zeroed: index % 2 === 0 }),
    );
    for (const [index, block] of blocks.entries()) {
      assertEquals(block.address % Math.max(align, 16), 0);
      block.view.fill(index);
    }
    for (const [index, block] of blocks.entries()) {
      assert(block.view.every((byte) => byte === index));
      block.free();
    }
  });
}

Deno.test("blocks alive at once lie apart", () => {
  const blocks = Array.from(
    { length: 200 },
    (_, index) => alloc(Uint32Array, index % 50),
  );
  for (const [index, { view }] of blocks.entries()) view.fill(index);
  for (const [index, block] of blocks.entries()) {
    assert(block.view.every((element) => element === index));
  }
  const ends = blocks.map(({ address, byteLength }) => [
    address,
    address + byteLength,
  ]).sort(([a], [b]) => a - b);
  for (let index = 1; index < ends.length; index++) {
    assert(ends[index][0] >= ends[index - 1][1]);
  }
  for (const block of blocks) block.free();
});

Deno.test("a block and its bytes are counted from alloc to free", () => {
  const before = stats();
  const block = alloc(Float64Array, 1_000);
  assertEquals(stats().blocks, before.blocks + 1);
  assertEquals(stats().bytes, before.bytes + 8_000);
  block.free();
  assertEquals(stats().blocks, before.blocks);
  assertEquals(stats().bytes, before.bytes);
});

/** Arguments that a program in plain JavaScript may give. */
// deno-lint-ignore no-explicit-any
const untyped = alloc as (...given: any[]) => Block<TypedArray>;

for (const length of [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 53]) {
  Deno.test(`a length of ${length} is a RangeError`, () =>
    leavesNothing(() => {
      assertThrows(() => alloc(Uint8Array, length), RangeError, `${length}`);
      assertThrows(() => alloc(Uint8Array, { length }), RangeError);
    }));
}

Deno.test("a length of more bytes than a number can count is a RangeError", () =>
  leavesNothing(() => {
    const length = Number.MAX_SAFE_INTEGER;
    assertThrows(() => alloc(Float64Array, length), RangeError, `${length}`);
    assertThrows(() => alloc(Int16Array, 2 ** 52), RangeError);
  }));

for (const bytes of [2 ** 47, 2 ** 52, Number.MAX_SAFE_INTEGER]) {
  Deno.test(`${bytes} bytes are beyond the address space: AllocationError`, () =>
    leavesNothing(() => {
      for (const zeroed of [true, false]) {
        for (const align of [16, 4096]) {
          const options = { zeroed, align };
          const error = assertThrows(
            () => alloc(Uint8Array, bytes, options),
            AllocationError,
            `${bytes} bytes`,
          );
          assertEquals(error.requested, bytes);
          assertEquals(error.name, "AllocationError");
        }
      }
    }));
}

Deno.test("AllocationError tells bytes, not elements", () => {
  const error = assertThrows(
    () => alloc(Float64Array, 2 ** 49),
    AllocationError,
  );
  assertInstanceOf(error, AllocationError);
  assertEquals(error.requested, 2 ** 52);
});

Deno.test("allocation works on after memory was out", () => {
  assertThrows(() => alloc(Uint8Array, 2 ** 52), AllocationError);
  using block = alloc(Uint8Array, [1, 2, 3]);
  assertEquals([...block.view], [1, 2, 3]);
});

const NO_CONSTRUCTORS: [what: string, type: unknown][] = [
  ["Array", Array],
  ["DataView", DataView],
  ["ArrayBuffer", ArrayBuffer],
  ["%TypedArray%", Object.getPrototypeOf(Float64Array)],
  ["a subclass", class Mine extends Float64Array {}],
  ["a typed array", new Float64Array(2)],
  ["a name", "Float64Array"],
  ["undefined", undefined],
  ["null", null],
];

for (const [what, type] of NO_CONSTRUCTORS) {
  Deno.test(`a type that is ${what} is a TypeError`, () =>
    leavesNothing(() => {
      assertThrows(() => untyped(type, 1), TypeError, "TypedArray constructor");
    }));
}

for (const align of [0, -16, 3, 24, 0.5, 8192, 2 ** 40, NaN, Infinity]) {
  Deno.test(`an align of ${align} is a RangeError`, () =>
    leavesNothing(() => {
      assertThrows(
        () => alloc(Uint8Array, 1, { align }),
        RangeError,
        `${align}`,
      );
    }));
}

for (const align of ["16", 16n, null, true, [16]]) {
  Deno.test(`an align of type ${align === null ? align : typeof align} is a TypeError`, () =>
    leavesNothing(() => {
      assertThrows(() => untyped(Uint8Array, 1, { align }), TypeError, "align");
    }));
}

const NO_SOURCES: [what: string, source: unknown, message: string][] = [
  ["an ArrayBuffer", new ArrayBuffer(8), "Give a typed array over it"],
  ["a SharedArrayBuffer", new SharedArrayBuffer(8), "SharedArrayBuffer"],
  ["a DataView", new DataView(new ArrayBuffer(8)), "DataView"],
  ["an object without a length", { size: 3 }, "an object (Object)"],
  ["a string", "123", '"123"'],
  ["a bigint", 3n, "3n"],
  ["a function", (_: number) => {}, "array-like"],
  ["null", null, "null"],
  ["undefined", undefined, "undefined"],
];

for (const [what, source, message] of NO_SOURCES) {
  Deno.test(`a source that is ${what} is a TypeError`, () =>
    leavesNothing(() => {
      assertThrows(() => untyped(Float64Array, source), TypeError, message);
    }));
}

Deno.test("a source that is a block is a TypeError that names its view", () => {
  using block = alloc(Float64Array, 1);
  leavesNothing(() => {
    assertThrows(() => untyped(Float64Array, block), TypeError, "view");
  });
});

Deno.test("elements of the wrong kind are a TypeError, and the block is freed", () =>
  leavesNothing(() => {
    assertThrows(() => untyped(Float64Array, [1, 2n]), TypeError);
    assertThrows(() => untyped(BigInt64Array, [1n, 2]), TypeError);
    assertThrows(
      () => untyped(Float64Array, new BigInt64Array(3)),
      TypeError,
    );
    assertThrows(() => untyped(BigInt64Array, new Int8Array(3)), TypeError);
    assertThrows(() => untyped(Int32Array, [Symbol()]), TypeError);
  }));

Deno.test("what an element or an iterable throws comes through, and the block is freed", () =>
  leavesNothing(() => {
    const element = {
      valueOf() {
        throw new Error("from an element");
      },
    };
    assertThrows(() => untyped(Int8Array, [1, element]), Error, "an element");
    function* failing() {
      yield 1;
      throw new Error("from an iterable");
    }
    assertThrows(() => alloc(Int8Array, failing()), Error, "an iterable");
  }));

Deno.test("a source that was detached is a TypeError", () =>
  leavesNothing(() => {
    const source = Uint8Array.of(1, 2, 3);
    source.buffer.transfer();
    assertThrows(() => alloc(Uint8Array, source), TypeError, "detached");
  }));
