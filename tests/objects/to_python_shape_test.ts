/** A block in Python: an `oneheap.Block` of a format and a shape. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  PyObjectRef,
  python,
  PythonScope,
  type ToPythonOptions,
} from "../../mod.ts";
import { elements } from "../support/elements.ts";
import { ask, assertRaises, exported, repr, TYPES } from "./exporting.ts";

for (const [type, format, name] of TYPES) {
  Deno.test(`Python sees a block of ${type.name} where it is, with its format`, () => {
    const size = type.BYTES_PER_ELEMENT;
    using block = alloc(type, elements(type, 1, 2, 100));
    assertEquals(
      ask(
        "__import__('ctypes').addressof(__import__('ctypes').c_char.from_buffer(b))",
        block,
      ),
      block.address,
    );
    assertEquals(
      repr(
        "(lambda m: (m.format, m.itemsize, m.nbytes, m.shape, m.strides, m.readonly, m.c_contiguous))(memoryview(b))",
        block,
      ),
      `('${format}', ${size}, ${3 * size}, (3,), (${size},), False, True)`,
    );
    assertEquals(
      repr(
        `[int(it) for it in __import__("struct").unpack("3${format}", b)]`,
        block,
      ),
      "[1, 2, 100]",
    );
    assertEquals(repr("b", block), `<oneheap.Block of ${name}, shape (3,)>`);
  });
}

Deno.test("what one side writes the other reads, without a call in between", () => {
  using scope = new PythonScope();
  using block = alloc(Float64Array, [1, 2, 3]);
  python.run("m = memoryview(b)", { scope, names: { b: block } });
  block.view[1] = 2.5;
  assertEquals(python.eval("m[1]", { scope }), 2.5);
  python.run("m[2] = -1", { scope });
  assertEquals(block.view[2], -1);
});

Deno.test("a block has the shape that is requested, in C order", () => {
  using block = alloc(Int32Array, Array.from({ length: 24 }, (_, i) => i));
  using cube = exported(block, { shape: [2, 3, 4] });
  assertEquals(
    repr(
      "(lambda m: (m.ndim, m.shape, m.strides, m.nbytes, m[1, 2, 3], m[1, 0, 0], m[0, 1, 0]))(memoryview(b))",
      cube,
    ),
    "(3, (2, 3, 4), (48, 16, 4), 96, 23, 12, 4)",
  );
  assertEquals(
    repr("memoryview(b).tolist()[1][2]", cube),
    "[20, 21, 22, 23]",
  );
  assertEquals(`${cube}`, "<oneheap.Block of int32, shape (2, 3, 4)>");
  using column = exported(block, { shape: [24, 1, 1] });
  assertEquals(
    repr("(memoryview(b).shape, memoryview(b).strides)", column),
    "((24, 1, 1), (4, 4, 4))",
  );
});

Deno.test("a block of one element can have no dimensions", () => {
  using block = alloc(Float64Array, [2.5]);
  using scalar = exported(block, { shape: [] });
  assertEquals(
    repr(
      "(lambda m: (m.ndim, m.shape, m.strides, m.nbytes, m[()], m.tolist()))(memoryview(b))",
      scalar,
    ),
    "(0, (), (), 8, 2.5, 2.5)",
  );
  assertEquals(ask("len(bytes(b))", scalar), 8);
  assertEquals(`${scalar}`, "<oneheap.Block of float64, shape ()>");
});

Deno.test("a block without elements can have any shape of none", () => {
  using block = alloc(Float64Array, 0);
  const HUGE = 2 ** 40;
  for (
    const shape of [undefined, [0], [0, 3], [3, 0], [2, 0, 5], [0, HUGE, HUGE]]
  ) {
    using none = exported(block, { shape });
    assertEquals(
      repr("memoryview(b).shape", none),
      shape === undefined || shape.length === 1
        ? "(0,)"
        : `(${shape.join(", ")})`,
    );
    assertEquals(
      repr("(memoryview(b).nbytes, bytes(b), memoryview(b).tolist())", none),
      `(0, b'', ${
        shape?.[0] ? `[${"[], ".repeat(shape[0]).slice(0, -2)}]` : "[]"
      })`,
    );
  }
});

for (
  const shape of [
    [],
    [5],
    [7],
    [2, 2],
    [2, 3, 2],
    [6, 0],
    [0],
    [2 ** 40, 2 ** 40],
  ]
) {
  Deno.test(`shape [${shape.join(", ")}] doesn't fit a block of 6, and says so`, () => {
    using block = alloc(Int16Array, 6);
    assertThrows(
      () => block.toPython({ shape }),
      RangeError,
      "The shape must have as many elements as the block, 6",
    );
    block.realloc(7);
  });
}

for (const shape of [[0, 2 ** 40, 2 ** 40], [2 ** 40, 2 ** 40, 0]]) {
  Deno.test(`a block of no elements has the shape [${shape.join(", ")}]`, () => {
    using block = alloc(Int16Array, 0);
    using object = new PyObjectRef(block.toPython({ shape }));
    const read = "list(memoryview(b).shape)";
    assertEquals(ask(`${read} == [${shape.join(", ")}]`, object), true);
  });
}

Deno.test("a shape that is no array is a TypeError", () => {
  using block = alloc(Int16Array, 4);
  for (const shape of [null, "4", 4]) {
    assertThrows(
      () => block.toPython({ shape } as unknown as ToPythonOptions),
      TypeError,
      "The shape must be an array",
    );
  }
  block.realloc(7);
});

for (const extent of [-1, 1.5, NaN, Infinity, 2 ** 53]) {
  Deno.test(`an extent of ${extent} is a RangeError`, () => {
    using block = alloc(Int16Array, 6);
    const error = assertThrows(
      () => block.toPython({ shape: [6, extent] }),
      RangeError,
    );
    assertEquals(error.message.startsWith("The shape must be"), true);
    block.realloc(7);
  });
}

Deno.test("a shape that is no array of numbers is a TypeError", () => {
  using block = alloc(Int16Array, 6);
  for (const shape of [["6"], [null], [6n], [[6]]]) {
    assertThrows(
      () => block.toPython({ shape: shape as unknown as number[] }),
      TypeError,
    );
  }
  block.realloc(7);
});

Deno.test("a shape of 64 dimensions is Python's limit", () => {
  using block = alloc(Uint8Array, 1);
  using most = exported(block, { shape: Array(64).fill(1) });
  assertEquals(ask("memoryview(b).ndim", most), 64);
  using more = exported(block, { shape: Array(65).fill(1) });
  assertRaises(() => ask("memoryview(b)", more), "ValueError");
  assertEquals(`${more}`.length > 65, true);
});

Deno.test("a read-only block can't be written in Python, but in JavaScript", () => {
  using block = alloc(Uint8Array, [1, 2, 3]);
  using b = exported(block, { readonly: true });
  assertEquals(ask("memoryview(b).readonly", b), true);
  assertEquals(`${b}`, "<oneheap.Block of uint8, shape (3,), read-only>");
  const attempts: [string, string][] = [
    ["memoryview(b).__setitem__(0, 9)", "TypeError"],
    ["__import__('io').BytesIO(b'xyz').readinto(b)", "TypeError"],
    ["__import__('struct').pack_into('B', b, 0, 9)", "TypeError"],
    ["__import__('ctypes').c_char.from_buffer(b)", "TypeError"],
  ];
  for (const [attempt, type] of attempts) {
    assertRaises(() => ask(attempt, b), type);
  }
  assertEquals([...block.view], [1, 2, 3]);
  block.view[0] = 9;
  assertEquals(repr("bytes(b)", b), "b'\\t\\x02\\x03'");
  using writable = exported(block);
  ask("memoryview(b).__setitem__(1, 8)", writable);
  assertEquals([...block.view], [9, 8, 3]);
});
